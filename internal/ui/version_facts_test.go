package ui_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"granary/internal/auth"
	"granary/internal/registry"
)

// finalised publishes a version of sonde, and makes it final.
func (s *site) finalised(versions ...string) {
	s.t.Helper()
	for _, v := range versions {
		s.publish("acme/tools", "sonde", v, "f", v)
		if _, _, err := s.registry.FinaliseVersion(s.t.Context(), s.actor("admin"), "acme/tools", registry.Raw{Name: "sonde", Version: v}, registry.FinaliseOptions{}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// labelled are the versions of a page with a label of their series: "1.9.0 latest 1.x".
func (a answer) labelled(t *testing.T) (found []string) {
	t.Helper()
	for row := range a.parse(t).elements("tr") {
		version := ""
		for e := range row.elements("a", "span") {
			class := e.value("class")
			if class == "name ver" {
				version = e.text()
			}
			if class == "tag leaf" && strings.HasPrefix(e.text(), "latest ") {
				found = append(found, version+" "+e.text())
			}
		}
	}
	return found
}

// TestSeries: the latest final version of each major says so, unless the page cannot know.
func TestSeries(t *testing.T) {
	s := newSite(t)
	s.acme()
	s.finalised("0.9.0", "v1.5.0", "1.5.1-rc.1", "2.0.0", "2.1.0", "3.0.0", "4.0.0-rc.1", "nightly")
	s.publish("acme/tools", "sonde", "2.2.0", "f", "open")
	edit := func(version string, edit registry.VersionEdit) {
		if _, err := s.registry.EditVersion(t.Context(), s.actor("admin"), "acme/tools", registry.Raw{Name: "sonde", Version: version}, edit); err != nil {
			t.Fatal(err)
		}
	}
	b := s.as("reporter")
	const at = "/acme/tools/-/packages/generic/sonde"
	wants := func(address, want string) {
		t.Helper()
		if got := strings.Join(b.get(address).wants(t, 200).labelled(t), ", "); got != want {
			t.Errorf("%s has %q, want %q", address, got, want)
		}
	}
	const all = "2.1.0 latest 2.x, v1.5.0 latest 1.x, 0.9.0 latest 0.x"
	wants(at, all)
	wants(at+"?pre=no", all)
	for _, filter := range []string{"?order=date", "?search=1", "?search=%5E2", "?status=default"} {
		wants(at+filter, "")
	}
	yes, reason := true, "bad"
	edit("2.1.0", registry.VersionEdit{Yanked: &yes, Reason: &reason})
	hidden := registry.StatusHidden
	edit("v1.5.0", registry.VersionEdit{Status: &hidden})
	wants(at, "2.0.0 latest 2.x, 0.9.0 latest 0.x")
	for _, chosen := range []string{"2", "0"} {
		v, err := s.registry.FindVersion(t.Context(), s.actor("admin"), "acme/tools", registry.Raw{Name: "sonde", Version: chosen + ".x"}, nil)
		if want := map[string]registry.Version{"2": "2.0.0", "0": "0.9.0"}[chosen]; err != nil || v.Version != want {
			t.Errorf("%s.x chooses %s, %v", chosen, v.Version, err)
		}
	}
}

// TestSeriesOnPages: a page does not label the first of a major that begins on the page
// before.
func TestSeriesOnPages(t *testing.T) {
	s := newSite(t)
	s.acme()
	s.finalised("9.0.0", "0.1.0", "0.0.1")
	for i := range 30 { // of the page's 20 rows: 9.0.0, then 2.29.0 and down
		s.finalised(fmt.Sprintf("2.%d.0", i))
	}
	b := s.as("reporter")
	first := b.get("/acme/tools/-/packages/generic/sonde")
	if got := first.labelled(t); len(got) != 1 || got[0] != "2.29.0 latest 2.x" {
		t.Errorf("the first page: %q", got)
	}
	older := ""
	for e := range first.parse(t).elements("a") {
		if e.value("rel") == "next" {
			older = e.value("href")
		}
	}
	second := b.get("/acme/tools/-/packages/generic/sonde" + older)
	if got := second.labelled(t); len(got) != 1 || got[0] != "0.1.0 latest 0.x" {
		t.Errorf("the second page: %q", got)
	}
}

// TestRulesOfPackage: those who may publish in the project see what holds for the package.
func TestRulesOfPackage(t *testing.T) {
	s := newSite(t)
	s.acme()
	if err := s.db.FlushGrown(t.Context()); err != nil { // as the upkeep does
		t.Fatal(err)
	}
	const at, heading = "/acme/tools/-/packages/generic/sonde", "Rules that hold here"
	s.as("developer").get(at).wants(t, 200, heading, "<dt>Publish</dt><dd>as the project</dd><dt>Delete</dt><dd>as the project</dd><dt>Duplicates</dt><dd>allowed</dd><dt>Naming</dt><dd>relaxed</dd>",
		"<dt>Versions</dt><dd>2</dd><dt>Files</dt><dd>45 B</dd>", "New version")
	owner := s.as("owner")
	for _, rule := range [][3]string{{"son*", "40", ""}, {"SONDE", "50", "60"}, {"other", "60", "60"}} {
		owner.post("/acme/tools/-/settings/protection", "package_name_pattern", rule[0], "minimum_access_level_for_push", rule[1], "minimum_access_level_for_delete", rule[2]).wants(t, 303)
	}
	owner.post("/acme/tools/-/settings/packages", "package_registry_access_level", "enabled", "generic_package_naming", "strict", "generic_duplicates_allowed", "refused", "exception", "own",
		"generic_duplicate_exception_regex", "nightly", "generic_package_drafts", "inherit", "generic_package_finalisers", "inherit").wants(t, 303)
	const rules = "<dt>Publish</dt><dd>from Owner up</dd><dt>Delete</dt><dd>from Administrator up</dd><dt>Duplicates</dt><dd>refused; versions that match the exception differ</dd><dt>Naming</dt><dd>strict</dd>"
	got := s.as("developer").get(at).wants(t, 200, rules)
	if strings.Contains(got.body, "New version") || strings.Contains(got.body, "settings/protection") {
		t.Error("a developer is offered what the rules refuse")
	}
	s.as("maintainer").get(at).wants(t, 200, rules, `href="/acme/tools/-/settings/protection"`)
	if strings.Contains(s.as("reporter").get(at).wants(t, 200).body, heading) {
		t.Error("a reporter sees the rules of publishing")
	}
}

// TestIDLeadsToHiddenVersion: the address that the API hands out leads to the page of a
// version whatever its status, and of a draft only those who may publish.
func TestIDLeadsToHiddenVersion(t *testing.T) {
	s := newSite(t)
	o := newTour(s)
	const page = "/acme/tools/-/packages/generic/sonde/"
	hidden := registry.StatusHidden
	if _, err := s.registry.EditVersion(t.Context(), s.actor("admin"), "acme/tools", registry.Raw{Name: "sonde", Version: "1.0.0"}, registry.VersionEdit{Status: &hidden}); err != nil {
		t.Fatal(err)
	}
	got := s.as("guest").get(o.at("/acme/tools/-/packages/{package}"))
	if got.StatusCode != 302 || got.Header.Get("Location") != page+"1.0.0" {
		t.Errorf("a hidden version is at %q, %d", got.Header.Get("Location"), got.StatusCode)
	}
	s.as("stranger").get(o.at("/acme/tools/-/packages/{package}")).wants(t, 404)
	drafts, err := s.registry.Versions(t.Context(), s.actor("admin"), "acme/tools", "sonde", registry.VersionQuery{VersionFilter: registry.VersionFilter{Status: registry.StatusDraft}}, nil)
	if err != nil || len(drafts.Rows) != 1 {
		t.Fatalf("%+v, %v", drafts, err)
	}
	draft := "/acme/tools/-/packages/" + itoa(drafts.Rows[0].ID)
	s.as("reporter").get(draft).wants(t, 404)
	if got := s.as("developer").get(draft); got.Header.Get("Location") != page+"2.0.0" {
		t.Errorf("a draft is at %q", got.Header.Get("Location"))
	}
}

// TestCredentialOfVersion: those who may read the audit see with what a version was
// published first.
func TestCredentialOfVersion(t *testing.T) {
	s := newSite(t)
	s.acme()
	ctx, admin := t.Context(), s.actor("admin")
	_, secret, err := s.users.CreateJob(ctx, admin, "acme/tools", auth.Job{Name: "build"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.url+"/api/v4/projects/acme%2Ftools/packages/generic/sonde/3.0.0/f", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Job-Token", secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status)
	}
	s.publish("acme/tools", "sonde", "3.0.0", "g", "by a person, later")
	for version, want := range map[string]string{"3.0.0": "<dt>With</dt><dd>job</dd>", "1.0.0": "<dt>With</dt><dd>personal token</dd>"} {
		at := "/acme/tools/-/packages/generic/sonde/" + version
		s.as("maintainer").get(at).wants(t, 200, want)
		if strings.Contains(s.as("developer").get(at).wants(t, 200).body, "<dt>With</dt>") {
			t.Errorf("a developer sees with what %s was published", version)
		}
	}
}
