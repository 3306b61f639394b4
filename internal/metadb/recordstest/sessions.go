package recordstest

import (
	"slices"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
)

func sessions() []promise {
	return []promise{
		{"FindSession", "finds a session with its user and its token, even if they have ended", testFindSession},
		{"FindSession", "is NotFound if there is none, and for the secret of a token", testFindNoSession},
		{"FindSession", "is NotFound if the user or the token was deleted", testFindSessionOfGone},
		{"SessionByID", "finds what FindSession finds, and is NotFound without", testSessionByID},
		{"ListSessions", "returns the active ones of a user, the newest first", testListSessions},
		{"InsertSession", "keeps the session, and records the event", testInsertSession},
		{"InsertSession", "ends the oldest ones above the limit, and records that", testInsertSessionsAbove},
		{"InsertSession", "is NotFound if the user is blocked or deleted", testInsertSessionOfBlocked},
		{"UseSignInLink", "deletes the link and makes the session", testUseSignInLink},
		{"UseSignInLink", "is NotFound if there is no such link", testUseNoSignInLink},
		{"UseSignInLink", "keeps the link if it fails", testUseSignInLinkRefused},
		{"InsertSignInLink", "keeps the newest links, and records the event", testInsertSignInLink},
		{"InsertSignInLink", "is NotFound if the user is blocked or deleted", testInsertSignInLinkOfBlocked},
		{"EndSession", "deletes the session, and records the event", testEndSession},
		{"EndSession", "is NotFound if there is none", testEndNoSession},
		{"EndSessions", "deletes sessions and links of one user, and records each session", testEndSessions},
		{"TouchSessions", "records the last request", testTouchSessions},
		{"PurgeSessions", "deletes what is over, at most so many", testPurgeSessions},
	}
}

func newSession(userID, tokenID int64) auth.Session {
	return auth.Session{
		UserID: userID, TokenID: tokenID, Method: auth.MethodToken, Scopes: []access.Scope{access.ScopeAPI},
		SignedInAt: now(), SeenAt: now(), ExpiresAt: now().Add(time.Hour), Address: "192.0.2.1", UserAgent: "Browser",
	}
}

func (s *suite) session(t *testing.T, userID, tokenID int64) (auth.Session, auth.SecretDigest) {
	t.Helper()
	d := s.secret()
	made, err := s.InsertSession(t.Context(), newSession(userID, tokenID), d, 1000, quiet())
	return must(t, made, err), d
}

func (s *suite) link(t *testing.T, l auth.SignInLink) auth.SecretDigest {
	t.Helper()
	d := s.secret()
	must(t, 0, s.InsertSignInLink(t.Context(), l, d, 1000, quiet()))
	return d
}

func newLink(userID int64) auth.SignInLink {
	return auth.SignInLink{UserID: userID, ExpiresAt: now().Add(time.Hour)}
}

func testFindSession(t *testing.T, s *suite) {
	u := s.user(t)
	token, _ := s.token(t, u.ID)
	want, d := s.session(t, u.ID, token.ID)
	for _, dead := range []bool{false, true} {
		if dead {
			must(t, 0, s.RevokePersonalTokens(t.Context(), token.ID, false, quiet()))
		}
		found, err := s.FindSession(t.Context(), d)
		if must(t, found, err); found.Session == nil || found.Origin == nil || found.Personal != nil {
			t.Fatalf("%+v, want a session and the token that it came from", found)
		}
		wantSame(t, "the session", *found.Session, want)
		if found.Origin.ID != token.ID || found.Origin.Revoked != dead || found.User.ID != u.ID || found.Digest != d {
			t.Errorf("%+v, want token %d of user %d, revoked: %v", found, token.ID, u.ID, dead)
		}
	}
	_, d = s.session(t, u.ID, 0)
	found, err := s.FindSession(t.Context(), d)
	if must(t, found, err); found.Origin != nil || found.Session.TokenID != 0 {
		t.Errorf("%+v, want no token", found)
	}
}

func testFindNoSession(t *testing.T, s *suite) {
	_, err := s.FindSession(t.Context(), s.secret())
	wantKind(t, err, fault.NotFound)
	u := s.user(t)
	_, token := s.token(t, u.ID)
	_, session := s.session(t, u.ID, 0)
	for range 2 { // the second time it may be remembered
		_, err = s.FindSession(t.Context(), token)
		wantKind(t, err, fault.NotFound)
		found, err := s.FindToken(t.Context(), token)
		must(t, found, err)
		_, err = s.FindToken(t.Context(), session)
		wantKind(t, err, fault.NotFound)
		found, err = s.FindSession(t.Context(), session)
		must(t, found, err)
	}
}

func testFindSessionOfGone(t *testing.T, s *suite) {
	u, other := s.user(t), s.user(t)
	token, _ := s.token(t, u.ID)
	_, ofToken := s.session(t, u.ID, token.ID)
	_, ofUser := s.session(t, other.ID, 0)
	for _, d := range []auth.SecretDigest{ofToken, ofUser} { // so that they may be remembered
		found, err := s.FindSession(t.Context(), d)
		must(t, found, err)
	}
	must(t, 0, s.RevokePersonalTokens(t.Context(), token.ID, false, quiet()))
	_, err := s.InsertPersonalToken(t.Context(), newToken(u.ID), s.secret(), most(1), quiet()) // deletes it
	must(t, 0, err)
	must(t, 0, s.DeleteUser(t.Context(), other.ID, false, quiet()))
	for _, d := range []auth.SecretDigest{ofToken, ofUser} {
		_, err := s.FindSession(t.Context(), d)
		wantKind(t, err, fault.NotFound)
	}
}

func testSessionByID(t *testing.T, s *suite) {
	u := s.user(t)
	token, _ := s.token(t, u.ID)
	want, _ := s.session(t, u.ID, token.ID)
	found, err := s.SessionByID(t.Context(), want.ID)
	if must(t, found, err); found.Origin == nil || found.Origin.ID != token.ID || found.User.ID != u.ID {
		t.Errorf("%+v, want token %d of user %d", found, token.ID, u.ID)
	}
	wantSame(t, "the session", *found.Session, want)
	_, err = s.SessionByID(t.Context(), 999999)
	wantKind(t, err, fault.NotFound)
}

func testListSessions(t *testing.T, s *suite) {
	u := s.user(t)
	living, revoked := must1(s.token(t, u.ID)), must1(s.token(t, u.ID))
	first := must1(s.session(t, u.ID, living.ID))
	second := must1(s.session(t, u.ID, 0))
	s.session(t, u.ID, revoked.ID)
	must(t, 0, s.RevokePersonalTokens(t.Context(), revoked.ID, false, quiet()))
	s.session(t, s.user(t).ID, 0)
	for _, change := range []func(*auth.Session){
		func(w *auth.Session) { w.ExpiresAt = now().Add(-time.Second) },
		func(w *auth.Session) { w.SeenAt = now().Add(-auth.SessionIdle) },
	} {
		over := newSession(u.ID, 0)
		change(&over)
		_, err := s.InsertSession(t.Context(), over, s.secret(), 1000, quiet())
		must(t, 0, err)
	}
	found, err := s.ListSessions(t.Context(), u.ID, now(), all())
	wantSame(t, "the active ones", idsOf(rows(t, found, err), func(w auth.Session) int64 { return w.ID }), []int64{second.ID, first.ID})
}

// must1 is the first of two values.
func must1[T, U any](v T, _ U) T { return v }

func testInsertSession(t *testing.T, s *suite) {
	u, e := s.user(t), s.event()
	made, err := s.InsertSession(t.Context(), newSession(u.ID, 0), s.secret(), 2, e)
	must(t, 0, err)
	wantSame(t, "the target", s.wantTold(t, e, 1).Target, audit.Target{Type: "WebSession", ID: made.ID})
	e = s.event()
	e.Author = audit.Author{UserID: u.ID, Credential: audit.WebSession}
	made, err = s.InsertSession(t.Context(), newSession(u.ID, 0), s.secret(), 2, e)
	must(t, 0, err)
	if by := s.wantTold(t, e, 1).Author; by.CredentialID != made.ID {
		t.Errorf("by session %d, want the new one, %d", by.CredentialID, made.ID)
	}
}

func testInsertSessionsAbove(t *testing.T, s *suite) {
	u := s.user(t)
	oldest, _ := s.session(t, u.ID, 0)
	second, _ := s.session(t, u.ID, 0)
	other, _ := s.session(t, s.user(t).ID, 0)
	e := s.event()
	e.Entity = audit.Entity{Type: audit.User, ID: u.ID, Path: u.Username}
	third, err := s.InsertSession(t.Context(), newSession(u.ID, 0), s.secret(), 2, e)
	must(t, 0, err)
	_, err = s.SessionByID(t.Context(), oldest.ID)
	wantKind(t, err, fault.NotFound)
	for _, id := range []int64{second.ID, third.ID, other.ID} {
		_, err := s.SessionByID(t.Context(), id)
		must(t, 0, err)
	}
	ended := s.told(t, audit.Event{Name: audit.SessionEnded, At: e.At})
	if !slices.ContainsFunc(ended, func(e audit.Event) bool { return e.Target.ID == oldest.ID && e.Entity.ID == u.ID }) {
		t.Errorf("%+v does not have the end of session %d", ended, oldest.ID)
	}
}

func testInsertSessionOfBlocked(t *testing.T, s *suite) {
	for _, u := range s.blockedAndDeleted(t) {
		e := s.event()
		_, err := s.InsertSession(t.Context(), newSession(u.ID, 0), s.secret(), 10, e)
		wantKind(t, err, fault.NotFound)
		s.wantTold(t, e, 0)
	}
}

func (s *suite) blockedAndDeleted(t *testing.T) []auth.User {
	t.Helper()
	blocked, deleted := s.user(t), s.user(t)
	_, err := s.SetBlocked(t.Context(), blocked.ID, true, quiet())
	must(t, 0, err)
	must(t, 0, s.DeleteUser(t.Context(), deleted.ID, false, quiet()))
	return []auth.User{blocked, deleted}
}

func testUseSignInLink(t *testing.T, s *suite) {
	u, e, d := s.user(t), s.event(), s.secret()
	token, _ := s.token(t, u.ID)
	want := auth.SignInLink{UserID: u.ID, TokenID: token.ID, ExpiresAt: now().Add(time.Hour)}
	link := s.link(t, want)
	open := func(l auth.SignInLink, by auth.User, from *auth.PersonalToken) (auth.Session, audit.Event, error) {
		wantSame(t, "the link", l, want)
		if by.ID != u.ID || from == nil || from.ID != token.ID {
			t.Errorf("user %d and %+v, want user %d and token %d", by.ID, from, u.ID, token.ID)
		}
		return newSession(u.ID, token.ID), e, nil
	}
	made, err := s.UseSignInLink(t.Context(), link, d, 10, open)
	must(t, 0, err)
	found, err := s.FindSession(t.Context(), d)
	if must(t, found, err); found.Session.ID != made.ID || found.Session.TokenID != token.ID {
		t.Errorf("%+v, want session %d", found.Session, made.ID)
	}
	s.wantTold(t, e, 1)
	_, err = s.UseSignInLink(t.Context(), link, s.secret(), 10, open)
	wantKind(t, err, fault.NotFound)
	s.wantTold(t, e, 1)
}

func testUseNoSignInLink(t *testing.T, s *suite) {
	_, err := s.UseSignInLink(t.Context(), s.secret(), s.secret(), 10, nil)
	wantKind(t, err, fault.NotFound)
}

func testUseSignInLinkRefused(t *testing.T, s *suite) {
	u, d := s.user(t), s.secret()
	link := s.link(t, newLink(u.ID))
	_, err := s.UseSignInLink(t.Context(), link, d, 10, func(auth.SignInLink, auth.User, *auth.PersonalToken) (auth.Session, audit.Event, error) {
		return auth.Session{}, audit.Event{}, errRefused
	})
	wantRefused(t, err)
	_, err = s.FindSession(t.Context(), d)
	wantKind(t, err, fault.NotFound)
	_, err = s.UseSignInLink(t.Context(), link, d, 10, signsIn())
	must(t, 0, err)
}

// signsIn lets the user of a link in.
func signsIn() auth.OpenSession {
	return func(l auth.SignInLink, _ auth.User, _ *auth.PersonalToken) (auth.Session, audit.Event, error) {
		return newSession(l.UserID, 0), quiet(), nil
	}
}

func testInsertSignInLink(t *testing.T, s *suite) {
	u, e := s.user(t), s.event()
	links := []auth.SecretDigest{s.secret(), s.secret(), s.secret()}
	for _, d := range links {
		must(t, 0, s.InsertSignInLink(t.Context(), newLink(u.ID), d, 2, e))
	}
	s.wantTold(t, e, 3)
	for i, d := range links {
		_, err := s.UseSignInLink(t.Context(), d, s.secret(), 10, signsIn())
		if lives := !fault.Is(err, fault.NotFound); lives != (i > 0) {
			t.Errorf("link %d of 3, with room for 2: %v", i, err)
		}
	}
}

func testInsertSignInLinkOfBlocked(t *testing.T, s *suite) {
	for _, u := range s.blockedAndDeleted(t) {
		e := s.event()
		wantKind(t, s.InsertSignInLink(t.Context(), newLink(u.ID), s.secret(), 10, e), fault.NotFound)
		s.wantTold(t, e, 0)
	}
}

func testEndSession(t *testing.T, s *suite) {
	u, e := s.user(t), s.event()
	ended, d := s.session(t, u.ID, 0)
	_, other := s.session(t, u.ID, 0)
	for _, d := range []auth.SecretDigest{d, other} { // so that they may be remembered
		_, err := s.FindSession(t.Context(), d)
		must(t, 0, err)
	}
	must(t, 0, s.EndSession(t.Context(), ended.ID, e))
	_, err := s.FindSession(t.Context(), d)
	wantKind(t, err, fault.NotFound)
	_, err = s.FindSession(t.Context(), other)
	must(t, 0, err)
	wantSame(t, "the target", s.wantTold(t, e, 1).Target.ID, ended.ID)
}

func testEndNoSession(t *testing.T, s *suite) {
	e := s.event()
	wantKind(t, s.EndSession(t.Context(), 999999, e), fault.NotFound)
	s.wantTold(t, e, 0)
}

func testEndSessions(t *testing.T, s *suite) {
	u, other, e := s.user(t), s.user(t), s.event()
	_, one := s.session(t, u.ID, 0)
	_, two := s.session(t, u.ID, 0)
	_, stays := s.session(t, other.ID, 0)
	link := s.link(t, newLink(u.ID))
	for _, d := range []auth.SecretDigest{one, two, stays} {
		_, err := s.FindSession(t.Context(), d)
		must(t, 0, err)
	}
	must(t, 0, s.EndSessions(t.Context(), u.ID, e))
	for _, d := range []auth.SecretDigest{one, two} {
		_, err := s.FindSession(t.Context(), d)
		wantKind(t, err, fault.NotFound)
	}
	_, err := s.FindSession(t.Context(), stays)
	must(t, 0, err)
	_, err = s.UseSignInLink(t.Context(), link, s.secret(), 10, signsIn())
	wantKind(t, err, fault.NotFound)
	s.wantTold(t, e, 2)
}

func testTouchSessions(t *testing.T, s *suite) {
	made, _ := s.session(t, s.user(t).ID, 0)
	late := made.SeenAt.Add(time.Hour)
	must(t, 0, s.TouchSessions(t.Context(), map[int64]time.Time{made.ID: late}))
	must(t, 0, s.TouchSessions(t.Context(), map[int64]time.Time{made.ID: made.SeenAt.Add(time.Minute)})) // as another server saw it
	found, err := s.SessionByID(t.Context(), made.ID)
	must(t, 0, err)
	wantSame(t, "the last request", found.Session.SeenAt, late)
}

func testPurgeSessions(t *testing.T, s *suite) {
	u, at := s.user(t), now()
	living, _ := s.session(t, u.ID, 0)
	link := s.link(t, newLink(u.ID))
	for range 3 {
		over := newSession(u.ID, 0)
		over.ExpiresAt = at
		_, err := s.InsertSession(t.Context(), over, s.secret(), 1000, quiet())
		must(t, 0, err)
		s.link(t, auth.SignInLink{UserID: u.ID, ExpiresAt: at})
	}
	total := 0
	for range 100 {
		n, err := s.PurgeSessions(t.Context(), at, 2)
		must(t, 0, err)
		if n > 4 {
			t.Errorf("%d deleted at once, want at most 2 of each", n)
		}
		if total += n; n == 0 {
			break
		}
	}
	if total < 6 {
		t.Errorf("%d deleted, want the 6 of this test at least", total)
	}
	_, err := s.SessionByID(t.Context(), living.ID)
	must(t, 0, err)
	_, err = s.UseSignInLink(t.Context(), link, s.secret(), 10, signsIn())
	must(t, 0, err)
}
