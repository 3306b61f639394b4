package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// useAPI is what a page does with the API of another origin.
const useAPI = `(async () => {
	const ask = path => fetch(%[1]q + path, {headers: {"PRIVATE-TOKEN": %[2]q}})
	const file = await ask("/api/v4/projects/root%%2Fdemo/packages/generic/tool/1.0.0/f")
	const list = await ask("/api/v4/projects?per_page=1")
	const none = await ask("/api/v4/none")
	const outside = await fetch(%[1]q + "/-/liveness").then(() => "read", () => "not read")
	return {
		file: await file.text(), digest: file.headers.get("X-Checksum-SHA256"), total: list.headers.get("X-Total"),
		link: list.headers.get("Link"), status: none.status, none: await none.text(), outside: outside,
	}
})()`

// TestBrowser: the page of another origin downloads with a token, reads the
// headers of a list and the text of a refusal; what is no API stays closed to it.
func TestBrowser(t *testing.T) {
	url := startServer(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/api/v4/projects/root%2Fdemo/packages/generic/tool/1.0.0/f", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", ciToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%v, %v", resp, err)
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>elsewhere</title>")
	}))
	defer page.Close()
	p := newTab(t, page.URL)
	p.open("/")
	got := value(p, chromedp.Evaluate[map[string]any](fmt.Sprintf(useAPI, url, ciToken), chromedp.EvalAwaitPromise))
	list := "<" + url + "/api/v4/projects?page=1&per_page=1>"
	want := map[string]any{
		"file": "hello", "digest": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "total": "1",
		"link":   list + `; rel="first", ` + list + `; rel="last"`,
		"status": 404.0, "none": `{"error":"404 Not Found"}`, "outside": "not read",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
