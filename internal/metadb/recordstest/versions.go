package recordstest

import (
	"strings"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/versions"
)

func versionsOf() []promise {
	return []promise{
		{"SelectVersion", "returns the version of this name, with or without a selector", testSelectLiteral},
		{"SelectVersion", "returns the version that the selector chooses", testSelectVersion},
		{"SelectVersion", "passes over what no selector may choose", testSelectPassesOver},
		{"SelectVersion", "returns the later created of two with one key", testSelectEqual},
		{"SelectVersion", "returns the creator and the last pipeline, as ListInOrder and the deeds do", testVersionAuthor},
		{"SelectVersion", "is NotFound if there is none", testSelectNoVersion},
		{"ChooseVersion", "is SelectVersion, whatever changes in between", testChooseVersion},
		{"ListInOrder", "returns what lists show, the highest first, after the cursor", testListInOrder},
		{"ListInOrder", "leaves out what the filter does, in its order", testFilteredVersions},
		{"FindVersion", "returns a version of any status; NotFound if there is none", testFindVersion},
		{"FindVersion", "returns its neighbours in true order, and its channels", testFindVersionAround},
		{"FindVersion", "returns the credential that published it first, if audited", testFindCredential},
		{"VersionFiles", "returns the newest file of each name, in the order of their paths", testVersionFiles},
		{"FindContent", "returns bytes that the database keeps, no byte of an empty file", testFindContent},
		{"FindContent", "is NotFound if it does not keep them", testFindNoContent},
		{"FindContent", "is a DamageError if they are others", testFindDamagedContent},
		{"EditVersion", "stores and tells what was changed", testEditVersion},
		{"EditVersion", "does nothing if change refuses, or tells nothing", testEditVersionNot},
		{"EditVersion", "is NotFound if there is no installable version", testEditNoVersion},
		{"KeepCRC32", "records the CRC-32 once", testKeepCRC32},
		{"KeyVersions", "finds nothing to do: a publish computes the key", testKeyVersions},
	}
}

// latest is the selector latest.
func latest() *versions.Selector { return &versions.Selector{Latest: true} }

func selector(t *testing.T, text string) *versions.Selector {
	t.Helper()
	s, ok := versions.ParseSelector(text)
	if !ok {
		t.Fatalf("%q is no selector", text)
	}
	return &s
}

// published publishes versions of the package tool with the status default.
func (s *suite) published(t *testing.T, projectID int64, all ...string) {
	t.Helper()
	for _, v := range all {
		s.version(t, projectID, "tool", v, registry.StatusDefault)
	}
}

// edited changes a version of the package tool.
func (s *suite) edited(t *testing.T, projectID int64, version string, change func(*registry.PackageVersion)) registry.PackageVersion {
	t.Helper()
	v, err := s.EditVersion(t.Context(), projectID, "tool", registry.Version(version), now(), func(v *registry.PackageVersion) ([]audit.Event, error) {
		change(v)
		return []audit.Event{quiet()}, nil
	})
	return must(t, v, err)
}

func yank(v *registry.PackageVersion) { v.YankedAt, v.YankReason = new(now()), "bad" }

// selected is the version that a text leads to; "" for none.
func (s *suite) selected(t *testing.T, projectID int64, text string) string {
	t.Helper()
	var of *versions.Selector
	if parsed, ok := versions.ParseSelector(text); ok {
		of = &parsed
	}
	v, err := s.SelectVersion(t.Context(), projectID, "tool", registry.Version(text), of)
	if fault.Is(err, fault.NotFound) {
		return ""
	}
	return string(must(t, v, err).Version)
}

func testSelectLiteral(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0", "latest", "1.x", "9.0.0")
	s.version(t, p.ID, "tool", "8.0.0", registry.StatusHidden)
	s.version(t, p.ID, "tool", "7.0.0", registry.StatusError)
	s.edited(t, p.ID, "1.x", yank)
	for text, want := range map[string]string{"1.0.0": "1.0.0", "latest": "latest", "1.x": "1.x", "8.0.0": "8.0.0", "7.0.0": "", "^1": "1.0.0"} {
		if got := s.selected(t, p.ID, text); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

func testSelectVersion(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.4.2", "1.10.0", "1.9.0", "2.0.0-rc.1", "0.3.1", "build-7", "99999999999999999999.1.0-a")
	for text, want := range map[string]string{
		"latest": "1.10.0", "^1.4": "1.10.0", "^1": "1.10.0", "~1.4": "1.4.2", "1.x": "1.10.0", "1.9.x": "1.9.0", "^0.3": "0.3.1", "^2": "", "0.4.x": "",
		"^99999999999999999999": "",
	} {
		if got := s.selected(t, p.ID, text); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
	c := registry.Channel{ProjectID: p.ID, Package: "tool", Name: "next", Version: "2.0.0-rc.1", MovedAt: now()}
	_, _, err := s.MoveChannel(t.Context(), c, roomy(), allowMove(quiet()))
	must(t, 0, err)
	for text, want := range map[string]string{"@next": "2.0.0-rc.1", "@other": ""} {
		if got := s.selected(t, p.ID, text); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

func testSelectPassesOver(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0", "5.0.0")
	s.version(t, p.ID, "tool", "4.0.0", registry.StatusHidden)
	s.version(t, p.ID, "tool", "3.0.0", registry.StatusError)
	s.version(t, p.ID, "tool", "2.0.0", registry.StatusDeprecated)
	gone := s.version(t, p.ID, "tool", "6.0.0", registry.StatusDefault)
	s.drop(t, gone)
	s.edited(t, p.ID, "5.0.0", yank)
	wantSame(t, "latest", s.selected(t, p.ID, "latest"), "2.0.0")
	c := registry.Channel{ProjectID: p.ID, Package: "tool", Name: "stable", Version: "2.0.0", MovedAt: now()}
	_, _, err := s.MoveChannel(t.Context(), c, roomy(), allowMove(quiet()))
	must(t, 0, err)
	wantSame(t, "the channel", s.selected(t, p.ID, "@stable"), "2.0.0")
	for what, change := range map[string]func(*registry.PackageVersion){
		"yanked": yank,
		"hidden": func(v *registry.PackageVersion) { v.YankedAt, v.Status = nil, registry.StatusHidden },
	} {
		s.edited(t, p.ID, "2.0.0", change)
		wantSame(t, "latest, "+what, s.selected(t, p.ID, "latest"), "1.0.0")
		wantSame(t, "the channel, "+what, s.selected(t, p.ID, "@stable"), "")
		s.edited(t, p.ID, "2.0.0", func(v *registry.PackageVersion) { v.YankedAt, v.Status = nil, registry.StatusDefault })
		wantSame(t, "latest again", s.selected(t, p.ID, "latest"), "2.0.0")
	}
}

func testSelectEqual(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0", "1.0", "v1.0.0", "1.0.0+build", "0.9")
	wantSame(t, "latest", s.selected(t, p.ID, "latest"), "1.0.0+build")
	s.edited(t, p.ID, "1.0.0+build", yank)
	wantSame(t, "latest", s.selected(t, p.ID, "^1"), "v1.0.0")
	s.published(t, p.ID, "2-a", "2.0.0-a")
	s.edited(t, p.ID, "1.0.0", yank)
	for _, v := range []string{"1.0", "v1.0.0", "0.9"} {
		s.edited(t, p.ID, v, yank)
	}
	wantSame(t, "latest of pre-releases", s.selected(t, p.ID, "latest"), "2.0.0-a")
}

func testVersionAuthor(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	j, _ := s.job(t, p.ID, u)
	pub := publication(p.ID, "tool", "1.0.0", "file")
	pub.CreatorID, pub.PipelineID = u.ID, j.PipelineID
	f := s.publish(t, pub)
	want := registry.PackageVersion{Creator: u.Username, Package: registry.Package{
		ID: f.PackageID, ProjectID: p.ID, Name: "tool", Version: "1.0.0", Status: registry.StatusDefault, CreatorID: u.ID, CreatedAt: pub.Now, UpdatedAt: pub.Now,
	}}
	selected, err := s.SelectVersion(t.Context(), p.ID, "tool", "latest", latest())
	must(t, 0, err)
	listed, err := s.ListInOrder(t.Context(), p.ID, "tool", registry.VersionFilter{}, nil, 1)
	must(t, 0, err)
	edited, err := s.EditVersion(t.Context(), p.ID, "tool", "1.0.0", now(), func(*registry.PackageVersion) ([]audit.Event, error) { return nil, nil })
	must(t, 0, err)
	led, _, err := s.MoveChannel(t.Context(), newChannel(p.ID, "stable", "1.0.0"), roomy(), allowMove(quiet()))
	must(t, 0, err)
	for by, v := range map[string]registry.PackageVersion{"SelectVersion": selected, "ListInOrder": listed[0].PackageVersion, "EditVersion": edited, "MoveChannel": led} {
		if v.Pipeline == nil || v.Pipeline.ID != j.PipelineID || v.Pipeline.User.ID != u.ID {
			t.Errorf("%s: pipeline %+v, want %d", by, v.Pipeline, j.PipelineID)
		}
		v.Pipeline = nil
		wantSame(t, by, v, want)
	}
}

func testSelectNoVersion(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	s.published(t, p.ID, "1.0.0-a", "build")
	for text, of := range map[string]*versions.Selector{"1.0.0": nil, "latest": nil, "^1": selector(t, "^1"), "@stable": selector(t, "@stable")} {
		_, err := s.SelectVersion(t.Context(), p.ID, "tool", registry.Version(text), of)
		wantKind(t, err, fault.NotFound)
	}
	other := s.project(t, g.ID, s.user(t))
	for _, at := range []registry.PackageVersion{
		{Package: registry.Package{ProjectID: p.ID, Name: "other"}}, {Package: registry.Package{ProjectID: other.ID, Name: "tool"}},
	} {
		_, err := s.SelectVersion(t.Context(), at.ProjectID, at.Name, "latest", latest())
		wantKind(t, err, fault.NotFound)
	}
}

func testChooseVersion(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	want := func(text, want string) {
		t.Helper()
		for range 2 { // the second may be cached
			v, err := s.ChooseVersion(t.Context(), p.ID, "tool", registry.Version(text), *selector(t, text))
			if want == "" {
				wantKind(t, err, fault.NotFound)
				continue
			}
			wantSame(t, text, string(must(t, v, err)), want)
		}
	}
	want("latest", "")
	s.published(t, p.ID, "1.0.0")
	want("latest", "1.0.0")
	want("^1", "1.0.0")
	s.published(t, p.ID, "1.1.0")
	want("latest", "1.1.0")
	want("^1", "1.1.0")
	s.edited(t, p.ID, "1.1.0", yank)
	want("latest", "1.0.0")
	want("^2", "")
	s.published(t, p.ID, "latest")
	want("latest", "latest")
}

func testListInOrder(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.9.0", "1.10.0", "1.10.0-rc.1", "nightly", "1.9", "2.0.0-a")
	s.version(t, p.ID, "tool", "3.0.0", registry.StatusDeprecated)
	s.version(t, p.ID, "tool", "4.0.0", registry.StatusError)
	s.version(t, p.ID, "tool", "5.0.0", registry.StatusHidden)
	gone := s.version(t, p.ID, "tool", "6.0.0", registry.StatusDefault)
	s.drop(t, gone)
	s.version(t, p.ID, "other", "7.0.0", registry.StatusDefault)
	s.edited(t, p.ID, "3.0.0", yank)
	all := []string{"4.0.0", "3.0.0", "2.0.0-a", "1.10.0", "1.10.0-rc.1", "1.9", "1.9.0", "nightly"}
	for _, size := range []int{1, 3, len(all), 100} {
		var got []string
		var after *registry.VersionCursor
		for {
			page, err := s.ListInOrder(t.Context(), p.ID, "tool", registry.VersionFilter{}, after, size)
			must(t, 0, err)
			if len(page) == 0 {
				break
			}
			if len(page) > size {
				t.Fatalf("%d versions, want %d at most", len(page), size)
			}
			for _, v := range page {
				got = append(got, string(v.Version))
			}
			last := page[len(page)-1]
			after = &registry.VersionCursor{Version: last.Version, ID: last.ID}
		}
		wantSame(t, id(int64(size))+" a page", got, all)
	}
	page, err := s.ListInOrder(t.Context(), p.ID, "tool", registry.VersionFilter{}, nil, 2)
	must(t, 0, err)
	if page[0].YankedAt != nil || page[1].YankedAt == nil || page[1].YankReason != "bad" {
		t.Errorf("yanked: %+v", page)
	}
}

func testFilteredVersions(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "2.0.0", "1.10.0", "1.9.0", "2.1.0-rc.1", "nightly")
	s.version(t, p.ID, "tool", "0.1.0", registry.StatusHidden)
	s.edited(t, p.ID, "1.9.0", yank)
	one := selector(t, "1.x").Range
	for want, f := range map[string]registry.VersionFilter{
		"2.1.0-rc.1 2.0.0 1.10.0 1.9.0 nightly": {},
		"nightly 1.9.0 1.10.0 2.0.0 2.1.0-rc.1": {Asc: true},
		"nightly 2.1.0-rc.1 1.9.0 1.10.0 2.0.0": {ByDate: true},
		"2.0.0 1.10.0 1.9.0 2.1.0-rc.1 nightly": {ByDate: true, Asc: true},
		"2.0.0 1.10.0 1.9.0 nightly":            {Stable: true},
		"1.10.0 1.9.0":                          {Within: one},
		"2.1.0-rc.1":                            {Text: "RC"},
		"0.1.0":                                 {Status: registry.StatusHidden},
		"1.9.0":                                 {Yanked: true},
	} {
		for _, size := range []int{1, 2, 10} {
			var got []string
			var after *registry.VersionCursor
			for {
				rows, err := s.ListInOrder(t.Context(), p.ID, "tool", f, after, size)
				if must(t, rows, err); len(rows) == 0 {
					break
				}
				for _, v := range rows {
					got = append(got, string(v.Version))
				}
				last := rows[len(rows)-1]
				after = &registry.VersionCursor{Version: last.Version, ID: last.ID, CreatedAt: last.CreatedAt}
			}
			wantSame(t, id(int64(size))+" a page", strings.Join(got, " "), want)
		}
	}
}

func testFindVersion(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.version(t, p.ID, "tool", "1.0.0", registry.StatusHidden)
	v, err := s.FindVersion(t.Context(), p.ID, "tool", "1.0.0", true)
	if must(t, v, err); v.Status != registry.StatusHidden || v.Files != 1 || v.Size != 4 || len(v.Channels) != 0 || v.Previous != nil || v.Next != nil {
		t.Errorf("%+v", v)
	}
	_, err = s.FindVersion(t.Context(), p.ID, "tool", "2.0.0", true)
	wantKind(t, err, fault.NotFound)
}

// testFindVersionAround: neighbours are those of ListInOrder, whatever the status.
func testFindVersionAround(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.9.0", "1.10.0", "1.10.0-rc.1", "nightly", "1.9", "2.0.0-a")
	s.version(t, p.ID, "tool", "1.9.5", registry.StatusHidden)
	s.version(t, p.ID, "other", "1.9.6", registry.StatusDefault)
	s.channel(t, p.ID, "stable", "1.9.0")
	s.channel(t, p.ID, "beta", "1.9.0")
	all := []registry.Version{"2.0.0-a", "1.10.0", "1.10.0-rc.1", "1.9", "1.9.0", "nightly"}
	for i, version := range all {
		s.wantAround(t, p.ID, version, append(all, "")[i+1], append([]registry.Version{""}, all...)[i])
	}
	s.wantAround(t, p.ID, "1.9.5", "1.9", "1.10.0-rc.1")
	v, err := s.FindVersion(t.Context(), p.ID, "tool", "1.9.0", false)
	wantSame(t, "channels", must(t, v, err).Channels, []string{"beta", "stable"})
	wantSame(t, "has a README", v.Readme, false)
	s.publish(t, publication(p.ID, "tool", "1.9.0", registry.ReadmeName))
	v, err = s.FindVersion(t.Context(), p.ID, "tool", "1.9.0", false)
	wantSame(t, "has a README", must(t, v, err).Readme, true)
}

func (s *suite) wantAround(t *testing.T, projectID int64, version, below, above registry.Version) {
	t.Helper()
	v, err := s.FindVersion(t.Context(), projectID, "tool", version, false)
	must(t, 0, err)
	got := []registry.Version{"", ""}
	for i, next := range []*registry.Version{v.Previous, v.Next} {
		if next != nil {
			got[i] = *next
		}
	}
	wantSame(t, "below and above "+string(version), got, []registry.Version{below, above})
}

// testFindCredential: the credential is that of the event of the version's first file, of
// which the id may be a little later than its time.
func testFindCredential(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	put := func(version, file string, at time.Time, credential audit.Credential) {
		pub := publication(p.ID, "tool", version, file)
		pub.Now = at
		pub.Event = audit.Event{Name: audit.PackagePublished, At: at, Entity: audit.Place(p.ID, 0), Author: audit.Author{Credential: credential}}
		s.publish(t, pub)
	}
	at := now()
	put("1.0.0", "a", at, audit.JobToken)
	put("1.0.0-rc.1", "a", at, audit.DeployToken)
	put("1.0.0", "b", at.Add(time.Second), audit.PersonalToken)
	s.version(t, p.ID, "tool", "2.0.0", registry.StatusDefault)
	for version, want := range map[registry.Version]audit.Credential{"1.0.0": audit.JobToken, "1.0.0-rc.1": audit.DeployToken, "2.0.0": audit.NoCredential} {
		v, err := s.FindVersion(t.Context(), p.ID, "tool", version, true)
		wantSame(t, string(version), must(t, v, err).Credential, want)
		v, err = s.FindVersion(t.Context(), p.ID, "tool", version, false)
		wantSame(t, string(version), must(t, v, err).Credential, audit.NoCredential)
	}
}
