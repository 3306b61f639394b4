package api_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// drafts makes drafts of so many packages, "app0", "app1", ..., by a caller.
func (s *server) drafts(token, p, version string, names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.as(token, "PUT", generic(p, name+"/"+version+"/f?status=draft"), "x").must(s.t, 201)
	}
}

// TestReleaseFinalises: a release makes all drafts of its version final, with what belongs to
// that: events, and a manifest. It touches no others.
func TestReleaseFinalises(t *testing.T) {
	s := newServer(t)
	p, other := s.project("app", "private"), s.project("other", "private")
	s.setting(p, given{"generic_package_drafts": "release"})
	s.setting(other, given{"generic_package_drafts": "release"})
	s.drafts(rootToken, p, "1.0.0", "app", "tool")
	s.drafts(rootToken, p, "1.0.1", "app")
	s.drafts(rootToken, other, "1.0.0", "app")
	before := s.newest()
	s.root("POST", releasesOf(p), given{"tag_name": "v1.0.0"}).must(t, 201)
	got := []string{}
	for _, e := range s.since(before) {
		got = append(got, fmt.Sprintf("%s %s by %s", e.Name, e.Target.Details, e.Author.Username))
	}
	want := "release_created v1.0.0 by root, package_registry_package_finalised app/1.0.0 by root, package_registry_package_finalised tool/1.0.0 by root"
	if strings.Join(got, ", ") != want {
		t.Errorf("events %q, want %q", got, want)
	}
	states := s.state(p, "app/1.0.0") + s.state(p, "tool/1.0.0") + s.state(p, "app/1.0.1") + s.state(other, "app/1.0.0")
	if states != "ffdd" {
		t.Errorf("app, tool, another version, another project are %s, want ffdd", states)
	}
	s.root("POST", releasesOf(p), given{"tag_name": "1.0.1"}).must(t, 201)
	s.root("POST", releasesOf(p), given{"tag_name": "v1.0.1"}).must(t, 201) // nothing is left
	if got := s.state(p, "app/1.0.1"); got != "f" {
		t.Errorf("after a release without v: %s", got)
	}
	for _, tag := range []string{"V1.0.0", "vv1.0.0", "v1.0.0-rc", "release/1.0.0"} {
		s.root("POST", releasesOf(other), given{"tag_name": tag}).must(t, 201)
		if got := s.state(other, "app/1.0.0"); got != "d" {
			t.Errorf("the release of %s made 1.0.0 %s", tag, got)
		}
	}
}

// TestReleaseIsRefusedWithItsDrafts: one draft that cannot become final refuses the release,
// and nothing is changed: neither the release nor the other drafts.
func TestReleaseIsRefusedWithItsDrafts(t *testing.T) {
	s := newServer(t)
	dev, devToken := s.user("dev")
	const says = `{"message":"%sthe release would make the draft app 1.0.0 final: %s"}`
	for _, tt := range []struct {
		name   string
		spoil  func(p string)
		status int
		want   string
	}{
		{"finalisers", func(p string) {
			s.root("POST", generic(p, "aaa/1.0.0"), nil).must(t, 201)
			s.setting(p, given{"generic_package_finalisers": "maintainers"})
		}, 403, fmt.Sprintf(says, "403 Forbidden - ", "generic_package_finalisers of the project is maintainers")},
		{"protection", func(p string) {
			s.root("POST", v4+"/projects/"+p+"/packages/protection/rules",
				given{"package_name_pattern": "app", "package_type": "generic", "minimum_access_level_for_push": "owner"}).must(t, 201)
		}, 403, fmt.Sprintf(says, "403 Forbidden - ", "Package protected.")},
		{"paths", func(p string) {
			s.setting(p, given{"generic_package_naming": "relaxed"})
			s.root("PUT", generic(p, "app/1.0.0/f/g?status=draft"), "x").must(t, 201)
		}, 422, ""},
		{"number", func(p string) {
			s.root("POST", generic(p, "app/1.0.0"), nil).must(t, 201)
			s.root("DELETE", generic(p, "app/1.0.0"), nil).must(t, 204)
			s.root("PUT", generic(p, "app/1.0.0/f?status=draft"), "other").must(t, 201)
		}, 409, fmt.Sprintf(says, "409 Conflict - ", "app 1.0.0 was final with another content; a version number is never used twice")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.project(tt.name, "private")
			s.member(p, dev, 30)
			s.setting(p, given{"generic_package_drafts": "release"})
			s.drafts(devToken, p, "1.0.0", "aaa", "app", "zzz")
			tt.spoil(p)
			before := s.newest()
			got := s.as(devToken, "POST", releasesOf(p), given{"tag_name": "v1.0.0", "assets": given{"links": []given{{"name": "f", "url": "https://example.com/f"}}}})
			if tt.want == "" {
				got.starts(t, tt.status, "the release would make the draft app 1.0.0 final: ")
			} else {
				got.is(t, tt.status, tt.want)
			}
			if s.newest() != before {
				t.Errorf("events %v", s.since(before))
			}
			s.root("GET", releasesOf(p)+"/v1.0.0", nil).status(t, 404)
			if got := s.state(p, "app/1.0.0") + s.state(p, "zzz/1.0.0"); got != "dd" {
				t.Errorf("the drafts are %s", got)
			}
			s.root("DELETE", generic(p, "app/1.0.0?status=draft"), nil).must(t, 204)
			s.root("POST", releasesOf(p), given{"tag_name": "v1.0.0"}).must(t, 201) // without the spoilt one
			if got := s.state(p, "aaa/1.0.0") + s.state(p, "zzz/1.0.0"); got != "ff" {
				t.Errorf("the drafts are %s", got)
			}
		})
	}
}

// TestReleaseOfTooManyDrafts: they are one transaction, so their number is bounded.
func TestReleaseOfTooManyDrafts(t *testing.T) {
	s := newServer(t)
	p := s.project("app", "private")
	s.setting(p, given{"generic_package_drafts": "release"})
	var names []string
	for i := range 101 {
		names = append(names, fmt.Sprintf("app%d", i))
	}
	s.drafts(rootToken, p, "1.0.0", names...)
	s.root("POST", releasesOf(p), given{"tag_name": "v1.0.0"}).is(t, 422,
		`{"message":"the release would make more than 100 drafts or 20000 files final; finalise some of the drafts before"}`)
	s.root("POST", generic(p, "app50/1.0.0"), nil).must(t, 201)
	s.root("POST", releasesOf(p), given{"tag_name": "v1.0.0"}).must(t, 201)
	if n := ask[int](s, `SELECT COUNT(*) FROM packages WHERE final_at IS NOT NULL`); n != 101 {
		t.Errorf("%d are final, want 101", n)
	}
}

// TestReleaseOfTooManyFiles: so is the number of their files.
func TestReleaseOfTooManyFiles(t *testing.T) {
	s := newServer(t)
	p := s.project("app", "private")
	s.setting(p, given{"generic_package_drafts": "release"})
	s.drafts(rootToken, p, "1.0.0", "a", "b", "c")
	s.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6999)
		INSERT INTO package_files (package_id, file_name, blob_id, status, created_at)
		SELECT f.package_id, 'f' || n.i, f.blob_id, f.status, f.created_at FROM n, package_files f`)
	s.root("POST", releasesOf(p), given{"tag_name": "v1.0.0"}).starts(t, 422, "the release would make more than 100 drafts or 20000 files final")
	s.root("POST", generic(p, "c/1.0.0"), nil).must(t, 201)
	began := time.Now()
	s.root("POST", releasesOf(p), given{"tag_name": "v1.0.0"}).must(t, 201)
	t.Logf("14,000 files in %v", time.Since(began))
	if got := s.state(p, "a/1.0.0") + s.state(p, "b/1.0.0"); got != "ff" {
		t.Errorf("states %s", got)
	}
}

// TestReleaseWithoutPackages: a project whose packages are off, or whose drafts do not wait for
// releases, has releases as before.
func TestReleaseWithoutPackages(t *testing.T) {
	for name, off := range map[string]func(s *server, p string){
		"level": func(s *server, p string) { s.setting(p, given{"package_registry_access_level": "disabled"}) },
		"flag": func(s *server, p string) {
			s.root("POST", v4+"/features/generic_packages", given{"value": false, "project": "root/app"}).must(s.t, 201)
		},
		"on_request": func(s *server, p string) { s.setting(p, given{"generic_package_drafts": nil}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			p := s.project("app", "private")
			s.setting(p, given{"generic_package_drafts": "release"})
			s.drafts(rootToken, p, "1.0.0", "app")
			off(s, p)
			s.root("POST", releasesOf(p), given{"tag_name": "v1.0.0"}).must(t, 201)
			if n := ask[int](s, `SELECT COUNT(*) FROM packages WHERE status = 'draft'`); n != 1 {
				t.Errorf("%d drafts are left, want 1", n)
			}
		})
	}
}

// TestReleaseAmongPublishes: publishes and the release of their version at the same time. Each
// publish that was acknowledged is in the final version, or came after the release: into an
// open version if it was the first, else it is refused. None waits in a draft for good.
func TestReleaseAmongPublishes(t *testing.T) {
	s := newServer(t)
	p := s.project("app", "private")
	s.setting(p, given{"generic_package_drafts": "release"})
	for round := range 12 {
		version := fmt.Sprintf("1.0.%d", round)
		var all sync.WaitGroup
		answers := make([]answer, 6)
		for i := range answers {
			all.Go(func() {
				if i == 3 {
					answers[i] = s.root("POST", releasesOf(p), given{"tag_name": "v" + version})
					return
				}
				answers[i] = s.root("PUT", generic(p, fmt.Sprintf("app/%s/f%d", version, i)), "x")
			})
		}
		all.Wait()
		acknowledged := 0
		for i, got := range answers {
			switch {
			case i == 3:
				got.must(t, 201)
			case got.StatusCode == 201:
				acknowledged++
			case got.StatusCode != 409:
				t.Errorf("PUT of %s: %d %s", version, got.StatusCode, got.body)
			}
		}
		if state := s.state(p, "app/"+version); state == "d" || state == "-" && acknowledged > 0 {
			t.Fatalf("%s is %q after %d acknowledged publishes and its release", version, state, acknowledged)
		}
		if acknowledged > 0 {
			if got := s.root("GET", generic(p, "app/"+version), nil).must(t, 200)["files_count"]; got != float64(acknowledged) {
				t.Errorf("%s has %v files, %d were acknowledged", version, got, acknowledged)
			}
		}
	}
}
