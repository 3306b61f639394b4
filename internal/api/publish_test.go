package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestBodyIsStoredVerbatim: whatever the Content-Type says and however the body
// is framed, the body is the file (contract generic-packages 0.2).
func TestBodyIsStoredVerbatim(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	multipart := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nhello\r\n--b--\r\n"
	large := strings.Repeat("0123456789abcdef", 4096) // beyond what rides with its record
	n := 0
	for _, body := range []string{"", "hello", multipart, "path=evil&status=hidden&private_token=x", `{"status":"hidden"}`, "\x00\xff\r\n\r\n", large} {
		for _, kind := range []string{"", "application/octet-stream", "text/plain", "application/json", "application/x-www-form-urlencoded",
			"multipart/form-data; boundary=b", "multipart/form-data", "no type at all;;"} {
			n++
			file := generic(p, fmt.Sprintf("tool/1.0.%d/f", n))
			header := []string{"PRIVATE-TOKEN: " + rootToken}
			if kind != "" {
				header = append(header, "Content-Type: "+kind)
			}
			reader := io.Reader(strings.NewReader(body))
			if n%2 == 0 {
				reader = unsized(body)
			}
			s.do("PUT", file, reader, header...).header(t, "Content-Type: application/json", "Location:").is(t, 201, created)
			s.root("GET", file, nil).is(t, 200, body)
		}
	}
	if hidden := ask[int](s, `SELECT COUNT(*) FROM packages WHERE status <> 'default'`); hidden != 0 {
		t.Errorf("%d packages took their status from the body", hidden)
	}
}

// TestNoBodyAtAll: a PUT without framing is an empty file.
func TestNoBodyAtAll(t *testing.T) {
	s := newServer(t)
	file := generic(s.project("tool", "private"), "tool/1.0.0/empty")
	s.raw("PUT "+file+"?select=package_file HTTP/1.1\r\nHost: x\r\nPrivate-Token: "+rootToken+"\r\n\r\n").must(t, 200)
	s.root("GET", file, nil).header(t, "Content-Length: 0",
		"X-Checksum-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855").is(t, 200, "")
}

// TestExpectContinue: whoever asks first is asked for the body only when it is
// wanted (design, section 5).
func TestExpectContinue(t *testing.T) {
	s := newServer(t)
	p, public := s.project("tool", "private"), s.project("public", "public")
	_, stranger := s.user("stranger")
	request := func(path, length string, headers ...string) (net.Conn, *bufio.Reader) {
		conn := s.dial()
		lines := append([]string{"PUT " + path + " HTTP/1.1", "Host: x", length, "Expect: 100-continue"}, headers...)
		if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return conn, bufio.NewReader(conn)
	}
	file := generic(p, "tool/1.0.0/f")
	root, size := "Private-Token: "+rootToken, "Content-Length: 5"
	for _, length := range []string{size, "Transfer-Encoding: chunked"} {
		conn, r := request(file, length, root)
		line, err := r.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
			t.Fatalf("%q, %v", line, err)
		}
		_, _ = r.ReadString('\n')
		body := "hello"
		if length != size {
			body = "5\r\nhello\r\n0\r\n\r\n"
		}
		_, _ = io.WriteString(conn, body)
		readAnswer(t, r, "PUT").is(t, 201, created)
	}
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"generic_duplicates_allowed": false}).must(t, 200)
	for _, tc := range []struct {
		name, path, length, header string
		status                     int
		body                       string
	}{
		{"no credentials", file, size, "X: y", 401, unauthorized},
		{"unknown token", file, size, "Private-Token: nonsense", 401, unauthorized},
		{"may not", generic(public, "tool/1.0.0/f"), size, "Private-Token: " + stranger, 403, forbidden},
		{"cannot see", file, size, "Private-Token: " + stranger, 404, notFound},
		{"too large", generic(p, "tool/1.0.0/g"), "Content-Length: 1048577", root, 400, `{"message":"400 Bad request - File is too large"}`},
		{"duplicate", file, size, root, 400, `{"message":"400 Bad request - Duplicate package is not allowed"}`},
		{"bad status", file + "?status=error", size, root, 400, `{"error":"status does not have a valid value"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, r := request(tc.path, tc.length, tc.header)
			readAnswer(t, r, "PUT").is(t, tc.status, tc.body)
		})
	}
}

// TestPartsAreNoFiles: a part of a file does not become the whole (RFC 9110 14.5).
func TestPartsAreNoFiles(t *testing.T) {
	s := newServer(t)
	file := generic(s.project("tool", "private"), "tool/1.0.0/f")
	s.root("PUT", file, "whole").is(t, 201, created)
	for _, part := range []string{"bytes 2-4/5", "bytes 10-8/9", "nonsense"} {
		s.do("PUT", file, strings.NewReader("ole"), "PRIVATE-TOKEN: "+rootToken, "Content-Range: "+part).
			is(t, 400, `{"message":"400 Bad request - Content-Range is not supported, send the whole file"}`)
	}
	s.root("GET", file, nil).is(t, 200, "whole")
	wantValue(t, "files", s.count("package_files"), 1)
}

// TestBodyCutShort: nothing is stored and nothing is visible, not even the
// package.
func TestBodyCutShort(t *testing.T) {
	s := newServer(t)
	file := generic(s.project("tool", "private"), "tool/1.0.0/f")
	head := "PUT " + file + " HTTP/1.1\r\nHost: x\r\nPrivate-Token: " + rootToken + "\r\n"
	big := strings.Repeat("x", 100_000)
	for name, request := range map[string]string{
		"small, counted":  head + "Content-Length: 10\r\n\r\nhello",
		"large, counted":  head + "Content-Length: 200000\r\n\r\n" + big,
		"none, counted":   head + "Content-Length: 10\r\n\r\n",
		"small, in parts": head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"large, in parts": head + "Transfer-Encoding: chunked\r\n\r\n186a0\r\n" + big + "\r\n",
		"inside a part":   head + "Transfer-Encoding: chunked\r\n\r\na\r\nhello",
		"broken framing":  head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial().(*net.TCPConn)
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got := readAnswer(t, bufio.NewReader(conn), "PUT")
			if got.StatusCode != 400 || !strings.HasPrefix(got.body, `{"message":"400 Bad request - `) {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
		})
	}
	for _, table := range []string{"packages", "package_files", "blobs"} {
		if n := s.count(table); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	for info, err := range s.registry.Blobs.List(t.Context(), "") {
		t.Errorf("blob %v is left, %v", info, err)
	}
	s.root("GET", file, nil).is(t, 404, noRow)
	s.root("PUT", file, "whole").is(t, 201, created)
}

// TestPackageFileRow is contract generic-packages 2.3: GitLab's whole row, its
// keys in GitLab's order.
func TestPackageFileRow(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	got := s.root("PUT", generic(p, "tool/1.0.0/f.txt?select=package_file"), "hello")
	row := got.header(t, "Content-Type: application/json", "Location:").must(t, 200)
	var keys []string
	dec := json.NewDecoder(strings.NewReader(got.body))
	for depth := 0; ; {
		token, err := dec.Token()
		if err != nil {
			break
		}
		switch v := token.(type) {
		case json.Delim:
			depth += map[json.Delim]int{'{': 1, '}': -1}[v]
		case string:
			if depth == 1 && (len(keys) == 0 || keys[len(keys)-1] != "skip") {
				keys = append(keys, v, "skip")
				continue
			}
		}
		if len(keys) > 0 && keys[len(keys)-1] == "skip" && depth == 1 {
			keys = keys[:len(keys)-1]
		}
	}
	want := "id package_id created_at updated_at size file_store file_md5 file_sha1 file_name file file_sha256 verification_retry_at " +
		"verified_at verification_failure verification_retry_count verification_checksum verification_state verification_started_at " +
		"status file_final_path project_id new_file_path"
	if strings.Join(keys, " ") != want {
		t.Errorf("keys\n got %s\nwant %s", strings.Join(keys, " "), want)
	}
	for key, value := range row {
		switch key {
		case "id", "package_id", "project_id", "size", "file_store":
			if n, ok := value.(float64); !ok || n < 1 {
				t.Errorf("%s: %v", key, value)
			}
		case "created_at", "updated_at":
			if _, err := time.Parse("2006-01-02T15:04:05.000Z", value.(string)); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		case "file_name":
			wantValue(t, key, value, "f.txt")
		case "file_sha256":
			wantValue(t, key, value, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
		case "status":
			wantValue(t, key, value, "default")
		case "verification_state":
			wantValue(t, key, value, 0.0)
		case "file":
			link := value.(map[string]any)["url"].(string)
			s.do("GET", strings.TrimPrefix(link, s.url), nil).is(t, 200, "hello")
		default:
			wantValue(t, key, value, nil)
		}
	}
	s.root("PUT", generic(p, "tool/1.0.0/f.txt?select=other"), "x").is(t, 400, `{"error":"select does not have a valid value"}`)
	s.root("PUT", generic(p, "tool/1.0.0/f.txt?unknown=x&select="), "x").is(t, 201, created)
}

func wantValue(t *testing.T, key string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", key, got, want)
	}
}

// TestStatus: a status is the whole package's; without one an existing package
// keeps its own (contract generic-packages 2.4, 3.1).
func TestStatus(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	file := generic(p, "tool/1.0.0/f")
	status := func() string {
		return ask[string](s, `SELECT status FROM packages WHERE name = 'tool' ORDER BY id DESC LIMIT 1`)
	}
	for _, step := range []struct{ query, want string }{
		{"", "default"}, {"?status=hidden", "hidden"}, {"", "hidden"}, {"?status=default", "default"}, {"?status=", "default"},
	} {
		s.root("PUT", file+step.query, step.query).is(t, 201, created)
		wantValue(t, "status after "+step.query, status(), step.want)
		s.root("GET", file, nil).is(t, 200, step.query) // a hidden one can be installed
	}
	for _, bad := range []string{"error", "processing", "deprecated", "pending_destruction", "Default", "x"} {
		s.root("PUT", file+"?status="+bad, "x").is(t, 400, `{"error":"status does not have a valid value"}`)
	}
	s.root("PUT", file+"?status=x&select=y", "x").is(t, 400, `{"error":"status does not have a valid value, select does not have a valid value"}`)

	// Only installable packages are found; one to be destroyed does not count,
	// so that the next publish makes another.
	for _, tc := range []struct {
		status string
		code   int
	}{{"deprecated", 200}, {"error", 404}, {"processing", 404}, {"pending_destruction", 404}} {
		other := generic(p, "in-"+strings.ReplaceAll(tc.status, "_", "-")+"/1.0.0/f")
		s.root("PUT", other, "old").is(t, 201, created)
		s.exec(`UPDATE packages SET status = $1 WHERE name = $2`, tc.status, "in-"+strings.ReplaceAll(tc.status, "_", "-"))
		got := s.root("GET", other, nil)
		if got.must(t, tc.code); tc.code == 404 {
			got.is(t, 404, noRow)
		}
	}
	s.root("PUT", generic(p, "in-pending-destruction/1.0.0/g"), "new").is(t, 201, created)
	s.root("GET", generic(p, "in-pending-destruction/1.0.0/f"), nil).is(t, 404, noRow)
	wantValue(t, "packages", ask[int](s, `SELECT COUNT(*) FROM packages WHERE name = 'in-pending-destruction'`), 2)
}

// TestRepublish: a file published again is added, and the newest is served.
func TestRepublish(t *testing.T) {
	s := newServer(t)
	file := generic(s.project("tool", "private"), "tool/1.0.0/f")
	large := strings.Repeat("x", 20_000)
	for _, body := range []string{"one", "two", large, "one", ""} {
		s.root("PUT", file, body).is(t, 201, created)
		s.root("GET", file, nil).is(t, 200, body)
	}
	wantValue(t, "package files", s.count("package_files"), 5)
	wantValue(t, "packages", s.count("packages"), 1)
	s.exec(`UPDATE package_files SET status = 'pending_destruction' WHERE id = (SELECT MAX(id) FROM package_files)`)
	s.root("PUT", file+"-other?status=default", "forget what was remembered").is(t, 201, created)
	s.root("GET", file, nil).is(t, 200, "one")
}

// TestParallelPublishes: all of many publishers of one new version succeed and
// share one package, of one file name too (contract generic-packages 2.7).
func TestParallelPublishes(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	for name, file := range map[string]func(int) string{
		"many": func(i int) string { return fmt.Sprint("f", i) },
		"same": func(int) string { return "f" },
	} {
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				body := strings.Repeat(fmt.Sprint(i), 1+i*200) // small and large
				req, err := http.NewRequest("PUT", s.url+generic(p, name+"/1.0.0/"+file(i)), strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Private-Token", rootToken)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if text, err := io.ReadAll(resp.Body); resp.StatusCode != 201 || string(text) != created || err != nil {
					t.Errorf("%s %d: %d %s %v", name, i, resp.StatusCode, text, err)
				}
			})
		}
		wg.Wait()
		wantValue(t, "packages", ask[int](s, `SELECT COUNT(*) FROM packages WHERE name = $1`, name), 1)
		wantValue(t, "files", ask[int](s, `SELECT COUNT(*) FROM package_files f JOIN packages p ON p.id = f.package_id WHERE p.name = $1`, name), 32)
	}
}
