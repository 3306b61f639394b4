package ui_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/metadb/metadbtest"
	"granary/internal/projects"
	"granary/internal/releases"
)

// TestPagesAskTheSame: every page takes as many queries for 1, 20 and 50 rows: at most six.
func TestPagesAskTheSame(t *testing.T) {
	s := newSite(t)
	asked := countReads(t, s.db)
	o := newTour(s)
	b := o.as("admin")
	counts := map[string][]int64{}
	made := 0
	for _, rows := range []int{1, 20, 50} {
		for ; made < rows; made++ {
			o.grow(b, made)
		}
		for _, address := range o.lists() {
			b.get(address).wants(t, 200) // what is remembered of people and places is there now
			before := asked.Load()
			b.get(address).wants(t, 200)
			counts[address] = append(counts[address], asked.Load()-before)
		}
	}
	for _, address := range sorted(counts) {
		n := counts[address]
		if slices.Max(n)-slices.Min(n) > 1 { // a list without rows, or with more than a page, may ask one more or less
			t.Errorf("%s: %d queries for 1, 20 and 50 rows", address, n)
		}
		most := int64(6)
		if metadbtest.Wanted() { // it asks once a request what another node may have changed, and again what SQLite remembers
			most++
			if strings.Contains(address, "/generic/") {
				most += 2 // the latest version, and where the README is
			}
		}
		if slices.Max(n) > most {
			t.Errorf("%s: %d queries, want at most %d", address, n, most)
		}
	}
}

// lists are the pages of the tour, and some of their filters.
func (o *tour) lists() (all []string) {
	for _, row := range outcomes() {
		if strings.HasPrefix(row.pattern, "GET ") && strings.ReplaceAll(row.want, " ", "")[7] == 'o' && !strings.Contains(row.pattern, "sign_in") {
			all = append(all, o.at(row.sample))
		}
	}
	return append(all,
		"/acme/tools/-/packages/generic/many", "/acme/tools/-/packages/generic/many?order=date&pre=no", "/acme/tools/-/packages/generic/many/1.0.0", "/acme/tools?sort=stored", "/acme/tools?search=so&published=30",
		"/acme/tools/-/releases/v0.0.0", "/acme/tools/-/members?from=above", "/acme/-/members?from=above", "/acme/below-0/-/members?from=above", "/temp", "/acme/tools/-/packages/delete?name=many", "/acme/-/packages?search=many", "/-/admin/users?search=p",
	)
}

// grow makes one more of everything that is listed.
func (o *tour) grow(b *browser, i int) {
	o.t.Helper()
	ctx, admin, n := o.t.Context(), o.actor("admin"), itoa(int64(i))
	o.publish("acme/tools", "tool-"+n, "1.0.0", "f", n)
	o.publish("acme/tools", "many", "1."+n+".0", "f", n)
	o.publish("acme/tools", "many", "1.0.0", "file-"+n, "shared") // by its own files, and by those of the other versions
	o.publish("acme/tools", "many", "1."+n+".0", "shared", "shared")
	u := o.person("person" + n)
	_, err := o.places.ProjectMembers().Add(ctx, admin, "acme/tools", projects.Member{UserID: u.ID, Role: access.Guest})
	o.must(err)
	_, err = o.places.GroupMembers().Add(ctx, admin, "acme", projects.Member{UserID: u.ID, Role: access.Guest})
	o.must(err)
	g, err := o.places.CreateGroup(ctx, admin, projects.Group{Name: "Group " + n, Path: "group-" + n})
	o.must(err)
	acme, err := o.places.Group(ctx, admin, "acme")
	o.must(err)
	_, err = o.places.CreateGroup(ctx, admin, projects.Group{Name: "Below " + n, Path: "below-" + n, ParentID: acme.ID})
	o.must(err)
	for _, in := range []int64{g.ID, acme.ID} {
		_, err = o.places.CreateProject(ctx, admin, in, projects.Project{Name: "P" + n, Path: "p" + n, PackageAccess: access.PackagesEnabled})
		o.must(err)
	}
	o.publish("group-"+n+"/p"+n, "sonde", "1.0.0", "f", n)
	r, err := o.releases.Create(ctx, admin, "acme/tools", releases.Release{Tag: "v0.0." + n}, nil)
	o.must(err)
	_, _, err = o.releases.AddLink(ctx, admin, "acme/tools", "v0.0.0", releases.Link{Name: r.Tag, URL: o.url + "/acme/tools/-/package_files/" + itoa(int64(i+4)) + "/download"})
	o.must(err)
	_, _, err = o.users.CreateJob(ctx, admin, "acme/tools", auth.Job{Name: "job"}, time.Hour)
	o.must(err)
	_, err = o.users.NewPersonalToken(ctx, audit.Author{}, auth.PersonalToken{UserID: admin.UserID, Name: "t" + n, Scopes: []access.Scope{access.ScopeReadAPI}}, "gnpat-"+n+strings.Repeat("1", 20))
	o.must(err)
	o.growSettings(b, n)
}

// growSettings makes one more of everything that settings list.
func (o *tour) growSettings(b *browser, n string) {
	o.t.Helper()
	for _, place := range []string{"/acme", "/acme/tools"} {
		b.post(place+"/-/settings/access_tokens", "name", "robot"+n, "scopes", "read_api", "access_level", "20").wants(o.t, 200)
		b.post(place+"/-/settings/deploy_tokens", "name", "ci"+n, "scopes", "read_package_registry").wants(o.t, 200)
		b.post(place+"/-/settings/variables", "key", "KEY_"+n, "value", "example").wants(o.t, 303)
	}
	b.post("/acme/tools/-/settings/protection", "package_name_pattern", "tool-"+n, "minimum_access_level_for_push", "40").wants(o.t, 303)
	b.post("/acme/tools/-/settings/job_token/add", "path", "group-"+n).wants(o.t, 303)
	b.post("/acme/tools/-/hooks/"+o.ids["hook"]+"/test").wants(o.t, 303)
	b.post("/acme/tools/-/hooks", "url", o.url+"/none", "name", n, "package_events", "1").wants(o.t, 303)
	b.post("/-/admin/features/generic_packages", "value", "on", "group", "group-"+n).wants(o.t, 303)
}

func (o *tour) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// TestManySubgroups: the page of a group shows the first 100 of its subgroups, and says that
// there are more, with as many queries.
func TestManySubgroups(t *testing.T) {
	s := newSite(t)
	o := newTour(s)
	acme, err := o.places.Group(t.Context(), o.actor("admin"), "acme")
	o.must(err)
	for i := range 101 {
		n := itoa(int64(i))
		_, err := o.places.CreateGroup(t.Context(), o.actor("admin"), projects.Group{Name: "Below " + n, Path: "below-" + n, ParentID: acme.ID})
		o.must(err)
	}
	b := o.as("admin")
	b.get("/acme").wants(t, 200)
	asked := countReads(t, s.db)
	b.get("/acme").wants(t, 200, "more than 100", "The first 100.")
	if n := asked.Load(); n > 6 && !metadbtest.Wanted() {
		t.Errorf("%d queries", n)
	}
}
