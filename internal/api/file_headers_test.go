package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestEveryFileIsInASandbox walks all doors: whichever leads to the bytes of a user's
// file, at once or by a redirect, tells the browser to save it and to run nothing in it.
func TestEveryFileIsInASandbox(t *testing.T) { onEachStore(t, testEveryFileIsInASandbox) }

func testEveryFileIsInASandbox(t *testing.T, s *server) {
	const body = "<script>alert(1)</script>"
	wants := []string{"X-Content-Type-Options: nosniff", "Content-Security-Policy: sandbox; default-src 'none'"}
	project := s.projectID(s.project("tool", "private"))
	group := itoa(s.group("acme", 0))
	at := generic(project, "tool/1.0.0/f")
	s.root("PUT", at, body).is(t, 201, created)
	up := s.upload(rootToken, project, "f", []byte(body)).must(t, 201)
	s.exec(`UPDATE uploads SET secret = $1`, strings.Repeat("0", 32)) // where addresses looks for it
	s.release(project, map[string]any{"assets": map[string]any{"links": []map[string]any{
		{"name": "f", "url": s.url + at, "direct_asset_path": "/f"},
		{"name": "up", "url": s.url + "/root/tool/uploads/" + strings.Repeat("0", 32) + "/f", "direct_asset_path": "/up"},
	}}})
	served := map[string]bool{}
	for _, d := range s.addresses(project, group) {
		if d.Method != http.MethodGet {
			continue
		}
		path := strings.Replace(d.at, "/uploads/1", "/uploads/"+id(up), 1)
		if to, ok := strings.CutPrefix(s.stay("GET", path, "PRIVATE-TOKEN: "+rootToken).Header.Get("Location"), s.url); ok {
			path = to
		}
		got := s.root("GET", path, nil)
		if !strings.Contains(got.body, "<script>") {
			continue
		}
		served[d.Path] = true
		if s.redirected { // the answer is the store's own; ours led to it
			answer{s.stay("GET", path, "PRIVATE-TOKEN: "+rootToken), ""}.header(t, wants...)
			got.is(t, 200, body)
		} else {
			got.header(t, wants...).is(t, 200, body)
			s.do("GET", path, nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=1-6").header(t, wants...).is(t, 206, "script")
			s.do("GET", path, nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=0-1,5-6").header(t, wants...).status(t, 206)
		}
		s.do("HEAD", path, nil, "PRIVATE-TOKEN: "+rootToken).header(t, wants...).is(t, 200, "")
		if !strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment; ") || got.Header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%s: %q, %q", d.Path, got.Header.Get("Content-Disposition"), got.Header.Get("Content-Type"))
		}
	}
	for _, path := range []string{
		v4 + "/projects/{id}/packages/generic/{name}/{version}/{file...}",
		v4 + "/projects/{id}/packages/{package_id}/package_files/{package_file_id}/download",
		v4 + "/projects/{id}/uploads/{upload_id}", v4 + "/projects/{id}/uploads/{secret}/{filename}",
		v4 + "/projects/{id}/releases/{tag}/downloads/{path...}",
		"/{project...}/-/releases/{tag}/downloads/{path...}",
		"/{project...}/-/package_files/{package_file_id}/download",
		"/{project...}/uploads/{secret}/{file}", "/-/project/{id}/uploads/{secret}/{file}",
	} {
		if !served[path] {
			t.Errorf("no file came from %s: this test has not looked at it", path)
		}
	}
	t.Logf("%d doors", len(served))
}
