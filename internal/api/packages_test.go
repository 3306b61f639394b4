package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/registry"
)

// publish makes a package of one file.
func (s *server) publish(project, name, version string) {
	s.t.Helper()
	s.root("PUT", "/api/v4/projects/"+project+"/packages/generic/"+name+"/"+version+"/f.bin", "bytes of "+name+version).must(s.t, 201)
}

// rows reads a list.
func (a answer) rows(t *testing.T) []map[string]any {
	t.Helper()
	a.must(t, 200)
	var rows []map[string]any
	if err := json.Unmarshal([]byte(a.body), &rows); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return rows
}

// named is the rows in short: name/version.
func (a answer) named(t *testing.T) string {
	t.Helper()
	var names []string
	for _, row := range a.rows(t) {
		names = append(names, row["name"].(string)+"/"+row["version"].(string))
	}
	return strings.Join(names, " ")
}

// first is the id of the first row of a list.
func (s *server) firstID(list string) string {
	s.t.Helper()
	return itoa(int64(s.root("GET", list, nil).rows(s.t)[0]["id"].(float64)))
}

// TestPackagePages is J1 of contract rest-api.
func TestPackagePages(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	list := "/api/v4/projects/" + p + "/packages"
	s.root("GET", list, nil).header(t, "X-Total: 0", "X-Total-Pages: 1", "X-Next-Page: ").is(t, 200, "[]")
	for i := range 21 {
		s.publish(p, "tool", "1.0."+itoa(int64(i)))
	}
	first := s.root("GET", list, nil).header(t, "X-Page: 1", "X-Per-Page: 20", "X-Next-Page: 2", "X-Prev-Page: ", "X-Total: 21", "X-Total-Pages: 2")
	if n := len(first.rows(t)); n != 20 {
		t.Errorf("%d rows on the first page", n)
	}
	second := s.root("GET", list+"?page=2", nil).header(t, "X-Page: 2", "X-Next-Page: ", "X-Prev-Page: 1", "X-Total: 21")
	if got := second.named(t); got != "tool/1.0.20" {
		t.Errorf("second page: %s", got)
	}
	if link := second.Header.Get("Link"); strings.Contains(link, `rel="next"`) || !strings.Contains(link, `rel="prev"`) {
		t.Errorf("Link: %s", link)
	}
	s.root("GET", list+"?page=3", nil).is(t, 200, "[]")
	s.root("GET", "/api/v4/projects/"+s.projectID(p)+"/packages?page=2", nil).header(t, "X-Total: 21")

	t.Run("past ten thousand rows totals are left out", func(t *testing.T) {
		s.exec(`INSERT INTO packages (project_id, name, version, status, created_at, updated_at)
			SELECT (SELECT MAX(id) FROM projects), 'many', '1.0.' || i, 'default', i, i
			FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n) made`)
		for _, query := range []string{"?page=300&per_page=7", "?page=300&per_page=7&order_by=name&sort=desc"} {
			got := s.root("GET", list+query, nil).header(t, "X-Next-Page: 301", "X-Prev-Page: 299")
			if len(got.Header["X-Total"])+len(got.Header["X-Total-Pages"]) > 0 || strings.Contains(got.Header.Get("Link"), `rel="last"`) {
				t.Errorf("%s: %v", query, got.Header)
			}
			if n := len(got.rows(t)); n != 7 {
				t.Errorf("%s: %d rows", query, n)
			}
		}
		s.root("GET", list+"?package_name=many", nil).header(t, "X-Total: 10000")
		// These have no key yet: the upkeep computes it.
		semver := list + "?order_by=semver&sort=desc&per_page=2&package_name=many"
		s.publish(p, "many2", "0.1.0")
		s.root("GET", semver+"2", nil).header(t, "X-Total: 1")
		tooMany := `{"error":"order_by=semver needs a package_name that matches at most 10000 packages"}`
		s.root("GET", semver, nil).is(t, 400, tooMany)
		s.root("GET", semver+"+m&status=default", nil).is(t, 400, tooMany)
		s.exec(`UPDATE packages SET status = 'hidden' WHERE name = 'many' AND version = '1.0.1'`)
		if got := s.root("GET", semver, nil).header(t, "X-Total: 10000").named(t); got != "many2/0.1.0 many/1.0.10000" {
			t.Errorf("by semver: %s", got)
		}
	})
}

// TestPackageFilters is J2, and every filter and order.
func TestPackageFilters(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	list := "/api/v4/projects/" + p + "/packages"
	for _, at := range []string{"x-big-tool/2.0.0", "x-big-tool/10.0.0", "Small_tool/1.0.0", "lib/1.0.0"} {
		name, version, _ := strings.Cut(at, "/")
		s.publish(p, name, version)
	}
	s.root("PUT", "/api/v4/projects/"+p+"/packages/generic/secret/1.0.0/f?status=hidden", "x").must(t, 201)
	const all = "x-big-tool/2.0.0 x-big-tool/10.0.0 Small_tool/1.0.0 lib/1.0.0"
	for query, want := range map[string]string{
		"":                                  all,
		"package_name=tool%20x":             "x-big-tool/2.0.0 x-big-tool/10.0.0",
		"package_name=%22tool%20x%22":       "",
		"package_name=%22ig-to%22":          "x-big-tool/2.0.0 x-big-tool/10.0.0",
		"package_name=TOOL":                 "x-big-tool/2.0.0 x-big-tool/10.0.0 Small_tool/1.0.0",
		"package_name=l_t":                  "Small_tool/1.0.0",
		"package_name=%25":                  "",
		"package_name=b":                    "x-big-tool/2.0.0 x-big-tool/10.0.0 lib/1.0.0",
		"package_name=%20%20":               all,
		"package_version=1.0.0":             "Small_tool/1.0.0 lib/1.0.0",
		"package_version=1.0":               "",
		"package_type=generic":              all,
		"package_type=npm":                  "",
		"status=hidden":                     "secret/1.0.0",
		"status=default":                    all,
		"status=error":                      "",
		"include_versionless=true":          all,
		"sort=desc":                         "lib/1.0.0 Small_tool/1.0.0 x-big-tool/10.0.0 x-big-tool/2.0.0",
		"order_by=name":                     "Small_tool/1.0.0 lib/1.0.0 x-big-tool/10.0.0 x-big-tool/2.0.0",
		"order_by=version":                  "Small_tool/1.0.0 lib/1.0.0 x-big-tool/10.0.0 x-big-tool/2.0.0",
		"order_by=version&sort=desc":        "x-big-tool/2.0.0 x-big-tool/10.0.0 lib/1.0.0 Small_tool/1.0.0",
		"order_by=type":                     all,
		"order_by=semver&package_name=tool": "Small_tool/1.0.0 x-big-tool/2.0.0 x-big-tool/10.0.0",
		"order_by=semver&package_name=tool&sort=desc&per_page=2": "x-big-tool/10.0.0 x-big-tool/2.0.0",
		"package_name=tool&order_by=name":                        "Small_tool/1.0.0 x-big-tool/10.0.0 x-big-tool/2.0.0",
		"package_name=tool&sort=desc":                            "Small_tool/1.0.0 x-big-tool/10.0.0 x-big-tool/2.0.0",
		"per_page=1&page=2&order_by=name":                        "lib/1.0.0",
		"package_name=lib&status=hidden":                         "",
		"package_name=secret&status=hidden":                      "secret/1.0.0",
	} {
		if got := s.root("GET", list+"?"+query, nil).named(t); got != want {
			t.Errorf("%s:\n got %s\nwant %s", query, got, want)
		}
	}
	for query, want := range map[string]string{
		"package_type=exe":               `{"error":"package_type does not have a valid value"}`,
		"status=gone":                    `{"error":"status does not have a valid value"}`,
		"order_by=project_path":          `{"error":"order_by does not have a valid value"}`,
		"order_by=semver":                `{"error":"order_by=semver needs package_name"}`,
		"order_by=semver&package_name=+": `{"error":"order_by=semver needs package_name"}`,
		"sort=up":                        `{"error":"sort does not have a valid value"}`,
		"include_versionless=may":        `{"error":"include_versionless is invalid"}`,
		"per_page=0":                     `{"error":"per_page has a value not allowed"}`,
	} {
		s.root("GET", list+"?"+query, nil).is(t, 400, want)
	}
	t.Run("a hidden package is absent by its id", func(t *testing.T) {
		id := s.firstID(list + "?status=hidden")
		s.root("GET", list+"/"+id, nil).is(t, 404, `{"message":"Package not found"}`)
		s.root("GET", list+"/"+id+"/pipelines", nil).is(t, 404, `{"message":"404 Package not found Not Found"}`)
		s.root("GET", list+"/"+id+"/package_files", nil).is(t, 404, `{"message":"404 Not found"}`)
	})
}

// TestPackageJSON: the fields of a package, alone and in lists.
func TestPackageJSON(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	list := "/api/v4/projects/" + p + "/packages"
	for _, version := range []string{"1.0.0", "10.0.0", "2.0.0"} {
		s.publish(p, "tool", version)
	}
	row := s.root("GET", list, nil).rows(t)[0]
	id := itoa(int64(row["id"].(float64)))
	if got := slices.Sorted(keys(row)); !slices.Equal(got, []string{"_links", "created_at", "creator_id", "downloads", "id",
		"last_downloaded_at", "name", "package_type", "status", "tags", "version"}) {
		t.Errorf("fields %v", got)
	}
	one := s.root("GET", list+"/"+id, nil).must(t, 200)
	links := one["_links"].(map[string]any)
	if links["web_path"] != "/root/tool/-/packages/"+id || links["delete_api_path"] != s.url+"/api/v4/projects/"+s.projectID(p)+"/packages/"+id {
		t.Errorf("links %v", links)
	}
	var versions []string
	for _, v := range one["versions"].([]any) {
		versions = append(versions, v.(map[string]any)["version"].(string))
	}
	if !slices.Equal(versions, []string{"10.0.0", "2.0.0"}) {
		t.Errorf("versions %v", versions)
	}
	if one["last_downloaded_at"] != nil {
		t.Errorf("downloaded at %v", one["last_downloaded_at"])
	}
	s.root("GET", list+"/generic/tool/1.0.0/f.bin", nil).must(t, 200)
	if s.root("GET", list+"/"+id, nil).must(t, 200)["last_downloaded_at"] == nil {
		t.Error("a download is not told at once")
	}
	s.root("GET", list+"/"+id+"/pipelines", nil).is(t, 200, "[]")

	other := s.project("other", "private")
	for path, want := range map[string]answerWant{
		list + "/999999": {404, `{"message":"404 Not found"}`},
		"/api/v4/projects/" + other + "/packages/" + id: {404, `{"message":"404 Not found"}`},
		list + "/x": {400, `{"error":"package_id is invalid"}`},
		list + "/" + id + "/package_files/x/download":     {400, `{"error":"package_file_id is invalid"}`},
		list + "/" + id + "/package_files/99999/download": {404, `{"message":"404 Not found"}`},
		"/api/v4/projects/root%2Fnone/packages":           {404, `{"message":"404 Project Not Found"}`},
		"/api/v4/groups/none/packages":                    {404, `{"message":"404 Group Not Found"}`},
	} {
		s.root("GET", path, nil).is(t, want.status, want.body)
	}
	t.Run("an old path leads on", func(t *testing.T) {
		s.root("PUT", "/api/v4/projects/"+p, map[string]any{"path": "moved"}).must(t, 200)
		moved := s.root("GET", list, nil)
		if moved.StatusCode != 301 || moved.Header.Get("Location") != s.url+"/api/v4/projects/"+s.projectID("root%2Fmoved")+"/packages" {
			t.Errorf("%d %s", moved.StatusCode, moved.Header.Get("Location"))
		}
		s.root("DELETE", list+"/"+id, nil).is(t, 405, `{"message":"Non GET methods are not allowed for moved projects"}`)
	})
}

type answerWant struct {
	status int
	body   string
}

func keys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestPackagesOfJobs: a job publishes, lists and deletes; packages tell of its
// pipeline.
func TestPackagesOfJobs(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	list := "/api/v4/projects/" + p + "/packages"
	for range 3 {
		_, token := s.job(rootToken, p)
		s.do("PUT", list+"/generic/tool/1.0.0/f", strings.NewReader("x"), "JOB-TOKEN: "+token).must(t, 201)
	}
	_, token := s.job(rootToken, p)
	row := s.do("GET", list, nil, "JOB-TOKEN: "+token).rows(t)[0]
	id := itoa(int64(row["id"].(float64)))
	pipeline, ok := row["pipeline"].(map[string]any)
	if !ok || pipeline["status"] != "running" || pipeline["user"].(map[string]any)["username"] != "root" {
		t.Fatalf("pipeline %v", row["pipeline"])
	}
	if many, ok := row["pipelines"].([]any); !ok || len(many) != 0 {
		t.Errorf("pipelines %v", row["pipelines"])
	}
	var seen []float64
	for next := list + "/" + id + "/pipelines?per_page=2"; next != ""; {
		page := s.root("GET", next, nil)
		for _, row := range page.rows(t) {
			seen = append(seen, row["id"].(float64))
		}
		if len(page.Header["X-Total"])+len(page.Header["X-Page"]) > 0 {
			t.Errorf("headers %v", page.Header)
		}
		next, _, _ = strings.Cut(strings.TrimPrefix(page.Header.Get("Link"), "<"+s.url), ">")
	}
	if len(seen) != 3 || seen[0] != pipeline["id"] || !slices.IsSortedFunc(seen, func(a, b float64) int { return int(b - a) }) {
		t.Errorf("pipelines %v, the last %v", seen, pipeline["id"])
	}
	for query, want := range map[string]string{
		"per_page=21": `{"error":"per_page does not have a valid value"}`,
		"per_page=0":  `{"error":"per_page does not have a valid value"}`,
		"cursor=!":    `{"error":"cursor is invalid"}`,
	} {
		s.root("GET", list+"/"+id+"/pipelines?"+query, nil).is(t, 400, want)
	}
	if files := s.root("GET", list+"/"+id+"/package_files", nil).rows(t); len(files) != 3 || len(files[0]["pipelines"].([]any)) != 1 {
		t.Errorf("files %v", files)
	}
	s.do("GET", "/api/v4/groups/none/packages", nil, "JOB-TOKEN: "+token).is(t, 404, `{"message":"404 Group Not Found"}`)
	s.do("DELETE", list+"/"+id, nil, "JOB-TOKEN: "+token).is(t, 204, "")
}

// TestPackageFiles: list, order, page, download by id.
func TestPackageFiles(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	list := "/api/v4/projects/" + p + "/packages"
	for _, file := range []string{"c.tgz", "a.tgz", "b.tgz", "a.tgz"} {
		s.root("PUT", list+"/generic/tool/1.0.0/"+file, "bytes of "+file).must(t, 201)
	}
	files := list + "/" + s.firstID(list) + "/package_files"
	names := func(query string) string {
		var names []string
		for _, row := range s.root("GET", files+query, nil).rows(t) {
			names = append(names, row["file_name"].(string))
		}
		return strings.Join(names, " ")
	}
	for query, want := range map[string]string{
		"":                                      "c.tgz a.tgz b.tgz a.tgz",
		"?sort=desc":                            "a.tgz b.tgz a.tgz c.tgz",
		"?order_by=file_name":                   "a.tgz a.tgz b.tgz c.tgz",
		"?order_by=created_at":                  "c.tgz a.tgz b.tgz a.tgz",
		"?per_page=3&page=2&order_by=file_name": "c.tgz",
	} {
		if got := names(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	s.root("GET", files+"?order_by=size", nil).is(t, 400, `{"error":"order_by does not have a valid value"}`)
	row := s.root("GET", files, nil).header(t, "X-Total: 4").rows(t)[0]
	if got := slices.Sorted(keys(row)); !slices.Equal(got, []string{"created_at", "file_md5", "file_name", "file_sha1", "file_sha256", "id", "package_id", "size"}) {
		t.Errorf("fields %v", got)
	}
	download := files + "/" + itoa(int64(row["id"].(float64))) + "/download"
	s.root("GET", download, nil).header(t, "Content-Type: application/octet-stream").is(t, 200, "bytes of c.tgz")
	s.root("HEAD", download, nil).is(t, 200, "")
	s.do("GET", download, nil).is(t, 404, `{"message":"404 Project Not Found"}`)
	s.root("DELETE", strings.TrimSuffix(download, "/download"), nil).is(t, 204, "")
	s.root("GET", download, nil).is(t, 404, `{"message":"404 Not found"}`)
	s.root("GET", list+"/generic/tool/1.0.0/c.tgz", nil).is(t, 404, `{"message":"404 Not found"}`)
	if got := names(""); got != "a.tgz b.tgz a.tgz" {
		t.Errorf("after the deletion: %s", got)
	}
	s.root("DELETE", strings.TrimSuffix(download, "/download"), nil).is(t, 404, `{"message":"404 Not Found"}`)
	s.root("DELETE", files+"/x", nil).is(t, 400, `{"error":"package_file_id is invalid"}`)
}

// TestDeletePackage is J3 and J4: who may, what follows.
func TestDeletePackage(t *testing.T) {
	s := newServer(t)
	const denied = `{"message":"403 Forbidden"}`
	const hidden = `{"message":"404 Project Not Found"}`
	dev, devToken := s.user("dev")
	maintainer, maintainerToken := s.user("maintainer")
	_, strangerToken := s.user("stranger")
	for _, visibility := range []string{"public", "private"} {
		p := s.project(visibility, visibility)
		s.member(p, dev, 30)
		s.member(p, maintainer, 40)
		s.publish(p, "tool", "1.0.0")
		list := "/api/v4/projects/" + p + "/packages"
		id := s.firstID(list)
		nobody := answerWant{403, denied}
		if visibility == "private" {
			nobody = answerWant{404, hidden}
		}
		s.do("DELETE", list+"/"+id, nil).is(t, nobody.status, nobody.body)
		s.as(strangerToken, "DELETE", list+"/"+id, nil).is(t, nobody.status, nobody.body)
		s.as(devToken, "DELETE", list+"/"+id, nil).is(t, 403, denied)
		if body := s.as(devToken, "GET", list, nil).body; strings.Contains(body, "delete_api_path") {
			t.Errorf("a developer may delete: %s", body)
		}
		if body := s.as(maintainerToken, "GET", list, nil).body; !strings.Contains(body, "delete_api_path") {
			t.Errorf("a maintainer may not delete: %s", body)
		}
		s.as(s.token(maintainer, "read_api"), "DELETE", list+"/"+id, nil).is(t, 403, narrow("api"))
		s.as("none", "GET", list, nil).is(t, 401, `{"message":"401 Unauthorized"}`)

		old := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
		auth := "PRIVATE-TOKEN: " + maintainerToken
		s.do("DELETE", list+"/"+id, nil, auth, "If-Unmodified-Since: "+old).is(t, 412, `{"message":"412 Precondition Failed"}`)
		now := time.Now().Add(time.Second).UTC().Format(http.TimeFormat)
		s.do("DELETE", list+"/"+id, nil, auth, "If-Unmodified-Since: "+now).is(t, 204, "")
		s.root("GET", list, nil).header(t, "X-Total: 0").is(t, 200, "[]")
		s.root("GET", list+"/generic/tool/1.0.0/f.bin", nil).is(t, 404, `{"message":"404 Not found"}`)
		s.root("DELETE", list+"/"+id, nil).is(t, 404, `{"message":"404 Not found"}`)
		s.root("DELETE", list+"/"+id+"/package_files/1", nil).is(t, 404, `{"message":"404 Not Found"}`)
		s.publish(p, "tool", "1.0.0")
		if again := s.firstID(list); again == id {
			t.Errorf("the new package has the old id %s", id)
		}
	}
	t.Run("the sweep takes records and bytes", func(t *testing.T) {
		s.root("DELETE", "/api/v4/projects/root%2Fpublic/packages/"+s.firstID("/api/v4/projects/root%2Fpublic/packages"), nil).must(t, 204)
		for range 2 { // the records, and a day later the bytes
			s.skew += 48 * time.Hour
			if _, err := s.registry.Sweep(t.Context(), registry.Grace); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.db.SumCounters(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := s.count("packages"); n != 1 {
			t.Errorf("%d packages are left", n)
		}
		if n := ask[int](s, `SELECT SUM(files) FROM blobs`); n != 1 || s.count("package_files") != 1 || s.count("blobs") != 1 {
			t.Errorf("%d references, %d files, %d blobs are left", n, s.count("package_files"), s.count("blobs"))
		}
		if n := s.count("package_names"); n != 1 {
			t.Errorf("%d names are left", n)
		}
		s.root("GET", "/api/v4/projects/root%2Fprivate/packages/generic/tool/1.0.0/f.bin", nil).must(t, 200)
	})
}

// TestGroupPackages: what the caller may list in the group's projects.
func TestGroupPackages(t *testing.T) {
	s := newServer(t)
	top := s.group("acme", 0)
	sub := s.group("sub", top)
	open, closed, below := s.projectIn(top, "open", "public"), s.projectIn(top, "closed", "private"), s.projectIn(sub, "below", "public")
	off := s.projectIn(top, "off", "public")
	for _, p := range []string{below, closed, open, off} {
		s.publish(p, "in-"+p, "1.0.0")
	}
	s.root("PUT", "/api/v4/projects/"+off, map[string]any{"package_registry_access_level": "disabled"}).must(t, 200)
	list := "/api/v4/groups/acme/packages"
	in := func(projects ...string) string {
		for i := range projects {
			projects[i] = "in-" + projects[i] + "/1.0.0"
		}
		return strings.Join(projects, " ")
	}
	member, token := s.user("member")
	s.member(closed, member, 10)
	for query, want := range map[string]string{
		"":                                 in(below, closed, open),
		"?exclude_subgroups=true":          in(closed, open),
		"?sort=desc":                       in(open, closed, below),
		"?order_by=project_path":           in(below, closed, open),
		"?order_by=project_path&sort=asc":  in(below, closed, open),
		"?order_by=semver&package_name=in": in(below, closed, open),
		"?package_name=in-" + open:         in(open),
		"?per_page=1&page=3":               in(open),
		"?per_page=2&page=2&sort=desc":     in(below),
	} {
		if got := s.root("GET", list+query, nil).named(t); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		if got := s.as(token, "GET", list+query, nil).named(t); got != want {
			t.Errorf("a guest of the closed project, %s: %s, want %s", query, got, want)
		}
	}
	if got := s.do("GET", list, nil).named(t); got != in(below, open) {
		t.Errorf("anonymous: %s", got)
	}
	_, jobToken := s.job(rootToken, closed)
	if got := s.do("GET", list, nil, "JOB-TOKEN: "+jobToken).named(t); got != in(below, open) {
		t.Errorf("a job is not anonymous here: %s", got)
	}
	row := s.root("GET", list, nil).header(t, "X-Total: 3").rows(t)[0]
	if row["project_path"] != "acme/sub/below" || row["project_id"] == nil {
		t.Errorf("row %v", row)
	}
	s.root("GET", "/api/v4/groups/"+itoa(sub)+"/packages", nil).header(t, "X-Total: 1")
}
