package client_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"granary/internal/client"
)

// A redirect to another place is followed without the token, as an object store
// needs it; on the way back it is sent again.
func TestRedirectLosesToken(t *testing.T) {
	var api string
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/back" {
			http.Redirect(w, r, api+"/api/v4/final", http.StatusFound)
			return
		}
		for name, values := range r.Header {
			if strings.Contains(strings.Join(values, ""), "secret") {
				t.Errorf("the store got %s", name)
			}
		}
		fmt.Fprint(w, "bytes")
	}))
	defer store.Close()
	to := "/signed?X-Amz-Signature=x"
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Private-Token") != "secret" {
			t.Errorf("%s without a token", r.URL)
		}
		if r.URL.Path == "/api/v4/final" {
			fmt.Fprint(w, "bytes")
			return
		}
		http.Redirect(w, r, store.URL+to, http.StatusFound)
	})
	api = c.Server()
	for _, to = range []string{to, "/back"} {
		var got bytes.Buffer
		if _, err := c.Copy(t.Context(), file(), client.File{Size: -1}, &got, nil); err != nil || got.String() != "bytes" {
			t.Errorf("%q %v", got.String(), err)
		}
	}
}

// A redirect that leads nowhere ends a call at once, and does not tell a signature.
func TestRedirectToNowhere(t *testing.T) {
	for to, want := range map[string]string{
		"/circle?X-Amz-Signature=s3cr3t":            "10 redirects, the last to http://127.0.0.1",
		"ftp://files.example/x?s3cr3t":              "redirects to ftp://files.example/x, which is not an HTTP address",
		"http:///x?s3cr3t":                          "redirects to http:///x, which is not an HTTP address",
		"http://files.example:x/y?s3cr3t a\"s3cr3t": "redirects to http://files.example:x/y, which is not an HTTP address",
		"http://a:s3cr3t@files.example/%zz#s3cr3t":  "redirects to http://files.example/%zz, which is not an HTTP address",
	} {
		asked := 0
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			http.Redirect(w, r, to, http.StatusFound)
		})
		for _, call := range []func() error{
			func() error {
				_, err := c.Copy(t.Context(), file(), client.File{Size: -1}, io.Discard, nil)
				return err
			},
			func() error { _, err := c.User(t.Context()); return err },
		} {
			asked = 0
			err := call()
			if client.KindOf(err) != client.Refused || asked > 10 || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%s: asked %d times, %v", to, asked, err)
			}
		}
	}
}

// A token with what no header may have is refused before anybody is asked, and not
// shown.
func TestTokenOfOneLine(t *testing.T) {
	for _, token := range []string{"gnpat-a\nb", "gldt-a\r", "a\x00b", "a\x7f"} {
		_, err := client.New(client.Config{Server: "localhost", Credential: client.TokenOf(token)})
		if err == nil || !strings.Contains(err.Error(), "control character") || strings.Contains(err.Error(), "a\n") {
			t.Errorf("%q: %v", token, err)
		}
	}
}

// A redirected PUT is an error that says where to go, without a signature: net/http
// would make a GET of it, and that would look like success.
func TestPutIsNotRedirected(t *testing.T) {
	for to, want := range map[string]string{
		"https://elsewhere.example.com/?s3cr3t":      "moved to https://elsewhere.example.com/",
		"https://a:s3cr3t@elsewhere.example.com/x":   "moved to https://elsewhere.example.com/x",
		"https://elsewhere.example.com:port/?s3cr3t": "redirects to https://elsewhere.example.com:port/, which is not an HTTP address",
	} {
		calls := 0
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			calls++
			http.Redirect(w, r, to, http.StatusMovedPermanently)
		})
		_, err := c.Publish(t.Context(), upload([]byte("x")))
		if client.KindOf(err) != client.Refused || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") || calls != 1 {
			t.Errorf("%s: %d calls, %v", to, calls, err)
		}
	}
}
