package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/wire"

	"github.com/google/go-cmp/cmp"
)

// storage reads what a place keeps.
func (s *server) storage(token, place string) wire.Storage {
	s.t.Helper()
	a := s.as(token, "GET", v4+place+"/storage", nil)
	a.must(s.t, 200)
	var found wire.Storage
	if err := json.Unmarshal([]byte(a.body), &found); err != nil {
		s.t.Fatalf("%s: %v", a.body, err)
	}
	return found
}

// A place keeps what was published as soon as that was answered, with what was removed until
// it is purged.
func TestStorage(t *testing.T) {
	s := newServer(t)
	company := s.groupAt("company", "private")
	team := s.groupAt("company/team", "private")
	tools, docs := s.projectAt(team, "tools", "private"), s.projectAt(company, "docs", "private")
	put := func(project, path, body string) {
		t.Helper()
		s.root("PUT", v4+"/projects/"+project+"/packages/generic/"+path, body).must(t, 201)
	}
	size := func(bytes, files, versions int64) wire.Size {
		return wire.Size{Bytes: bytes, Files: files, Versions: versions}
	}
	want := func(place string, all, trashed wire.Size, parts string) {
		t.Helper()
		if err := s.db.FlushGrown(t.Context()); err != nil { // bytes of packages are a few seconds old, sums are not
			t.Fatal(err)
		}
		got := s.storage(rootToken, place)
		var found []string
		for _, p := range got.Parts {
			found = append(found, p.Kind+" "+p.Path+" "+itoa(p.Bytes))
		}
		if got.Size != all || got.Trashed != trashed || strings.Join(found, ", ") != parts {
			t.Errorf("%s: %+v, trashed %+v, parts %q; want %+v, %+v, %q", place, got.Size, got.Trashed, found, all, trashed, parts)
		}
	}
	none := wire.Size{}
	want("/projects/"+tools, none, none, "")
	put(tools, "app/1.0.0/a", "12345")
	put(tools, "app/1.0.0/b", "123")
	put(tools, "lib/1.0.0/a", "12345678901")
	put(docs, "book/1.0.0/a", "1")
	want("/projects/"+tools, size(19, 3, 2), none, "package lib 11, package app 8")
	want("/groups/"+team, size(19, 3, 2), none, "project company/team/tools 19")
	want("/groups/"+company, size(20, 4, 3), none, "group company/team 19, project company/docs 1")
	want("", size(20, 4, 3), none, "group company 20")

	app := s.firstID(v4 + "/projects/" + tools + "/packages?package_name=app")
	s.root("DELETE", v4+"/projects/"+tools+"/packages/"+app+"/package_files/1", nil).must(t, 204)
	want("/projects/"+tools, size(19, 3, 2), size(5, 1, 0), "package lib 11, package app 3")
	s.root("DELETE", v4+"/projects/"+tools+"/packages/"+app, nil).must(t, 204)
	want("/projects/"+tools, size(19, 3, 2), size(8, 2, 1), "package lib 11")
	want("/groups/"+company, size(20, 4, 3), size(8, 2, 1), "group company/team 19, project company/docs 1")
	s.root("DELETE", v4+"/projects/"+docs, nil).must(t, 202)
	want("/groups/"+company, size(20, 4, 3), size(9, 3, 2), "group company/team 19")
	want("", size(20, 4, 3), size(9, 3, 2), "group company 20")

	for _, list := range []string{"/projects/" + tools, "/groups/" + company, ""} {
		ada, token := s.user("ada" + itoa(int64(len(list))))
		if list == "" {
			s.as(token, "GET", v4+"/storage", nil).must(t, 403)
			continue
		}
		s.as(token, "GET", v4+list+"/storage", nil).must(t, 404)
		s.memberAt(list, ada, int(access.Guest))
		s.as(token, "GET", v4+list+"/storage", nil).must(t, 403)
		s.root("PUT", v4+list+"/members/"+itoa(ada), given{"access_level": int(access.Reporter)}).must(t, 200)
		s.as(token, "GET", v4+list+"/storage", nil).must(t, 200)
	}
}

// statisticsOf are the statistics of rows by path; nil for none.
func statisticsOf(t *testing.T, a answer) map[string]any {
	t.Helper()
	found := map[string]any{}
	for _, row := range a.rows(t) {
		found[row["path"].(string)] = row["statistics"]
	}
	return found
}

// Statistics are GitLab's: of projects for Reporters, of groups for administrators, and only
// if they are asked for.
func TestStatistics(t *testing.T) {
	s := newServer(t)
	group := s.groupAt("company", "public")
	known, empty := s.projectAt(group, "known", "public"), s.projectAt(group, "empty", "public")
	s.projectAt(group, "guest", "public")
	s.publish(known, "tool", "1.0.0")
	s.upload(rootToken, known, "notes.txt", []byte("1234567")).must(t, 201)
	packages := float64(len("bytes of tool1.0.0"))
	ofGroup := func(packages, uploads float64) map[string]any {
		return map[string]any{"storage_size": packages + uploads, "packages_size": packages, "uploads_size": uploads, "repository_size": 0.0, "wiki_size": 0.0,
			"lfs_objects_size": 0.0, "job_artifacts_size": 0.0, "pipeline_artifacts_size": 0.0, "snippets_size": 0.0}
	}
	ofProject := func(packages, uploads float64) map[string]any {
		all := ofGroup(packages, uploads)
		all["commit_count"], all["container_registry_size"] = 0.0, 0.0
		return all
	}
	ada, token := s.user("ada")
	s.member(known, ada, int(access.Reporter))
	s.member(empty, ada, int(access.Reporter))
	s.member(group+"%2Fguest", ada, int(access.Guest))
	projects := map[string]any{"known": ofProject(packages, 7), "empty": ofProject(0, 0), "guest": nil}
	for _, list := range []string{"/projects?statistics=true", "/groups/" + group + "/projects?statistics=true", "/projects?statistics=true&pagination=keyset&order_by=id&per_page=100"} {
		if diff := cmp.Diff(projects, statisticsOf(t, s.as(token, "GET", v4+list, nil))); diff != "" {
			t.Errorf("%s, -want +got:\n%s", list, diff)
		}
	}
	nothing := map[string]any{"known": nil, "empty": nil, "guest": nil}
	for _, list := range []string{"/projects", "/projects?statistics=false", "/projects?statistics=true&simple=true"} {
		if diff := cmp.Diff(nothing, statisticsOf(t, s.as(token, "GET", v4+list, nil))); diff != "" {
			t.Errorf("%s, -want +got:\n%s", list, diff)
		}
	}
	if diff := cmp.Diff(nothing, statisticsOf(t, s.do("GET", v4+"/projects?statistics=true", nil))); diff != "" {
		t.Errorf("anonymous, -want +got:\n%s", diff)
	}
	one := s.as(token, "GET", v4+"/projects/"+known+"?statistics=true", nil).must(t, 200)["statistics"]
	if diff := cmp.Diff(any(ofProject(packages, 7)), one); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, there := s.as(token, "GET", v4+"/projects/"+known, nil).must(t, 200)["statistics"]; there {
		t.Errorf("nobody asked for %v", got)
	}
	for _, path := range []string{"/projects/" + known, "/projects", "/groups", "/groups/" + group + "/subgroups", "/groups/" + group + "/projects"} {
		s.as(token, "GET", v4+path+"?statistics=maybe", nil).must(t, 400)
	}

	sub := s.groupAt("company/sub", "public")
	s.publish(s.projectAt(sub, "below", "public"), "tool", "1.0.0")
	if diff := cmp.Diff(map[string]any{"company": ofGroup(2*packages, 7), "sub": ofGroup(packages, 0)}, statisticsOf(t, s.root("GET", v4+"/groups?statistics=true", nil))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"sub": ofGroup(packages, 0)}, statisticsOf(t, s.root("GET", v4+"/groups/"+group+"/subgroups?statistics=true", nil))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"company": nil, "sub": nil}, statisticsOf(t, s.as(token, "GET", v4+"/groups?statistics=true", nil))); diff != "" {
		t.Errorf("no administrator, -want +got:\n%s", diff)
	}
}
