package recordstest

import (
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
)

func deployTokens() []promise {
	return []promise{
		{"ListDeployTokens", "returns those that the filter chooses", testListDeployTokens},
		{"InsertDeployToken", "keeps the token, and names the user after the id", testInsertDeployToken},
		{"InsertDeployToken", "is Full with as many in the place as the limit", testInsertDeployTokenFull},
		{"DeleteDeployToken", "records the event if there was such a token", testDeleteDeployToken},
	}
}

func newDeployToken(at projects.Place, by auth.User) auth.DeployToken {
	return auth.DeployToken{
		ProjectID: at.ProjectID, GroupID: at.GroupID, Name: "deploy", Scopes: []access.Scope{access.ScopeReadPackage, access.ScopeWritePackage},
		CreatorID: by.ID, CreatedAt: now(),
	}
}

func (s *suite) deployToken(t *testing.T, token auth.DeployToken) auth.DeployToken {
	t.Helper()
	made, err := s.InsertDeployToken(t.Context(), token, s.secret(), roomy(), quiet())
	return must(t, made, err)
}

func testListDeployTokens(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	ofGroup := s.deployToken(t, newDeployToken(inGroup(g.ID), u))
	old := newDeployToken(inProject(p.ID), u)
	old.ExpiresAt = new(now().Add(-time.Hour))
	ended, living := s.deployToken(t, old), s.deployToken(t, newDeployToken(inProject(p.ID), u))
	for _, tt := range []struct {
		name string
		f    auth.DeployTokenFilter
		want []int64
	}{
		{"one of any place", auth.DeployTokenFilter{ID: ofGroup.ID}, []int64{ofGroup.ID}},
		{"of a group", auth.DeployTokenFilter{GroupID: g.ID}, []int64{ofGroup.ID}},
		{"of a project, as they were made", auth.DeployTokenFilter{ProjectID: p.ID}, []int64{ended.ID, living.ID}},
		{"active", auth.DeployTokenFilter{ProjectID: p.ID, Active: true, Now: now()}, []int64{living.ID}},
		{"one of another place", auth.DeployTokenFilter{GroupID: g.ID, ID: living.ID}, []int64{}},
	} {
		found, err := s.ListDeployTokens(t.Context(), tt.f, all())
		wantSame(t, tt.name, idsOf(rows(t, found, err), func(t auth.DeployToken) int64 { return t.ID }), tt.want)
	}
}

func testInsertDeployToken(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	for _, username := range []string{"", "robot"} {
		want, e, d := newDeployToken(inGroup(g.ID), u), s.event(), s.secret()
		want.Username, want.ExpiresAt = username, new(now().Add(time.Hour))
		made, err := s.InsertDeployToken(t.Context(), want, d, roomy(), e)
		must(t, 0, err)
		if want.ID = made.ID; username == "" {
			want.Username = "gitlab+deploy-token-" + id(made.ID)
		}
		wantSame(t, "what is returned", made, want)
		found, err := s.FindToken(t.Context(), d)
		must(t, 0, err)
		wantSame(t, "what is kept", found.Deploy, &want)
		wantSame(t, "the target", s.wantTold(t, e, 1).Target.ID, made.ID)
	}
}

func testInsertDeployTokenFull(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	for _, at := range []projects.Place{inGroup(g.ID), inProject(p.ID)} {
		e, d := s.event(), s.secret()
		s.deployToken(t, newDeployToken(at, u))
		_, err := s.InsertDeployToken(t.Context(), newDeployToken(at, u), d, most(1), e)
		wantFull(t, err, 1)
		_, err = s.FindToken(t.Context(), d)
		wantKind(t, err, fault.NotFound)
		s.wantTold(t, e, 0)
	}
}

func testDeleteDeployToken(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	e, d := s.event(), s.secret()
	made, err := s.InsertDeployToken(t.Context(), newDeployToken(inGroup(g.ID), u), d, roomy(), quiet())
	must(t, 0, err)
	for range 2 { // the second finds none
		must(t, 0, s.DeleteDeployToken(t.Context(), made.ID, e))
		s.wantTold(t, e, 1)
	}
	_, err = s.FindToken(t.Context(), d)
	wantKind(t, err, fault.NotFound)
}
