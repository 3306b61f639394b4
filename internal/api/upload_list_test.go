package api_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/registry"
)

// TestUploadsAreListed: the newest first, a page at a time, with who sent them.
func TestUploadsAreListed(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	ada, guest := s.user("ada")
	s.member(p, ada, 10)
	at := v4 + "/projects/" + p + "/uploads"
	s.root("GET", at, nil).is(t, 200, "[]")
	s.upload(rootToken, p, "one.txt", []byte("1")).must(t, 201)
	s.upload(guest, p, "two.txt", []byte("22")).must(t, 201)
	s.upload(guest, s.project("other", "public"), "x", nil).status(t, 403)
	made := s.upload(rootToken, p, "three.txt", nil).must(t, 201)

	got := s.root("GET", at, nil).header(t, "X-Total: 3", "X-Page: 1")
	if names := got.column(t, "filename"); names != "three.txt two.txt one.txt" {
		t.Errorf("listed are %s", names)
	}
	row := got.list(t)[1]
	fields(t, row, map[string]string{"size": "2", "uploaded_by": fmt.Sprintf("map[id:%d name:ada username:ada]", ada)})
	has(t, row, "id", "created_at")
	if id(got.list(t)[0]) != id(made) {
		t.Errorf("ids %v and %v", got.list(t)[0], made)
	}
	second := s.root("GET", at+"?per_page=1&page=2", nil).header(t, "X-Total: 3", "X-Next-Page: 3", "X-Prev-Page: 1")
	if second.column(t, "filename") != "two.txt" {
		t.Errorf("page 2 has %s", second.body)
	}
	s.root("GET", at+"?per_page=0", nil).must(t, 400)
}

// TestUploadsByTheAPI: what is downloaded and deleted, by id and by address, and by
// whom.
func TestUploadsByTheAPI(t *testing.T) {
	s := newServer(t)
	for _, visibility := range []string{"private", "public"} {
		p := s.project(visibility, visibility)
		at := v4 + "/projects/" + p + "/uploads"
		tokens := map[string]string{}
		for name, role := range map[string]int{"guest": 10, "developer": 30, "maintainer": 40} {
			user, token := s.user(visibility + name)
			s.member(p, user, role)
			tokens[name] = token
		}
		_, tokens["stranger"] = s.user(visibility + "stranger")
		hidden := map[string]int{"private": 404, "public": 403}[visibility]
		for _, tc := range []struct {
			who                       string
			list, byID, fetch, remove int
		}{
			{"guest", 403, 403, 200, 403}, {"developer", 403, 403, 200, 403}, {"maintainer", 200, 200, 200, 204},
			{"stranger", hidden, hidden, hidden, hidden}, {"", 401, 401, 401, 401},
		} {
			for _, size := range []int{0, 5, 100 << 10} { // in the database, and in the store
				content := bytes.Repeat([]byte("x"), size)
				made := s.upload(rootToken, p, "notes.html", content).must(t, 201)
				address := v4 + "/projects/" + p + made["url"].(string)
				s.as(tokens[tc.who], "GET", at, nil).status(t, tc.list)
				s.as(tokens[tc.who], "GET", at+"/"+id(made), nil).status(t, tc.byID)
				got := s.as(tokens[tc.who], "GET", address, nil)
				got.status(t, tc.fetch)
				if got.StatusCode == 200 && got.body != string(content) {
					t.Errorf("%d bytes of %d", len(got.body), size)
				}
				s.as(tokens[tc.who], "DELETE", at+"/"+id(made), nil).status(t, tc.remove)
				if tc.remove == 204 {
					for _, gone := range []string{address, at + "/" + id(made), made["full_path"].(string)} {
						s.root("GET", gone, nil).must(t, 404)
					}
					made = s.upload(rootToken, p, "notes.html", content).must(t, 201)
					address = v4 + "/projects/" + p + made["url"].(string)
				}
				s.as(tokens[tc.who], "DELETE", address, nil).status(t, tc.remove)
			}
		}
	}
}

// TestUploadRoutes: headers as of any file, and what leads nowhere.
func TestUploadRoutes(t *testing.T) {
	s := newServer(t)
	p, other := s.project("tool", "public"), s.project("other", "public")
	made := s.upload(rootToken, p, "notes.html", []byte("hello")).must(t, 201)
	byID, address := "/uploads/"+id(made), made["url"].(string)
	for _, at := range []string{byID, address} {
		path := v4 + "/projects/" + p + at
		got := s.root("GET", path, nil).header(t, "Content-Type: application/octet-stream", "X-Content-Type-Options: nosniff",
			`Content-Disposition: attachment; filename="notes.html"; filename*=UTF-8''notes.html`)
		got.is(t, 200, "hello")
		tag := got.Header.Get("ETag")
		credential := "PRIVATE-TOKEN: " + rootToken
		s.do("GET", path, nil, credential, "Range: bytes=1-2").is(t, 206, "el")
		s.do("GET", path, nil, credential, "Range: bytes=9-").must(t, 416)
		s.do("GET", path, nil, credential, "If-None-Match: "+tag).is(t, 304, "")
		s.do("GET", path, nil, credential, `If-Match: "other"`).must(t, 412)
		s.root("HEAD", path, nil).header(t, "Content-Length: 5").is(t, 200, "")
		elsewhere := v4 + "/projects/" + other + at
		s.root("GET", elsewhere, nil).is(t, 404, noRow)
		s.root("DELETE", elsewhere, nil).is(t, 404, noRow)
		s.root("PUT", path, nil).must(t, 405)
	}
	for _, path := range []string{"/uploads/99", "/uploads/" + strings.Repeat("0", 32) + "/notes.html", address + "x"} {
		s.root("GET", v4+"/projects/"+p+path, nil).is(t, 404, noRow)
		s.root("DELETE", v4+"/projects/"+p+path, nil).is(t, 404, noRow)
	}
	for _, path := range []string{"/uploads/x", "/uploads/0", "/uploads/99999999999999999999"} {
		s.root("GET", v4+"/projects/"+p+path, nil).must(t, 400)
		s.root("DELETE", v4+"/projects/"+p+path, nil).must(t, 400)
	}
	s.root("PUT", v4+"/projects/"+p, map[string]any{"path": "moved"}).must(t, 200)
	if got := s.root("GET", v4+"/projects/"+p+byID, nil); got.StatusCode != 301 || !strings.HasSuffix(got.Header.Get("Location"), v4+"/projects/1"+byID) {
		t.Errorf("an old path: %d to %s", got.StatusCode, got.Header.Get("Location"))
	}
	s.root("DELETE", v4+"/projects/"+p+byID, nil).must(t, 405)
	s.root("POST", v4+"/projects/1/archive", nil).must(t, 201)
	s.root("DELETE", v4+"/projects/1"+byID, nil).must(t, 403)
	s.root("GET", v4+"/projects/1"+byID, nil).is(t, 200, "hello")
}

// TestDeletedUploadsAreSwept: the bytes go with the sweep, once nothing refers to
// them; two who delete at once count them off once.
func TestDeletedUploadsAreSwept(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	large := bytes.Repeat([]byte("x"), 100<<10)
	first := s.upload(rootToken, p, "a", large).must(t, 201)
	second := s.upload(rootToken, p, "b", large).must(t, 201)
	small := s.upload(rootToken, p, "c", []byte("small")).must(t, 201)
	s.root("PUT", generic(p, "tool/1.0.0/f"), large).is(t, 201, created)

	remove := func(upload map[string]any) {
		t.Helper()
		var all sync.WaitGroup
		codes := make(chan int, 4)
		for i := range 4 {
			at := map[bool]string{true: "/uploads/" + id(upload), false: upload["url"].(string)}[i%2 == 0]
			all.Go(func() { codes <- s.root("DELETE", v4+"/projects/"+p+at, nil).StatusCode })
		}
		all.Wait()
		close(codes)
		found := map[int]int{}
		for code := range codes {
			found[code]++
		}
		if found[204] != 1 || found[404] != 3 {
			t.Errorf("answers %v", found)
		}
	}
	sweep := func(want int) {
		t.Helper()
		defer func() { s.skew = 0 }()
		for _, want := range []int{0, want} { // a day after the records went
			if n, err := s.registry.Sweep(t.Context(), registry.Grace); n.Blobs != want || err != nil {
				t.Errorf("swept %+v, %v, want %d", n, err, want)
			}
			s.skew = registry.Grace + time.Hour
		}
	}
	remove(first)
	sweep(0)
	s.root("GET", second["full_path"].(string), nil).is(t, 200, string(large))
	remove(second)
	remove(small)
	sweep(1) // the small one
	s.root("GET", generic(p, "tool/1.0.0/f"), nil).is(t, 200, string(large))
	wantValue(t, "what counts", ask[int](s, `SELECT SUM(files) FROM blobs`), 1)
	s.root("DELETE", v4+"/projects/"+p+"/packages/1", nil).must(t, 204)
	sweep(1)
	wantValue(t, "blobs", s.count("blobs"), 0)
}

// TestGitLabClientKeepsUploads is GitLab's own client at these routes.
func TestGitLabClientKeepsUploads(t *testing.T) {
	s := newServer(t)
	s.project("tool", "private")
	uploads := gitlabClient(t, s, rootToken).ProjectMarkdownUploads
	for _, by := range []string{"id", "address"} {
		made, resp, err := uploads.UploadProjectMarkdown("root/tool", strings.NewReader("hello"), "notes.txt")
		status(t, "upload", resp, err, 201)
		listed, resp, err := uploads.ListProjectMarkdownUploads("root/tool")
		status(t, "list", resp, err, 200)
		if len(listed) != 1 || listed[0].ID != made.ID || listed[0].Size != 5 || listed[0].UploadedBy.Username != "root" || listed[0].CreatedAt == nil {
			t.Fatalf("listed %+v", listed)
		}
		secret := strings.Split(made.URL, "/")[2]
		body, resp, err := uploads.DownloadProjectMarkdownUploadByID("root/tool", made.ID)
		if by == "address" {
			body, resp, err = uploads.DownloadProjectMarkdownUploadBySecretAndFilename("root/tool", secret, "notes.txt")
		}
		status(t, "download by "+by, resp, err, 200)
		if text, err := io.ReadAll(body); string(text) != "hello" || err != nil {
			t.Errorf("downloaded %q, %v", text, err)
		}
		if by == "address" {
			resp, err = uploads.DeleteProjectMarkdownUploadBySecretAndFilename("root/tool", secret, "notes.txt")
		} else {
			resp, err = uploads.DeleteProjectMarkdownUploadByID("root/tool", made.ID)
		}
		status(t, "delete by "+by, resp, err, 204)
	}
}
