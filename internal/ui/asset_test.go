package ui

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
)

func TestAssets(t *testing.T) {
	a, err := newAssets("/below")
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{
		"granary.css": "text/css; charset=utf-8", "granary.js": "text/javascript; charset=utf-8",
		"hasher.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		want, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		at, err := a.path(name)
		if err != nil || !regexp.MustCompile(`^/below/-/assets/[a-z]+\.[0-9a-f]{12}\.(css|js|svg)$`).MatchString(at) {
			t.Errorf("%s: %s, %v", name, at, err)
		}
		for accept, encoding := range map[string]string{
			"": "", "gzip, br": "gzip", "br;q=1, GZIP ; q=0.5": "gzip", "gzip;q=0": "", "xgzip": "", "gzip;q=x": "",
		} {
			r := httptest.NewRequest(http.MethodGet, at, nil)
			r.Header.Set("Accept-Encoding", accept)
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			var body io.Reader = w.Body
			if h := w.Header(); w.Code != http.StatusOK || h.Get("Content-Type") != kind || h.Get("Content-Encoding") != encoding ||
				h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("Vary") != "Accept-Encoding" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s, %q: %d %v", name, accept, w.Code, h)
			}
			if encoding == "gzip" {
				if body, err = gzip.NewReader(body); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %q: other bytes, %v", name, accept, err)
			}
		}
	}
	for _, at := range []string{"/-/assets/granary.000000000000.css", "/-/assets/granary.css", "/-/assets/", "/-/assets/../ui.go"} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodGet, at, nil))
		if w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "" {
			t.Errorf("%s: %d %v", at, w.Code, w.Header())
		}
	}
	if at, err := a.path("none.css"); err == nil {
		t.Errorf("a name that is not there: %s", at)
	}
}
