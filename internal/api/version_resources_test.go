package api_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestVersionJSON: the shape of a version, and of the versions of a name, to the byte.
func TestVersionJSON(t *testing.T) {
	s := newServer(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	s.registry.Now = func() time.Time { return at }
	p := s.projectID(s.relaxed("tool"))
	s.root("PUT", generic(p, "a+b/1.0%2Bc/d%20e/f~g"), "x").is(t, 201, created)
	s.root("PUT", generic(p, "a+b/1.0%2Bc/a"), "yy").is(t, 201, created)
	s.root("PUT", generic(p, "a+b/@stable"), map[string]any{"version": "1.0+c"}).must(t, 201)
	s.edit(p, "a+b/1.0%2Bc", map[string]any{"yanked": true, "reason": "le\"aks", "deprecated": "use <2>"})
	base := s.url + v4 + "/projects/" + p + "/packages/generic/a%2Bb"
	version := `"name":"a+b","version":"1.0+c","project_id":` + p + `,"package_id":1,"status":"deprecated","created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z",` +
		`"final_at":null,"expires_at":null,"manifest_sha256":null,"yanked":true,"yank_reason":"le\"aks","deprecated":"use <2>","channels":["stable"],"by":{"user_id":1,"username":"root"},"pipeline":null,"url":"` + base + `/1.0%2Bc"`
	s.root("GET", generic(p, "a+b/1.0%2Bc"), nil).header(t, "Content-Type: application/json").is(t, 200, `{`+version+`,"size":3,"files_count":2,"links":{"sums":"`+base+`/1.0%2Bc/@SHA256SUMS","tar":"`+base+`/1.0%2Bc/@all.tar","zip":"`+base+`/1.0%2Bc/@all.zip","tar_zst":"`+base+`/1.0%2Bc/@all.tar.zst"},`+
		`"files":[{"path":"a","size":2,"sha256":"ef90d9c1ec76b1edc9edfaf2c0c05359c10ccc49ae8ecf7b7fd25ce9c02e86a4","url":"`+base+`/1.0%2Bc/a"},`+
		`{"path":"d e/f~g","size":1,"sha256":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881","url":"`+base+`/1.0%2Bc/d%20e/f~g"}]}`)
	s.root("GET", generic(p, "a%2Bb"), nil).is(t, 200, `{"name":"a+b","project_id":`+p+`,"channels":[{"name":"stable","version":"1.0+c","moved_at":"2026-01-02T03:04:05.678Z","url":"`+base+`/@stable"}],"versions":[{`+version+`}]}`)
	for _, link := range []string{base + "/1.0%2Bc", base + "/1.0%2Bc/a", base + "/1.0%2Bc/d%20e/f~g", base + "/1.0%2Bc/@all.tar"} { // each leads where it says
		s.root("GET", strings.TrimPrefix(link, s.url), nil).status(t, 200)
	}
	for _, rest := range []string{"none", "none/1.0.0", "a+b/9"} {
		s.root("GET", generic(p, rest), nil).starts(t, 404, "404 Not Found - there is no ")
	}
	s.root("GET", generic(p, "a~b"), nil).starts(t, 400, "package_name is invalid")
	s.root("GET", generic(p, "a+b/"), nil).status(t, 404)
	s.root("PUT", generic(p, "a+b/1.0%2Bc/"), "x").status(t, 404)
}

// TestPagesOfVersions: pages follow each other in true order, whatever goes or comes
// between them.
func TestPagesOfVersions(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "private"))
	s.versionsIn(p, "app", "0.0.1")
	s.rows(250, `INSERT INTO packages (id, project_id, name, version, status, created_at, updated_at) VALUES ($1, `+p+`, 'app', $2, 'default', 1, 1)`,
		func(i int) []any { return []any{1000 + i, fmt.Sprintf("1.%d.%d", i%16, i)} })
	if n, err := s.db.KeyVersions(t.Context(), 1000); n != 250 || err != nil {
		t.Fatal(n, err)
	}
	pages := func(between func(last string)) (all []string) {
		t.Helper()
		next := generic(p, "app")
		for next != "" && len(all) < 1000 {
			got := s.root("GET", next, nil)
			var page struct{ Versions []struct{ Version string } }
			if err := json.Unmarshal([]byte(got.body), &page); err != nil || len(page.Versions) > 100 {
				t.Fatal(err, len(page.Versions))
			}
			for _, v := range page.Versions {
				all = append(all, v.Version)
			}
			next = ""
			if m := regexp.MustCompile(`<([^>]*)>; rel="next"`).FindStringSubmatch(got.Header.Get("Link")); m != nil {
				next = strings.TrimPrefix(m[1], s.url)
				between(all[len(all)-1])
			}
		}
		return all
	}
	whole := pages(func(string) {})
	inOrder := func(a, b string) int {
		var x, y [3]int
		_, _ = fmt.Sscanf(a, "%d.%d.%d", &x[0], &x[1], &x[2])
		_, _ = fmt.Sscanf(b, "%d.%d.%d", &y[0], &y[1], &y[2])
		return slices.Compare(y[:], x[:])
	}
	if len(whole) != 251 || !slices.IsSortedFunc(whole, inOrder) || len(slices.Compact(slices.Clone(whole))) != 251 {
		t.Errorf("%d versions: %v", len(whole), whole)
	}
	gone, come := []string{}, []string{}
	got := pages(func(last string) { // the last of the page goes, one before it, and one that comes; a new one comes
		after := whole[slices.Index(whole, last)+1]
		for _, v := range []string{last, whole[slices.Index(whole, last)-1], after} {
			s.root("DELETE", generic(p, "app/"+v), nil).status(t, 204)
		}
		gone = append(gone, after)
		new := fmt.Sprintf("0.0.%d", 50+len(come))
		s.versionsIn(p, "app", new)
		come = append([]string{new}, come...)
	})
	want := slices.DeleteFunc(slices.Clone(whole), func(v string) bool { return slices.Contains(gone, v) })
	want = append(want[:len(want)-1], append(come, "0.0.1")...)
	if len(gone) != 2 || !slices.Equal(got, want) {
		t.Errorf("%d versions, want %d\n%v\n%v", len(got), len(want), got, want)
	}
	for _, cursor := range []string{"x", "1", ":", "1:%00", "0:1.0.0", "-1:1", "99999999999999999999:1", "1:%FF", "1:" + strings.Repeat("1", 5000)} {
		s.root("GET", generic(p, "app?cursor="+cursor), nil).status(t, 400)
	}
	s.root("GET", generic(p, "app?cursor=999999:0.0.0-a"), nil).must(t, 200) // past the last one
}

// TestManyFilesOfAVersion: 10,000 files are shown and packed.
func TestManyFilesOfAVersion(t *testing.T) {
	s := newServer(t)
	p := s.versionWithFiles(10_000)
	v := s.root("GET", generic(p, "app/1.0.0"), nil).must(t, 200)
	fields(t, v, map[string]string{"files_count": "10000", "size": "50000"})
	if files := v["files"].([]any); len(files) != 10_000 {
		t.Errorf("%d files", len(files))
	}
	packed := s.root("GET", generic(p, "app/1.0.0/@all.tar"), nil)
	if len(packed.body) != 10_000*1024+1024 {
		t.Errorf("%d bytes of tar", len(packed.body))
	}
}

// TestTooManyFilesOfAVersion: with one more file the version is refused, but can be yanked.
func TestTooManyFilesOfAVersion(t *testing.T) {
	s := newServer(t)
	p := s.versionWithFiles(10_001)
	for _, rest := range []string{"1.0.0", "latest", "1.0.0/@all.tar", "1.0.0/@all.zip", "1.0.0/@all.tar.zst", "1.0.0/@SHA256SUMS"} {
		s.root("HEAD", generic(p, "app/"+rest), nil).status(t, 422)
		got := s.root("GET", generic(p, "app/"+rest), nil)
		if got.StatusCode != 422 || !strings.Contains(got.body, "app 1.0.0 has more than 10000 files; ask for them one by one") {
			t.Errorf("%s: %d %.200s", rest, got.StatusCode, got.body)
		}
	}
	s.root("GET", generic(p, "app/latest/f"), nil).is(t, 200, "1.0.0")
	fields(t, s.root("PUT", generic(p, "app/@stable"), map[string]any{"version": "1.0.0"}).must(t, 201), map[string]string{"files_count": "10000"})
	fields(t, s.root("PATCH", generic(p, "app/1.0.0"), map[string]any{"yanked": true}).must(t, 200), map[string]string{"yanked": "true", "files_count": "10000"})
	s.selects(p, "app", "latest", "")
}

// versionWithFiles makes the version app 1.0.0 in a new project, with so many files: f,
// file-2 and on.
func (s *server) versionWithFiles(files int) (project string) {
	p := s.projectID(s.project("tool", "private"))
	s.versionsIn(p, "app", "1.0.0")
	s.exec(fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO package_files (package_id, blob_id, file_name, status, created_at)
		SELECT f.package_id, f.blob_id, 'file-' || i, 'default', 1 FROM package_files f CROSS JOIN (SELECT i FROM n) made`, files))
	return p
}

// TestVersionWithoutFiles: it is shown, and has no archives.
func TestVersionWithoutFiles(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "private"))
	s.versionsIn(p, "app", "1.0.0")
	s.exec(`UPDATE package_files SET status = 'pending_destruction'`)
	fields(t, s.root("GET", generic(p, "app/latest"), nil).must(t, 200), map[string]string{"version": "1.0.0", "files": "[]", "files_count": "0", "size": "0"})
	for _, kind := range []string{"@all.tar", "@all.zip", "@all.tar.zst", "@SHA256SUMS"} {
		s.root("GET", generic(p, "app/1.0.0/"+kind), nil).is(t, 404, `{"message":"404 Not Found - app 1.0.0 has no files"}`)
	}
	s.root("GET", generic(p, "app/latest/f"), nil).is(t, 404, `{"message":"404 Not Found - latest is 1.0.0, which has no file f"}`)
}
