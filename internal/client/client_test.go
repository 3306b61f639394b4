package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"granary/internal/client"
)

// serve is a server of one handler, and a client of it that is quick to try
// again.
func serve(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return newClient(t, client.Config{Server: s.URL, Credential: client.PrivateToken("secret")})
}

func newClient(t *testing.T, config client.Config) *client.Client {
	t.Helper()
	config.Backoff = time.Millisecond
	c, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func file() client.Coordinates {
	return client.Coordinates{Project: "group/project", Name: "tool", Version: "1.0.0", Path: "dir/a b.txt"}
}

func upload(data []byte) client.Upload {
	return client.Upload{Coordinates: file(), Size: int64(len(data)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

func TestParseServer(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"packages.example.com", "https://packages.example.com/api/v4"},
		{"localhost:8080", "http://localhost:8080/api/v4"},
		{"127.0.0.1:8080/", "http://127.0.0.1:8080/api/v4"},
		{"https://example.com/gitlab/api/v4/", "https://example.com/gitlab/api/v4"},
		{"http://example.com", "http://example.com/api/v4"},
		{"ftp://example.com", ""},
		{"https://", ""},
		{"", ""},
		{"https://user:secret@example.com", ""},
		{"https://example.com?x=y", ""},
	} {
		u, err := client.ParseServer(tt.text)
		if err != nil {
			if tt.want != "" || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: %v", tt.text, err)
			}
			continue
		}
		if u.String() != tt.want {
			t.Errorf("%q: %s, want %s", tt.text, u, tt.want)
		}
	}
}

// A token's prefix says how it is sent; printing it shows nothing.
func TestCredential(t *testing.T) {
	for token, header := range map[string]string{
		"gnpat-x": "Private-Token", "old": "Private-Token", "glpat-x": "Private-Token",
		"gnjt-x": "Job-Token", "glcbt-x": "Job-Token", "gndt-x": "Deploy-Token", "gldt-x": "Deploy-Token",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get(header) != token {
				t.Errorf("%s: %v", token, r.Header)
			}
			fmt.Fprint(w, `{"username":"ann"}`)
		}))
		c := newClient(t, client.Config{Server: s.URL, Credential: client.TokenOf(token)})
		if u, err := c.User(t.Context()); err != nil || u.Username != "ann" {
			t.Error(u, err)
		}
		s.Close()
	}
	cred := client.TokenOf("gnpat-secret")
	if text := fmt.Sprintf("%v %+v %#v %s", cred, cred, cred, cred); strings.Contains(text, "secret") {
		t.Error(text)
	}
}

// The server's own words are told, whatever shape they have.
func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		status   int
		kind     client.Kind
		mime     string
		body     string
		location string
		want     string
	}{
		{401, client.Denied, "application/json", `{"message":"401 Unauthorized"}`, "", "the server answered 401 Unauthorized"},
		{403, client.Denied, "application/json", `{"message":"403 Forbidden - Package protected."}`, "", "the server answered 403 Forbidden: Package protected."},
		{400, client.Refused, "application/json", `{"message":"400 Bad request - Duplicate package is not allowed"}`, "", "the server answered 400 Bad Request: Duplicate package is not allowed"},
		{400, client.Refused, "application/json", `{"error":"package_version is invalid"}`, "", "the server answered 400 Bad Request: package_version is invalid"},
		{400, client.Refused, "application/json", `{"message":{"value":["is invalid"],"key":["x","y"]}}`, "", "the server answered 400 Bad Request: key x, y; value is invalid"},
		{401, client.Denied, "application/json", `{"error":"invalid_token","error_description":"Token was revoked."}`, "", "the server answered 401 Unauthorized: invalid_token: Token was revoked."},
		{404, client.NotFound, "application/json", `{"message":"404 Project Not Found"}`, "", "the server answered 404 Not Found: Project Not Found"},
		{500, client.Failed, "text/html", "<html>", "", "the server answered 500 Internal Server Error (request r1)"},
		{429, client.Busy, "text/plain", "Retry later\n", "", "the server answered 429 Too Many Requests: Retry later"},
		{400, client.Refused, "text/plain", "\x1b[2Jgone\r\nx\xff", "", "the server answered 400 Bad Request: [2Jgone  x?"},
	} {
		calls := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.Header().Set("X-Request-Id", "r1")
			w.Header().Set("Content-Type", tt.mime)
			w.WriteHeader(tt.status)
			fmt.Fprint(w, tt.body)
		}))
		c := newClient(t, client.Config{Server: s.URL, Attempts: 2})
		_, err := c.User(t.Context())
		if err == nil || err.Error() != tt.want || client.KindOf(err) != tt.kind {
			t.Errorf("%d %s: kind %d, %v\nwant %s", tt.status, tt.body, client.KindOf(err), err, tt.want)
		}
		if want := map[bool]int{true: 2, false: 1}[tt.kind == client.Busy]; calls != want {
			t.Errorf("%d: %d calls, want %d", tt.status, calls, want)
		}
		s.Close()
	}
}

// An answer that asks for patience is waited for, as long as it says.
func TestRetryAfter(t *testing.T) {
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch calls.Add(1) {
		case 1:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
		case 2:
			w.WriteHeader(503)
		default:
			fmt.Fprint(w, `{"username":"ann"}`)
		}
	}))
	defer s.Close()
	var pauses []time.Duration
	c := newClient(t, client.Config{Server: s.URL, Waiting: func(_ error, d time.Duration) { pauses = append(pauses, d) }})
	if u, err := c.User(t.Context()); err != nil || u.Username != "ann" {
		t.Fatal(u, err)
	}
	if len(pauses) != 2 || pauses[0] != time.Second || pauses[1] > 2*time.Millisecond {
		t.Error(pauses)
	}
}

// A wait that the caller ends is over at once, and an hour is not waited for.
func TestNoPatience(t *testing.T) {
	wait := "100"
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", wait)
		w.WriteHeader(503)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.User(ctx); err == nil {
		t.Error("no error")
	}
	wait = "3600"
	if _, err := c.User(t.Context()); client.KindOf(err) != client.Busy {
		t.Error(err)
	}
}

// A transfer without a byte is broken, and tried again.
func TestStall(t *testing.T) {
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4")
		w.Header().Set("ETag", `"one"`)
		if calls.Add(1) == 1 {
			fmt.Fprint(w, "ab")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		if r.Header.Get("Range") != "bytes=2-3" {
			t.Errorf("Range %q", r.Header.Get("Range"))
		}
		w.Header().Set("Content-Range", "bytes 2-3/4")
		w.Header().Set("Content-Length", "2")
		w.WriteHeader(206)
		fmt.Fprint(w, "cd")
	}))
	defer s.Close()
	c := newClient(t, client.Config{Server: s.URL, Stall: 50 * time.Millisecond})
	var got bytes.Buffer
	if _, err := c.Copy(t.Context(), file(), client.File{Size: -1}, &got, nil); err != nil || got.String() != "abcd" {
		t.Errorf("%q %v", got.String(), err)
	}
}

// Names travel as they are, one segment each; what would be changed on the way
// is refused before.
func TestAddress(t *testing.T) {
	var seen string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.URL.EscapedPath()
		fmt.Fprint(w, "{}")
	})
	if _, err := c.Publish(t.Context(), upload([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	if want := "/api/v4/projects/group%2Fproject/packages/generic/tool/1.0.0/dir/a%20b.txt"; seen != want {
		t.Errorf("%s, want %s", seen, want)
	}
	seen = ""
	for _, path := range []string{"", "..", "a/../b", "a//b", "./a", "a/"} {
		u := upload([]byte("x"))
		u.Path = path
		if _, err := c.Publish(t.Context(), u); err == nil || seen != "" {
			t.Errorf("%q: %v %s", path, err, seen)
		}
	}
}

// Lists are read to their last page, on the server they began on.
func TestLists(t *testing.T) {
	var asked []url.Values
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query())
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		w.Header().Set("Link", `<https://elsewhere.example.com/?page=2>; rel="next"`)
		w.Header().Set("X-Next-Page", map[bool]string{true: strconv.Itoa(page + 1)}[page < 3])
		fmt.Fprintf(w, `[{"id":%d,"name":"tool","version":"1.%d.0","package_type":"generic"},{"id":9,"name":"toolbox","package_type":"generic"}]`, page, page)
	})
	found, err := c.Packages(t.Context(), "7", "", "")
	if err != nil || len(asked) != 3 {
		t.Fatal(asked, err)
	}
	var versions []string
	for _, p := range found {
		versions = append(versions, p.Version)
	}
	if diff := cmp.Diff([]string{"1.1.0", "", "1.2.0", "", "1.3.0", ""}, versions); diff != "" {
		t.Error(diff)
	}
}

// Files of one name are one file, the newest; names of files in directories
// are decoded.
func TestFiles(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `[{"id":1,"file_name":"a","size":1,"file_sha256":"x"},{"id":3,"file_name":"d%2Fe%20f","size":3},{"id":2,"file_name":"a","size":2,"file_sha256":null}]`)
	})
	files, err := c.Files(t.Context(), "7", 1)
	want := []client.File{{ID: 2, Path: "a", Size: 2, Older: []int64{1}}, {ID: 3, Path: "d/e f", Size: 3}}
	if diff := cmp.Diff(want, files); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// A tag is used where a server gives a strong one.
func TestVariableTags(t *testing.T) {
	for _, tag := range []string{`"r1"`, `W/"weak"`, ""} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				if want := map[bool]string{true: tag}[tag == `"r1"`]; r.Header.Get("If-Match") != want {
					t.Errorf("If-Match %q, want %q", r.Header.Get("If-Match"), want)
				}
			}
			w.Header().Set("ETag", tag)
			fmt.Fprint(w, `{"key":"V","value":"1.0.0"}`)
		})
		v, err := c.GetVariable(t.Context(), "7", "V")
		if err != nil || v.Value != "1.0.0" {
			t.Fatal(v, err)
		}
		if _, err := c.SetVariable(t.Context(), "7", v); err != nil {
			t.Error(err)
		}
	}
}

// A call that must not happen twice is not repeated when its answer is lost.
func TestOnce(t *testing.T) {
	var calls atomic.Int32
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		panic(http.ErrAbortHandler)
	})
	_, err := c.CreateJob(t.Context(), "7", client.JobSpec{})
	if client.KindOf(err) != client.Broken || calls.Load() != 1 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
	if _, err = c.User(t.Context()); client.KindOf(err) != client.Broken || calls.Load() != 1+client.DefaultAttempts {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = c.User(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
