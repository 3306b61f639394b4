package api_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestFinalisersOfAutomaticFinalising: generic_package_finalisers holds for releases and ends
// of jobs as for a POST. A refused release is not made, a refused draft stays one.
func TestFinalisersOfAutomaticFinalising(t *testing.T) {
	s := newServer(t)
	type caller struct {
		name   string
		header func(p string) string
		want   map[string]bool // by setting: may finalise
	}
	personal := func(role int) func(string) string {
		return func(p string) string {
			id, token := s.user(fmt.Sprintf("user%d", s.newest()))
			s.member(p, id, role)
			return "PRIVATE-TOKEN: " + token
		}
	}
	token := func(header func(string) string, token string) string {
		return strings.TrimPrefix(header(token), "PRIVATE-TOKEN: ")
	}
	callers := []caller{
		{"developer", personal(30), map[string]bool{"publishers": true}},
		{"maintainer", personal(40), map[string]bool{"publishers": true, "maintainers": true, "people": true}},
		{"administrator", func(string) string { return "PRIVATE-TOKEN: " + rootToken }, map[string]bool{"publishers": true, "maintainers": true, "people": true}},
		{"developer's job", func(p string) string { _, secret := s.job(token(personal(30), p), p); return "JOB-TOKEN: " + secret }, map[string]bool{"publishers": true}},
		{"maintainer's job", func(p string) string { _, secret := s.job(token(personal(40), p), p); return "JOB-TOKEN: " + secret },
			map[string]bool{"publishers": true, "maintainers": true}},
		{"maintainer's bot", func(p string) string {
			made := s.root("POST", v4+"/projects/"+p+"/access_tokens", given{"name": "bot", "scopes": []string{"api"}, "access_level": 40, "expires_at": "2099-12-31"}).must(t, 201)
			return "PRIVATE-TOKEN: " + made["token"].(string)
		}, map[string]bool{"publishers": true, "maintainers": true}},
	}
	for _, c := range callers {
		for _, finalisers := range []string{"publishers", "maintainers", "people"} {
			name := fmt.Sprintf("%s, %s", c.name, finalisers)
			p := s.project(fmt.Sprintf("app%d", s.newest()), "private")
			header := c.header(p)
			s.setting(p, given{"generic_package_finalisers": finalisers, "generic_package_drafts": "release"})
			want := map[bool]string{true: "f", false: "d"}[c.want[finalisers]]

			s.drafts(rootToken, p, "1.0.0", "app")
			s.do("POST", releasesOf(p)+"?tag_name=v1.0.0", nil, header).status(t, map[bool]int{true: 201, false: 403}[c.want[finalisers]])
			if got := s.state(p, "app/1.0.0"); got != want {
				t.Errorf("%s, release: %s, want %s", name, got, want)
			}

			s.drafts(rootToken, p, "1.0.1", "app")
			s.do("POST", generic(p, "app/1.0.1"), nil, header).status(t, map[bool]int{true: 201, false: 403}[c.want[finalisers]])
			if got := s.state(p, "app/1.0.1"); got != want {
				t.Errorf("%s, POST: %s, want %s", name, got, want)
			}

			s.setting(p, given{"generic_package_drafts": "job"})
			at, job := s.jobOf(p, header)
			s.putBy(job, p, "app/1.0.2/f")
			ended := s.do("PUT", at+"?status=success", nil, header).must(t, 200)
			if got := s.state(p, "app/1.0.2"); got != want {
				t.Errorf("%s, end of a job: %s, want %s: %v", name, got, want, ended["drafts"])
			}
			if why := draftsIn(t, ended); want == "d" && why != "app 1.0.2 draft generic_package_finalisers of the project is "+finalisers {
				t.Errorf("%s: %q", name, why)
			}
		}
	}
}

// jobOf is a job that the caller may end: its own if it is one, else one that it starts.
func (s *server) jobOf(p, header string) (at, token string) {
	s.t.Helper()
	jobs := v4 + "/projects/" + p + "/jobs/"
	if strings.HasPrefix(header, "JOB-TOKEN: ") {
		return jobs + id(s.do("GET", v4+"/job", nil, header).must(s.t, 200)), header
	}
	made := s.do("POST", strings.TrimSuffix(jobs, "/"), nil, header).must(s.t, 201)
	return jobs + id(made), "JOB-TOKEN: " + made["token"].(string)
}

// TestFinalisersOfPlainPublishes: who may not make a version final cannot publish an open
// one either, by any setting of drafts, nor add to one: else the rule would be a detour.
func TestFinalisersOfPlainPublishes(t *testing.T) {
	s := newServer(t)
	for _, mode := range []string{"on_request", "always", "release", "job"} {
		p := s.project("app-"+strings.ReplaceAll(mode, "_", "-"), "private")
		s.root("PUT", generic(p, "open/1.0.0/f"), "x").must(t, 201)
		s.root("POST", v4+"/projects/"+p+"/releases", given{"tag_name": "v2.0.0"}).must(t, 201)
		s.setting(p, given{"generic_package_drafts": mode, "generic_package_finalisers": "people"})
		_, job := s.jobIn(p)
		s.putBy(job, p, "app/1.0.0/f")
		s.putBy(job, p, "app/2.0.0/f") // its release is there
		if got := s.state(p, "app/1.0.0") + s.state(p, "app/2.0.0"); got != "dd" {
			t.Errorf("%s: a job published %s", mode, got)
		}
		s.do("PUT", generic(p, "open/1.0.0/f"), strings.NewReader("other"), job).status(t, 409)
		s.do("POST", generic(p, "app/1.0.0"), nil, job).status(t, 403)
		s.root("POST", generic(p, "app/1.0.0"), nil).must(t, 201)
	}
}
