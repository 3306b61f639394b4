package ui_test

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"

	"granary/internal/metadb/metadbtest"
)

// TestDatabaseFails: whichever query of a page fails, the page says so and when to try
// again. Only the README is left out.
func TestDatabaseFails(t *testing.T) {
	s := newSite(t)
	queries := countReads(t, s.db)
	o := newTour(s)
	b := o.as("admin")
	o.grow(b, 0)
	for _, address := range o.lists() {
		b.get(address).wants(t, 200)
		before := queries.Load()
		b.get(address).wants(t, 200)
		need, failed := queries.Load()-before, 0
		for k := range need {
			queries.fails.Store(queries.Load() + k + 1)
			got := b.get(address)
			queries.fails.Store(0)
			if got.StatusCode == http.StatusOK && (metadbtest.Wanted() || strings.Contains(address, "/generic/sonde/") || strings.Contains(address, "/generic/many/")) {
				continue
			}
			failed++
			got.unavailable(t)
		}
		if need > 0 && failed == 0 {
			t.Errorf("%s shows everything though a query failed", address)
		}
	}
}

// unavailable checks the page of a database that does not answer.
func (a answer) unavailable(t *testing.T) {
	t.Helper()
	a.wants(t, http.StatusServiceUnavailable, "The database cannot be reached. Nothing was changed.")
	if a.Header.Get("Retry-After") == "" {
		t.Errorf("%s: no Retry-After", a.Request.URL)
	}
}

// TestFormsWithoutDatabase: a form that is sent while the database is away changes
// nothing.
func TestFormsWithoutDatabase(t *testing.T) {
	s := newSite(t)
	queries := countReads(t, s.db)
	o := newTour(s)
	b := o.as("admin")
	posts := o.crawl(t, "admin", b).posts
	delete(posts, "POST /-/admin/features/{name}") // it only writes, which works
	before := o.events()
	queries.fails.Store(-1)
	for _, pattern := range sorted(posts) {
		f := posts[pattern][0]
		body, kind := f.filled().body(t)
		b.do(http.MethodPost, o.absolute(f.page, f.action), kind, body).unavailable(t)
	}
	o.nobody().post("/-/sign_in", "token", "gnpat-unknown").unavailable(t)
	queries.fails.Store(0)
	if after := o.events(); after != before {
		t.Errorf("%d events, before %d", after, before)
	}
}

// TestReadmeWithoutStore: a version is shown without its README if the store is broken.
func TestReadmeWithoutStore(t *testing.T) {
	s := newSite(t)
	s.acme()
	s.publish("acme/tools", "large", "1.0.0", "README.md", "# Large\n\n"+strings.Repeat("A long text. ", 1000))
	b := s.as("guest")
	const at = "/acme/tools/-/packages/generic/large/1.0.0"
	b.get(at).wants(t, 200, "A long text.")
	if err := os.RemoveAll(s.store); err != nil {
		t.Fatal(err)
	}
	b.get(at).wants(t, 200, "README.md", "SHA256SUMS").lacks(t, "A long text.")
}

// TestUploadBreaks: a file whose sender goes away in the middle is not published.
func TestUploadBreaks(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("developer")
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for name, value := range map[string]string{"name": "broken", "version": "1.0.0"} {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.CreateFormFile("file", "f"); err != nil {
		t.Fatal(err)
	}
	for method, at := range map[string]string{http.MethodPut: "/acme/tools/-/packages/generic/broken/1.0.0/f", http.MethodPost: "/acme/tools/-/packages/new"} {
		body := strings.NewReader(strings.Repeat("half ", 20_000))
		sent := io.MultiReader(body, broken{})
		if method == http.MethodPost {
			sent = io.MultiReader(bytes.NewReader(form.Bytes()), sent)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+at, sent)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = 1 << 19
		req.Header.Set("Content-Type", w.FormDataContentType())
		if resp, err := b.Do(req); err == nil {
			t.Errorf("%s: %d", method, resp.StatusCode)
			_ = resp.Body.Close()
		}
	}
	b.get("/acme/tools/-/packages/generic/broken").wants(t, 404)
	b.get("/acme/tools/-/packages/generic/broken/1.0.0").wants(t, 404)
}

// broken is a body that breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the sender is gone") }
