package auth_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/trail"
)

// Who makes which links, and how long they work.
func TestMakeSignInLink(t *testing.T) {
	r := newRoom(t)
	end := r.clock.Add(72 * time.Hour).Truncate(24 * time.Hour)
	token, secret := r.token(r.ada, &end, access.ScopeReadAPI)
	own, err := r.Authenticate(t.Context(), auth.Credentials{PrivateToken: secret, From: client()}, auth.Doors{})
	must(t, 0, err)
	console := r.root
	console.Console, console.TokenID = true, 0
	for name, tt := range map[string]struct {
		by     access.Actor
		life   time.Duration
		token  int64
		scopes access.Scope
		ends   time.Time
	}{
		"oneself":           {own, time.Minute, token.ID, access.ScopeReadAPI, end},
		"by administrators": {r.root, 24 * time.Hour, 0, access.ScopeAPI, r.clock.Add(auth.SessionLife)},
		"on the server":     {console, time.Hour, 0, access.ScopeAPI, r.clock.Add(auth.SessionLife)},
	} {
		code, expires, err := r.MakeSignInLink(t.Context(), tt.by, r.ada.ID)
		if must(t, 0, err); !expires.Equal(r.clock.Add(tt.life)) {
			t.Errorf("%s: until %v, want %s", name, expires, tt.life)
		}
		made, cookie, err := r.SignInByLink(t.Context(), code, client(), "Browser")
		must(t, 0, err)
		a, found, err := r.FindSession(t.Context(), cookie, client())
		must(t, 0, err)
		if a.UserID != r.ada.ID || a.Admin || found.ID != made.ID || found.TokenID != tt.token || len(a.Scopes) != 1 || !a.Has(tt.scopes) || !found.ExpiresAt.Equal(tt.ends) {
			t.Errorf("%s: %+v of %+v", name, a, found)
		}
		_, _, err = r.SignInByLink(t.Context(), code, client(), "")
		wantFault(t, err, fault.Unauthenticated, "used already") // once

		code, expires, err = r.MakeSignInLink(t.Context(), tt.by, r.ada.ID)
		must(t, 0, err)
		now := r.clock
		r.clock = expires
		_, _, err = r.SignInByLink(t.Context(), code, client(), "")
		wantFault(t, err, fault.Unauthenticated, "used already") // too old
		r.clock = now
	}
}

// A link is no way around: not for others, not by what is no person's own token, not to who
// is blocked or a bot.
func TestSignInLinkRefused(t *testing.T) {
	r := newRoom(t)
	_, secret := r.token(r.ada, nil, access.ScopeAPI)
	session, _, _ := r.signedIn(secret)
	ada, bot, sudo, job := actorOf(r.ada), actorOf(r.ada), actorOf(r.ada), actorOf(r.ada)
	bot.Bot, sudo.SudoID, job.Kind, job.TokenID = true, r.root.UserID, access.Job, 0
	readOnly := r.root
	readOnly.Scopes = []access.Scope{access.ScopeReadAPI}
	gone := r.user("gone", false)
	_, err := r.BlockUser(t.Context(), r.root, gone.ID, true)
	must(t, 0, err)
	for name, tt := range map[string]struct {
		by   access.Actor
		user int64
		kind fault.Kind
	}{
		"nobody":                    {access.Actor{}, r.ada.ID, fault.Unauthenticated},
		"another":                   {ada, r.root.UserID, fault.Denied},
		"a session, for itself":     {session, r.ada.ID, fault.Denied},
		"a bot, for itself":         {bot, r.ada.ID, fault.Denied},
		"by sudo":                   {sudo, r.ada.ID, fault.Denied},
		"a job":                     {job, r.ada.ID, fault.Denied},
		"administrator, read only":  {readOnly, r.ada.ID, fault.InsufficientScope},
		"administrator, of blocked": {r.root, gone.ID, fault.Denied},
		"administrator, of nobody":  {r.root, 999999, fault.Hidden},
	} {
		if _, _, err := r.MakeSignInLink(t.Context(), tt.by, tt.user); !fault.Is(err, tt.kind) {
			t.Errorf("%s: %v of kind %d, want %d", name, err, fault.KindOf(err), tt.kind)
		}
	}
	for _, code := range []string{"", " ", "gnsl-x", strings.Repeat("x", 5000), secret} {
		_, _, err := r.SignInByLink(t.Context(), code, client(), "")
		wantFault(t, err, fault.Unauthenticated, "used already")
	}
}

// The link of a token that ended meanwhile signs nobody in.
func TestSignInLinkOfEndedToken(t *testing.T) {
	r := newRoom(t)
	token, secret := r.token(r.ada, nil, access.ScopeAPI)
	own, err := r.Authenticate(t.Context(), auth.Credentials{PrivateToken: secret}, auth.Doors{})
	must(t, 0, err)
	code, _, err := r.MakeSignInLink(t.Context(), own, r.ada.ID)
	must(t, 0, err)
	must(t, 0, r.RevokePersonalToken(t.Context(), r.root, token.ID))
	_, _, err = r.SignInByLink(t.Context(), code, client(), "")
	wantFault(t, err, fault.Unauthenticated, "used already")
}

// Of those who use a link at once, one is signed in.
func TestSignInLinkAtOnce(t *testing.T) {
	r := newRoom(t)
	code, _, err := r.MakeSignInLink(t.Context(), r.root, r.ada.ID)
	must(t, 0, err)
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() { _, _, errs[i] = r.SignInByLink(t.Context(), code, client(), "") })
	}
	all.Wait()
	in := 0
	for _, err := range errs {
		if err == nil {
			in++
		} else if !fault.Is(err, fault.Unauthenticated) {
			t.Error(err)
		}
	}
	if in != 1 {
		t.Errorf("%d are signed in by one link", in)
	}
}

// Sessions are for their user and administrators; to others they do not exist.
func TestSessionsOfOthers(t *testing.T) {
	r := newRoom(t)
	_, secret := r.token(r.ada, nil, access.ScopeReadAPI)
	ada, first, _ := r.signedIn(secret)
	_, second, _ := r.signedIn(secret)
	bob := actorOf(r.user("bob", false))
	all := page.Request{Number: 1, Size: 10}
	for name, by := range map[string]access.Actor{"oneself": ada, "administrator": r.root} {
		found, err := r.ListSessions(t.Context(), by, r.ada.ID, all)
		if must(t, 0, err); found.Total != 2 || found.Rows[0].ID != second.ID {
			t.Errorf("%s sees %+v", name, found)
		}
	}
	_, err := r.ListSessions(t.Context(), bob, r.ada.ID, all)
	wantFault(t, err, fault.Denied, "")
	wantFault(t, r.EndSessions(t.Context(), bob, r.ada.ID), fault.Denied, "")
	for _, id := range []int64{first.ID, 999999} {
		wantFault(t, r.EndSession(t.Context(), bob, id), fault.Hidden, "Session")
	}
	wantFault(t, r.EndSession(t.Context(), ada, second.ID), fault.InsufficientScope, "") // of a read-only token: its own only
	must(t, 0, r.EndSession(t.Context(), ada, first.ID))
	wantFault(t, r.EndSession(t.Context(), r.root, first.ID), fault.Hidden, "Session")
}

// Sign-in, sign-out and links are audit events; what a session does has its credential. No
// event has a secret.
func TestSessionsAreAudited(t *testing.T) {
	r := newRoom(t)
	token, secret := r.token(r.ada, nil, access.ScopeAPI)
	a, s, cookie := r.signedIn(secret)
	_, made, err := r.CreateTokenInPerson(t.Context(), a, auth.PersonalToken{Name: "n", Scopes: []access.Scope{access.ScopeAPI}})
	must(t, 0, err)
	must(t, 0, r.EndSession(t.Context(), a, s.ID))
	r.clock = r.clock.Add(time.Second)
	code, _, err := r.MakeSignInLink(t.Context(), r.root, r.ada.ID)
	must(t, 0, err)
	linked, other, err := r.SignInByLink(t.Context(), code, client(), "")
	must(t, 0, err)
	found, err := r.trail.InstanceEvents(t.Context(), r.root, trail.Filter{EntityType: audit.User, EntityID: r.ada.ID}, page.Request{Number: 1, Size: 100})
	must(t, 0, err)
	type told struct {
		name       audit.Name
		credential audit.Credential
		id, target int64
	}
	var got []told
	for _, e := range found.Rows {
		if e.Name != audit.UserCreated {
			got = append([]told{{e.Name, e.Author.Credential, e.Author.CredentialID, e.Target.ID}}, got...)
		}
		for _, secret := range []string{secret, cookie, made, code, other} {
			if text := e.Target.Details + e.Change.From + e.Change.To; strings.Contains(text, secret) {
				t.Errorf("%+v has a secret", e)
			}
		}
	}
	want := []told{
		{audit.PersonalTokenCreated, audit.PersonalToken, 1, token.ID},
		{audit.SessionStarted, audit.PersonalToken, token.ID, s.ID},
		{audit.PersonalTokenCreated, audit.WebSession, s.ID, token.ID + 1},
		{audit.SessionEnded, audit.WebSession, s.ID, s.ID},
		{audit.SignInLinkCreated, audit.PersonalToken, 1, r.ada.ID},
		{audit.SessionStarted, audit.WebSession, linked.ID, linked.ID},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
}
