package auth_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/metadb/metadbtest/fresh"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/throttle"
	"granary/internal/trail"
)

// room is the deeds on a fresh database, with a clock of its own.
type room struct {
	*auth.Service
	t      *testing.T
	clock  time.Time
	places *projects.Service
	trail  *trail.Service
	root   access.Actor
	ada    auth.User
}

func newRoom(t *testing.T) *room {
	t.Helper()
	db, _ := fresh.Database(t)
	r := &room{t: t, clock: time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)}
	now := func() time.Time { return r.clock }
	r.places = &projects.Service{Records: db, Now: now}
	r.trail = &trail.Service{Store: db, Places: r.places, Now: now}
	r.Service = &auth.Service{Records: db, Places: r.places, Now: now, Logins: throttle.NewLogins(now)}
	r.root = actorOf(r.user("root", true))
	r.ada = r.user("ada", false)
	return r
}

func (r *room) user(name string, admin bool) auth.User {
	r.t.Helper()
	u, err := r.NewUser(r.t.Context(), audit.Author{}, auth.User{Username: name, Name: name, Email: name + "@example.com", Admin: admin, ProjectsLimit: 10})
	return must(r.t, u, err)
}

// token makes a personal access token; expires nil is never.
func (r *room) token(u auth.User, expires *time.Time, scopes ...access.Scope) (auth.PersonalToken, string) {
	r.t.Helper()
	made, secret, err := r.CreatePersonalToken(r.t.Context(), r.root, auth.PersonalToken{UserID: u.ID, Name: "t", Scopes: scopes, ExpiresAt: expires})
	must(r.t, 0, err)
	return made, secret
}

// signedIn signs in by a token, and returns the cookie.
func (r *room) signedIn(secret string) (access.Actor, auth.Session, string) {
	r.t.Helper()
	_, cookie, err := r.SignIn(r.t.Context(), secret, client(), "Browser")
	must(r.t, 0, err)
	a, found, err := r.FindSession(r.t.Context(), cookie, client())
	must(r.t, 0, err)
	return a, found, cookie
}

func (r *room) wantOut(cookie, why string) {
	r.t.Helper()
	if _, _, err := r.FindSession(r.t.Context(), cookie, client()); !fault.Is(err, fault.Unauthenticated) {
		r.t.Errorf("%s: %v, want Unauthenticated", why, err)
	}
}

func client() netip.Addr { return netip.MustParseAddr("192.0.2.7") }

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func actorOf(u auth.User) access.Actor {
	return access.Actor{Kind: access.User, UserID: u.ID, Username: u.Username, Name: u.Name, Admin: u.Admin, TokenID: 1, Scopes: []access.Scope{access.ScopeAPI}}
}

func wantFault(t *testing.T, err error, kind fault.Kind, words string) {
	t.Helper()
	if !fault.Is(err, kind) || !strings.Contains(err.Error(), words) {
		t.Errorf("%v of kind %d, want kind %d and %q", err, fault.KindOf(err), kind, words)
	}
}

// A session acts as its user with the scopes of the token that it came from, and not longer
// than that.
func TestSignIn(t *testing.T) {
	r := newRoom(t)
	end := r.clock.Add(48 * time.Hour).Truncate(24 * time.Hour)
	token, secret := r.token(r.ada, &end, access.ScopeReadAPI)
	made, cookie, err := r.SignIn(t.Context(), " "+secret+"\n", client(), strings.Repeat("é", 300)+"\n")
	must(t, 0, err)
	a, found, err := r.FindSession(t.Context(), cookie, client())
	must(t, 0, err)
	if a.Kind != access.User || a.UserID != r.ada.ID || a.SessionID != made.ID || a.TokenID != 0 || a.Address != "192.0.2.7" || a.Has(access.ScopeAPI) || !a.Has(access.ScopeReadAPI) {
		t.Errorf("the actor is %+v", a)
	}
	if found.TokenID != token.ID || !found.ExpiresAt.Equal(end) || !found.SignedInAt.Equal(r.clock) || found.Address != "192.0.2.7" || found.UserAgent != strings.Repeat("é", 255) {
		t.Errorf("the session is %+v", found)
	}
	if len(cookie) < 52 || strings.Contains(cookie, secret) {
		t.Errorf("the cookie is %q", cookie)
	}
	_, forever := r.token(r.ada, nil, access.ScopeAPI)
	if _, found, _ := r.signedIn(forever); !found.ExpiresAt.Equal(r.clock.Add(auth.SessionLife)) {
		t.Errorf("a session of a token without an end ends at %v", found.ExpiresAt)
	}
}

// Only people's personal access tokens that are valid sign in.
func TestSignInRefused(t *testing.T) {
	r := newRoom(t)
	past := r.clock.Add(-time.Hour)
	_, expired := r.token(r.ada, &past, access.ScopeAPI)
	token, revoked := r.token(r.ada, nil, access.ScopeAPI)
	must(t, 0, r.RevokePersonalToken(t.Context(), r.root, token.ID))
	gone := r.user("gone", false)
	_, blocked := r.token(gone, nil, access.ScopeAPI)
	_, err := r.BlockUser(t.Context(), r.root, gone.ID, true)
	must(t, 0, err)
	ada, err := r.Records.FindUser(t.Context(), "ada")
	must(t, 0, err)
	p, err := r.places.CreateProject(t.Context(), actorOf(ada), ada.NamespaceID, projects.Project{Name: "tool"})
	must(t, 0, err)
	ref := p.FullPath
	_, bot, err := r.ProjectTokens().Create(t.Context(), r.root, ref, auth.PersonalToken{Name: "bot", Scopes: []access.Scope{access.ScopeAPI}, Role: access.Reporter})
	must(t, 0, err)
	_, deploy, err := r.ProjectDeployTokens().Create(t.Context(), r.root, ref, auth.DeployToken{Name: "d", Scopes: []access.Scope{access.ScopeReadPackage}})
	must(t, 0, err)
	_, job, err := r.CreateJob(t.Context(), r.root, ref, auth.Job{Name: "j"}, time.Minute)
	must(t, 0, err)
	_, good := r.token(r.ada, nil, access.ScopeAPI)
	_, _, cookie := r.signedIn(good)
	for name, tt := range map[string]struct{ secret, words string }{
		"nothing": {"", "That token is unknown, expired or revoked."}, "unknown": {"gnpat-x", "unknown, expired or revoked"},
		"too long": {strings.Repeat("x", 5000), "unknown, expired or revoked"},
		"expired":  {expired, "unknown, expired or revoked"}, "revoked": {revoked, "unknown, expired or revoked"},
		"blocked": {blocked, "blocked"}, "bot": {bot, "Only a person's"}, "deploy": {deploy, "Only a person's"}, "job": {job, "Only a person's"},
		"a cookie": {cookie, "unknown, expired or revoked"},
	} {
		_, _, err := r.SignIn(t.Context(), tt.secret, client(), "")
		if wantFault(t, err, fault.Unauthenticated, tt.words); t.Failed() {
			t.Fatal(name)
		}
	}
}

// A session is over when it is old or idle, when its token ends, when its user is blocked,
// and when it is ended; on the next request, though it is remembered.
func TestSessionEnds(t *testing.T) {
	r := newRoom(t)
	for name, end := range map[string]func(u auth.User, token auth.PersonalToken, s auth.Session, a access.Actor) error{
		"old": func(auth.User, auth.PersonalToken, auth.Session, access.Actor) error {
			for range 5 {
				r.clock = r.clock.Add(auth.SessionLife / 5)
			}
			return nil
		},
		"idle": func(auth.User, auth.PersonalToken, auth.Session, access.Actor) error {
			r.clock = r.clock.Add(auth.SessionIdle)
			return nil
		},
		"token expired": func(_ auth.User, token auth.PersonalToken, _ auth.Session, _ access.Actor) error {
			r.clock = *token.ExpiresAt
			return nil
		},
		"token revoked": func(_ auth.User, token auth.PersonalToken, _ auth.Session, _ access.Actor) error {
			return r.RevokePersonalToken(t.Context(), r.root, token.ID)
		},
		"token rotated": func(_ auth.User, token auth.PersonalToken, _ auth.Session, _ access.Actor) error {
			_, _, err := r.RotatePersonalToken(t.Context(), r.root, token.ID, nil)
			return err
		},
		"blocked": func(u auth.User, _ auth.PersonalToken, _ auth.Session, _ access.Actor) error {
			_, err := r.BlockUser(t.Context(), r.root, u.ID, true)
			return err
		},
		"deleted": func(u auth.User, _ auth.PersonalToken, _ auth.Session, _ access.Actor) error {
			return r.DeleteUser(t.Context(), r.root, u.ID, false)
		},
		"signed out": func(_ auth.User, _ auth.PersonalToken, s auth.Session, a access.Actor) error {
			return r.EndSession(t.Context(), a, s.ID)
		},
		"signed out everywhere": func(u auth.User, _ auth.PersonalToken, _ auth.Session, a access.Actor) error {
			return r.EndSessions(t.Context(), a, u.ID)
		},
		"ended by an administrator": func(_ auth.User, _ auth.PersonalToken, s auth.Session, _ access.Actor) error {
			return r.EndSession(t.Context(), r.root, s.ID)
		},
	} {
		u, in := r.user(strings.ReplaceAll(name, " ", "-"), false), r.clock.AddDate(0, 0, 3)
		if name == "old" || name == "idle" {
			in = r.clock.AddDate(1, 0, 0)
		}
		token, secret := r.token(u, &in, access.ScopeAPI)
		a, s, cookie := r.signedIn(secret)
		must(t, 0, end(u, token, s, a))
		r.wantOut(cookie, name)
	}
}

// Every request keeps a session from being idle, once what was gathered is recorded; but
// not beyond its life.
func TestSessionIsSeen(t *testing.T) {
	r := newRoom(t)
	_, secret := r.token(r.ada, nil, access.ScopeAPI)
	a, first, cookie := r.signedIn(secret)
	for range 4 {
		r.clock = r.clock.Add(auth.SessionIdle - time.Second)
		_, _, err := r.FindSession(t.Context(), cookie, client())
		must(t, 0, err)
		must(t, 0, r.Flush(t.Context()))
		must(t, 0, r.EndSessions(t.Context(), r.root, a.UserID+1000)) // what is remembered is forgotten
	}
	found, err := r.ListSessions(t.Context(), a, a.UserID, page.Request{Number: 1, Size: 10})
	if must(t, 0, err); len(found.Rows) != 1 || !found.Rows[0].SeenAt.Equal(r.clock) {
		t.Errorf("%+v, want one session that was seen at %v", found.Rows, r.clock)
	}
	r.clock = first.ExpiresAt
	r.wantOut(cookie, "after its life")
}

// Unblocking a user brings no session and no link back.
func TestBlockedForGood(t *testing.T) {
	r := newRoom(t)
	_, secret := r.token(r.ada, nil, access.ScopeAPI)
	_, _, cookie := r.signedIn(secret)
	code, _, err := r.MakeSignInLink(t.Context(), r.root, r.ada.ID)
	must(t, 0, err)
	for _, blocked := range []bool{true, false} {
		_, err := r.BlockUser(t.Context(), r.root, r.ada.ID, blocked)
		must(t, 0, err)
		r.wantOut(cookie, "blocked and unblocked")
		_, _, err = r.SignInByLink(t.Context(), code, client(), "")
		wantFault(t, err, fault.Unauthenticated, "used already")
	}
}

// A session is no token, and a token no session: in none of the places where the API looks
// for a token.
func TestSessionIsNoToken(t *testing.T) {
	r := newRoom(t)
	_, secret := r.token(r.ada, nil, access.ScopeAPI)
	_, _, cookie := r.signedIn(secret)
	r.wantOut(secret, "a token as a cookie")
	doors := auth.Doors{JobTokens: true, DeployTokens: true, Basic: true, Rotates: true}
	for name, c := range map[string]auth.Credentials{
		"PRIVATE-TOKEN": {PrivateToken: cookie}, "Bearer": {Bearer: cookie}, "job token": {JobToken: cookie}, "deploy token": {DeployToken: cookie},
		"Basic": {HasBasic: true, BasicUser: "ada", BasicPassword: cookie}, "Basic of a job": {HasBasic: true, BasicUser: "gitlab-ci-token", BasicPassword: cookie},
	} {
		c.From = client()
		a, err := r.Authenticate(t.Context(), c, doors)
		if a.Kind != access.Anonymous || err != nil && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("a cookie as %s: %+v, %v", name, a, err)
		}
		unknown := c
		for _, secret := range []*string{&unknown.PrivateToken, &unknown.Bearer, &unknown.JobToken, &unknown.DeployToken, &unknown.BasicPassword} {
			*secret = strings.ReplaceAll(*secret, cookie, "gnws-unknown")
		}
		if _, other := r.Authenticate(t.Context(), unknown, doors); fault.KindOf(other) != fault.KindOf(err) || (other == nil) != (err == nil) {
			t.Errorf("a cookie as %s: %v, and an unknown secret: %v", name, err, other)
		}
	}
	if _, _, err := r.FindSession(t.Context(), cookie, client()); err != nil {
		t.Errorf("the session afterwards: %v", err)
	}
}

// Guessing is throttled by address, at all three ways in; what is good passes.
func TestGuessesAreThrottled(t *testing.T) {
	for name, try := range map[string]func(*room, context.Context, string) error{
		"tokens": func(r *room, ctx context.Context, secret string) error {
			_, _, err := r.SignIn(ctx, secret, client(), "")
			return err
		},
		"links": func(r *room, ctx context.Context, secret string) error {
			_, _, err := r.SignInByLink(ctx, secret, client(), "")
			return err
		},
		"cookies": func(r *room, ctx context.Context, secret string) error {
			_, _, err := r.FindSession(ctx, secret, client())
			return err
		},
	} {
		r := newRoom(t)
		_, secret := r.token(r.ada, nil, access.ScopeAPI)
		_, _, cookie := r.signedIn(secret)
		code, _, err := r.MakeSignInLink(t.Context(), r.root, r.ada.ID)
		must(t, 0, err)
		refused := 0
		for i := range 400 {
			if err := try(r, t.Context(), "guess"+strings.Repeat("x", i)); !fault.Is(err, fault.Unauthenticated) {
				refused++
			}
		}
		if refused < 50 || refused > 150 {
			t.Errorf("%s: %d of 400 guesses were refused, want about 90", name, refused)
		}
		good := map[string]string{"tokens": secret, "links": code, "cookies": cookie}[name]
		must(t, 0, try(r, t.Context(), good))
	}
}
