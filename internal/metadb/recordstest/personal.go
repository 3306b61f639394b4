package recordstest

import (
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
)

func personalTokens() []promise {
	return []promise{
		{"FindPersonalToken", "finds a token, and is NotFound without", testFindPersonalToken},
		{"ListPersonalTokens", "returns those that the filter chooses", testListPersonalTokens},
		{"InsertPersonalToken", "keeps the token, and tells", testInsertPersonalToken},
		{"InsertPersonalToken", "is Full with as many living tokens as the limit", testInsertPersonalTokenFull},
		{"InsertPersonalToken", "forgets the oldest dead one before", testInsertPersonalTokenForgets},
		{"RotatePersonalToken", "revokes the token and inserts its successor", testRotatePersonalToken},
		{"RotatePersonalToken", "is a Conflict if it was revoked already", testRotateRevokedToken},
		{"RevokePersonalTokens", "revokes one, or the family, and tells of each", testRevokePersonalTokens},
		{"RevokePersonalTokens", "tells of the owner, or of the place of the bot", testRevokeTellsOf},
	}
}

func testFindPersonalToken(t *testing.T, s *suite) {
	made, _ := s.token(t, s.user(t).ID)
	found, err := s.FindPersonalToken(t.Context(), made.ID)
	wantSame(t, "the token", must(t, found, err), made)
	_, err = s.FindPersonalToken(t.Context(), 999999)
	wantKind(t, err, fault.NotFound)
}

func testListPersonalTokens(t *testing.T, s *suite) {
	u, g, _ := s.home(t)
	old := newToken(u.ID)
	old.Name, old.ExpiresAt = "Ended Token", new(now().Add(-time.Hour))
	ended, err := s.InsertPersonalToken(t.Context(), old, s.secret(), roomy(), quiet())
	must(t, 0, err)
	living, _ := s.token(t, u.ID)
	revoked, _ := s.token(t, u.ID)
	must(t, 0, s.RevokePersonalTokens(t.Context(), revoked.ID, false, quiet()))
	bots := s.bot(t, s.newBot(inGroup(g.ID)), s.secret(), access.Reporter)
	for _, tt := range []struct {
		name string
		f    auth.TokenFilter
		want []int64
	}{
		{"of a user, as they were made", auth.TokenFilter{UserID: u.ID}, []int64{ended.ID, living.ID, revoked.ID}},
		{"one", auth.TokenFilter{ID: living.ID}, []int64{living.ID}},
		{"of a group", auth.TokenFilter{GroupID: g.ID}, []int64{bots.ID}},
		{"by name", auth.TokenFilter{UserID: u.ID, Search: "eNDed"}, []int64{ended.ID}},
		{"revoked", auth.TokenFilter{UserID: u.ID, Revoked: new(true)}, []int64{revoked.ID}},
		{"active", auth.TokenFilter{UserID: u.ID, Active: new(true), Now: now()}, []int64{living.ID}},
		{"not active", auth.TokenFilter{UserID: u.ID, Active: new(false), Now: now()}, []int64{ended.ID, revoked.ID}},
		{"expiring before", auth.TokenFilter{UserID: u.ID, ExpiresBefore: now()}, []int64{ended.ID}},
	} {
		found, err := s.ListPersonalTokens(t.Context(), tt.f, all())
		wantSame(t, tt.name, idsOf(rows(t, found, err), func(t auth.PersonalToken) int64 { return t.ID }), tt.want)
	}
}

func testInsertPersonalToken(t *testing.T, s *suite) {
	want, e := newToken(s.user(t).ID), s.event()
	want.ExpiresAt = new(now().Add(time.Hour))
	made, err := s.InsertPersonalToken(t.Context(), want, s.secret(), roomy(), e)
	must(t, 0, err)
	want.ID, want.Family = made.ID, made.ID
	found, err := s.FindPersonalToken(t.Context(), made.ID)
	wantSame(t, "the token", must(t, found, err), want)
	wantSame(t, "the target", s.wantTold(t, e, 1).Target, audit.Target{Type: "PersonalAccessToken", ID: made.ID, Details: made.Name})
}

func testInsertPersonalTokenFull(t *testing.T, s *suite) {
	u, e, d := s.user(t), s.event(), s.secret()
	s.token(t, u.ID)
	s.token(t, u.ID)
	_, err := s.InsertPersonalToken(t.Context(), newToken(u.ID), d, most(2), e)
	wantFull(t, err, 2)
	s.wantTold(t, e, 0)
	_, err = s.FindToken(t.Context(), d)
	wantKind(t, err, fault.NotFound)
}

func testInsertPersonalTokenForgets(t *testing.T, s *suite) {
	u := s.user(t)
	living, _ := s.token(t, u.ID)
	ended := newToken(u.ID)
	ended.ExpiresAt = new(now().Add(-time.Hour))
	oldest, err := s.InsertPersonalToken(t.Context(), ended, s.secret(), roomy(), quiet())
	must(t, 0, err)
	revoked, _ := s.token(t, u.ID)
	must(t, 0, s.RevokePersonalTokens(t.Context(), revoked.ID, false, quiet()))
	made, err := s.InsertPersonalToken(t.Context(), newToken(u.ID), s.secret(), most(3), quiet())
	must(t, 0, err)
	found, err := s.ListPersonalTokens(t.Context(), auth.TokenFilter{UserID: u.ID}, all())
	got := idsOf(rows(t, found, err), func(t auth.PersonalToken) int64 { return t.ID })
	wantSame(t, "what is left without "+id(oldest.ID), got, []int64{living.ID, revoked.ID, made.ID})
}

func testRotatePersonalToken(t *testing.T, s *suite) {
	first, _ := s.token(t, s.user(t).ID)
	e, d := s.event(), s.secret()
	next, err := s.RotatePersonalToken(t.Context(), first.ID, first, d, roomy(), e)
	must(t, 0, err)
	if next.ID == first.ID || next.Family != first.Family {
		t.Errorf("the successor is %d of family %d, want another than %d of family %d", next.ID, next.Family, first.ID, first.Family)
	}
	before, err := s.FindPersonalToken(t.Context(), first.ID)
	if must(t, before, err); !before.Revoked {
		t.Error("the token is not revoked")
	}
	found, err := s.FindToken(t.Context(), d)
	if must(t, found, err); found.Personal == nil || found.Personal.ID != next.ID || found.Personal.Revoked {
		t.Errorf("%+v, want the successor %d", found.Personal, next.ID)
	}
	s.wantTold(t, e, 1)
}

func testRotateRevokedToken(t *testing.T, s *suite) {
	first, _ := s.token(t, s.user(t).ID)
	must(t, 0, s.RevokePersonalTokens(t.Context(), first.ID, false, quiet()))
	e, d := s.event(), s.secret()
	_, err := s.RotatePersonalToken(t.Context(), first.ID, first, d, roomy(), e)
	wantKind(t, err, fault.Conflict)
	_, err = s.FindToken(t.Context(), d)
	wantKind(t, err, fault.NotFound)
	s.wantTold(t, e, 0)
}

func testRevokePersonalTokens(t *testing.T, s *suite) {
	u, e := s.user(t), s.event()
	first, _ := s.token(t, u.ID)
	second, err := s.RotatePersonalToken(t.Context(), first.ID, first, s.secret(), roomy(), quiet())
	must(t, 0, err)
	third, err := s.RotatePersonalToken(t.Context(), second.ID, second, s.secret(), roomy(), quiet())
	must(t, 0, err)
	stranger, _ := s.token(t, u.ID)
	must(t, 0, s.RevokePersonalTokens(t.Context(), first.ID, false, e))
	s.wantTold(t, e, 0) // it is revoked
	must(t, 0, s.RevokePersonalTokens(t.Context(), first.ID, true, e))
	wantSame(t, "the one told of", s.wantTold(t, e, 1).Target.ID, third.ID)
	for id, revoked := range map[int64]bool{first.ID: true, second.ID: true, third.ID: true, stranger.ID: false} {
		found, err := s.FindPersonalToken(t.Context(), id)
		if must(t, found, err); found.Revoked != revoked {
			t.Errorf("token %d is revoked: %v, want %v", id, found.Revoked, revoked)
		}
	}
	must(t, 0, s.RevokePersonalTokens(t.Context(), stranger.ID, false, e))
	s.wantTold(t, e, 2)
}

func testRevokeTellsOf(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	mine, _ := s.token(t, u.ID)
	ofGroup := s.bot(t, s.newBot(inGroup(g.ID)), s.secret(), access.Reporter)
	ofProject := s.bot(t, s.newBot(inProject(p.ID)), s.secret(), access.Reporter)
	for id, want := range map[int64]audit.Entity{
		mine.ID:      {Type: audit.User, ID: u.ID, Path: u.Username},
		ofGroup.ID:   {Type: audit.Group, ID: g.ID, Path: g.FullPath},
		ofProject.ID: {Type: audit.Project, ID: p.ID, Path: p.FullPath},
	} {
		e := s.event()
		e.Entity = audit.Entity{}
		must(t, 0, s.RevokePersonalTokens(t.Context(), id, false, e))
		wantSame(t, "the place", s.wantTold(t, e, 1).Entity, want)
	}
	given, _ := s.token(t, u.ID)
	e := s.event()
	must(t, 0, s.RevokePersonalTokens(t.Context(), given.ID, false, e))
	wantSame(t, "the place that was given", s.wantTold(t, e, 1).Entity, audit.WholeInstance())
}
