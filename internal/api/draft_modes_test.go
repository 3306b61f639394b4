package api_test

import (
	"fmt"
	"strings"
	"testing"
)

// setting gives a project attributes.
func (s *server) setting(p string, attributes given) {
	s.t.Helper()
	s.root("PUT", v4+"/projects/"+p, attributes).must(s.t, 200)
}

// state is what is there of a version: "-" nothing, "d" a draft, "o" open, "f" final. It is
// asked of a caller that may publish, and of one that may only read, who sees no draft.
func (s *server) state(p, version string) string {
	s.t.Helper()
	at := generic(p, version)
	found := s.root("GET", at, nil)
	seen := s.root("GET", v4+"/projects/"+p+"/packages?package_name="+strings.Split(version, "/")[0], nil).column(s.t, "version")
	if s.root("GET", at+"?status=draft", nil).StatusCode == 200 {
		if found.StatusCode != 404 || strings.Contains(seen, strings.Split(version, "/")[1]) {
			s.t.Errorf("the draft %s is seen: %d %s, listed %q", version, found.StatusCode, found.body, seen)
		}
		return "d"
	}
	switch {
	case found.StatusCode == 404:
		return "-"
	case found.must(s.t, 200)["final_at"] == nil:
		return "o"
	}
	return "f"
}

// TestDraftModes is the order in which tools make their calls, in each setting: what is there
// of the version after each call. "put" is a PUT, "release" creates v1.0.0, "post" finalises,
// and "success" and "failed" end the job, whose token made the PUTs if there is one.
func TestDraftModes(t *testing.T) {
	s := newServer(t)
	for _, tool := range []struct {
		name, order string
		job         bool
		want        map[string]string // by setting
	}{
		{"semantic-release, release-it, GoReleaser uploads", "put put release", false,
			map[string]string{"on_request": "o o o", "always": "d d d", "release": "d d f", "job": "o o o"}},
		{"the same in a job", "put put release success", true,
			map[string]string{"on_request": "o o o o", "always": "d d d d", "release": "d d f f", "job": "d d d f"}},
		{"GoReleaser release", "release put put", false,
			map[string]string{"on_request": "- o o", "always": "- d d", "release": "- o o", "job": "- o o"}},
		{"the same in a job", "release put put success", true,
			map[string]string{"on_request": "- o o o", "always": "- d d d", "release": "- o o o", "job": "- d d f"}},
		{"the same, and a POST", "release put post", false,
			map[string]string{"on_request": "- o f", "always": "- d f", "release": "- o f", "job": "- o f"}},
		{"curl and a POST", "put put post post", false,
			map[string]string{"on_request": "o o f f", "always": "d d f f", "release": "d d f f", "job": "o o f f"}},
		{"a job that failed", "put put failed", true,
			map[string]string{"on_request": "o o o", "always": "d d d", "release": "d d d", "job": "d d -"}},
		{"a job that was canceled and ran again", "put canceled put success", true,
			map[string]string{"on_request": "o o o o", "always": "d d d d", "release": "d d d d", "job": "d - d f"}},
		{"a stage and a release later", "put success release", true,
			map[string]string{"on_request": "o o o", "always": "d d d", "release": "d d f", "job": "d f f"}},
	} {
		for mode, want := range tool.want {
			t.Run(tool.name+", "+mode, func(t *testing.T) {
				p := s.project(fmt.Sprintf("app%d", s.newest()), "private")
				s.setting(p, given{"generic_package_drafts": mode})
				if got := s.play(p, tool.order, tool.job); got != want {
					t.Errorf("%s: %s, want %s", tool.order, got, want)
				}
			})
		}
	}
}

// play makes the calls of an order, and returns the state after each.
func (s *server) play(p, order string, job bool) string {
	s.t.Helper()
	at, seen := generic(p, "app/1.0.0"), []string{}
	header, jobID := "PRIVATE-TOKEN: "+rootToken, ""
	for i, step := range strings.Fields(order) {
		if job && jobID == "" {
			var secret string
			jobID, secret = s.job(rootToken, p)
			header = "JOB-TOKEN: " + secret
		}
		switch step {
		case "put":
			s.do("PUT", at+"/file"+itoa(int64(i)), strings.NewReader("x"), header).must(s.t, 201)
		case "release":
			s.do("POST", releasesOf(p), strings.NewReader("tag_name=v1.0.0"), header, "Content-Type: application/x-www-form-urlencoded").must(s.t, 201)
		case "post":
			if got := s.do("POST", at, nil, header); got.StatusCode != 200 && got.StatusCode != 201 {
				s.t.Errorf("POST: %d %s", got.StatusCode, got.body)
			}
		default:
			s.root("PUT", v4+"/projects/"+p+"/jobs/"+jobID, given{"status": step}).must(s.t, 200)
			jobID = ""
		}
		seen = append(seen, s.state(p, "app/1.0.0"))
	}
	return strings.Join(seen, " ")
}

// TestDraftModeOfTheServer: a project without the setting has the server's.
func TestDraftModeOfTheServer(t *testing.T) {
	s := newServer(t)
	s.registry.Drafts = "always"
	p, open := s.project("app", "private"), s.project("open", "private")
	s.setting(open, given{"generic_package_drafts": "on_request"})
	s.root("PUT", generic(p, "app/1.0.0/f"), "x").must(t, 201)
	s.root("PUT", generic(open, "app/1.0.0/f"), "x").must(t, 201)
	if got := s.state(p, "app/1.0.0") + s.state(open, "app/1.0.0"); got != "do" {
		t.Errorf("%s, want a draft and an open version", got)
	}
}

// TestDraftModeChanges: a setting that changes in the middle of a release changes what the
// next call does, and nothing that is there.
func TestDraftModeChanges(t *testing.T) {
	s := newServer(t)
	p := s.project("app", "private")
	put := func(version, file string) answer { return s.root("PUT", generic(p, "app/"+version+"/"+file), "x") }

	put("1.0.0", "a").must(t, 201) // open
	s.setting(p, given{"generic_package_drafts": "always"})
	put("1.0.0", "b").must(t, 201)
	if got := s.state(p, "app/1.0.0"); got != "o" {
		t.Errorf("an open version is %s", got)
	}
	put("2.0.0", "a").must(t, 201)
	s.setting(p, given{"generic_package_drafts": "on_request"})
	put("2.0.0", "b").is(t, 409, `{"message":"409 Conflict - app 2.0.0 is a draft; add ?status=draft, or finalise it first"}`)
	s.root("POST", releasesOf(p), given{"tag_name": "v2.0.0"}).must(t, 201)
	if got := s.state(p, "app/2.0.0"); got != "d" {
		t.Errorf("a draft of another setting is %s after its release", got)
	}
	s.setting(p, given{"generic_package_drafts": "release"})
	put("2.0.0", "b").is(t, 409, `{"message":"409 Conflict - app 2.0.0 is a draft; add ?status=draft, or finalise it first"}`) // its release exists
	put("2.0.0", "b?status=draft").must(t, 201)
	s.root("POST", generic(p, "app/2.0.0"), nil).must(t, 201)

	put("3.0.0", "a").must(t, 201)
	s.setting(p, given{"generic_package_drafts": "always"})
	put("3.0.0", "b").must(t, 201)
	s.setting(p, given{"generic_package_drafts": "release"})
	s.root("POST", releasesOf(p), given{"tag_name": "3.0.0"}).must(t, 201)
	if got := s.root("GET", generic(p, "app/3.0.0"), nil).must(t, 200); got["final_at"] == nil || got["files_count"] != 2.0 {
		t.Errorf("the draft of two settings is not final with its release: %v", got)
	}
}
