package ui_test

import (
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/metadb/metadbtest"
	"granary/internal/projects"
	"granary/internal/webhooks"
)

// member makes a project of a group with a person as its maintainer.
func (s *site) member(groupID int64, path, person string) projects.Project {
	s.t.Helper()
	p, err := s.places.CreateProject(s.t.Context(), s.actor("admin"), groupID, projects.Project{Path: path, PackageAccess: access.PackagesEnabled})
	if err == nil {
		_, err = s.places.ProjectMembers().Add(s.t.Context(), s.actor("admin"), itoa(p.ID), projects.Member{UserID: s.person(person).ID, Role: access.Maintainer})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// failingHook makes a webhook that has failed often enough to rest.
func (s *site) failingHook(project string) {
	s.t.Helper()
	h, err := s.hooks.Create(s.t.Context(), s.actor("admin"), project, webhooks.Edit{URL: new("https://example.com/" + project)})
	for range 4 {
		if err == nil {
			err = s.db.RecordAttempt(s.t.Context(), webhooks.Attempt{HookID: h.ID, Status: 500, CreatedAt: s.now()})
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestHomeOfManyProjects: somebody who is a member of three hundred projects sees ten of them,
// what was published last in the newest two hundred, and twenty webhooks that fail, at no
// more queries than others; and nothing of projects of others.
func TestHomeOfManyProjects(t *testing.T) {
	s := newSite(t)
	asked := countReads(t, s.db)
	g, err := s.places.CreateGroup(t.Context(), s.actor("admin"), projects.Group{Path: "many", Name: "many"})
	if err != nil {
		t.Fatal(err)
	}
	const all = 300
	for i := range all {
		p := s.member(g.ID, "p"+itoa(int64(i)), "ada")
		if i%10 == 0 {
			s.publish(p.FullPath, "tool", "1.0.0", "f", "f")
			s.failingHook(p.FullPath)
		}
	}
	s.member(g.ID, "other", "eve")
	s.failingHook("many/other")
	off := s.member(g.ID, "off", "ada")
	for _, path := range []string{"many/other", "many/off", "many/p150", "many/p0"} {
		s.skew += time.Second
		s.publish(path, "tool", "2.0.0", "f", "f")
	}
	if _, err := s.places.EditProject(t.Context(), s.actor("admin"), itoa(off.ID), projects.ProjectEdit{PackageAccess: new(access.PackagesDisabled)}); err != nil {
		t.Fatal(err)
	}
	b := s.as("ada")
	b.get("/").wants(t, 200)
	before := asked.Load()
	got := b.get("/").wants(t, 200, "more than 10 projects of yours").lacks(t, "many/other", "/off/")
	most := int64(6)
	if metadbtest.Wanted() {
		most += 6
	}
	if n := asked.Load() - before; n > most {
		t.Errorf("%d queries, want at most %d", n, most)
	}
	if n := strings.Count(got.body, "See attempts"); n != 20 {
		t.Errorf("%d webhooks fail, want 20", n)
	}
	var lately []string
	for _, link := range got.parse(t).links() {
		if place, _, is := strings.Cut(link, "/-/packages/generic/tool/"); is {
			lately = append(lately, place)
		}
	}
	want := "/many/p150 /many/p290 /many/p280 /many/p270 /many/p260 /many/p250 /many/p240 /many/p230 /many/p220 /many/p210"
	if strings.Join(lately, " ") != want {
		t.Errorf("published lately: %v", lately)
	}
}
