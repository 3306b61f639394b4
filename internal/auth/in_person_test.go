package auth_test

import (
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
)

// A session that came from a token makes no token that may do more or lasts longer; one of
// an administrator's link makes any.
func TestCreateTokenInPerson(t *testing.T) {
	r := newRoom(t)
	day := func(n int) *time.Time {
		end := r.clock.AddDate(0, 0, n).Truncate(24 * time.Hour)
		return &end
	}
	scopes := func(text string) (all []access.Scope) {
		for word := range strings.FieldsSeq(text) {
			all = append(all, access.Scope(word))
		}
		return all
	}
	for _, tt := range []struct {
		name, of, asked string // scopes
		of2, asked2     *time.Time
		kind            fault.Kind
		words           string // "": it is made
	}{
		{"as the token", "api", "api", day(10), day(10), 0, ""},
		{"less", "api", "read_api self_rotate", day(10), day(9), 0, ""},
		{"later", "api", "api", day(10), day(11), fault.Rejected, "expires_at must not be after 2031-01-12"},
		{"without an end", "api", "api", day(10), nil, fault.Rejected, "expires_at"},
		{"of a token without an end", "api", "api", nil, nil, 0, ""},
		{"no right to make one", "read_api", "read_api", nil, day(1), fault.InsufficientScope, ""},
		{"for administrators", "api", "sudo", nil, nil, fault.Invalid, "scopes"},
		{"no scope", "api", "", nil, nil, fault.Invalid, "scopes"},
		{"unknown scope", "api", "everything", nil, nil, fault.Invalid, "scopes"},
		{"over already", "api", "api", nil, day(0), fault.Rejected, "expires_at"},
		{"by a link", "", "read_user", nil, nil, 0, ""},
		{"by a link, for administrators", "", "admin_mode", nil, nil, fault.Invalid, "scopes"},
	} {
		var a access.Actor
		if tt.of == "" {
			code, _, err := r.MakeSignInLink(t.Context(), r.root, r.ada.ID)
			must(t, 0, err)
			_, cookie, err := r.SignInByLink(t.Context(), code, client(), "")
			must(t, 0, err)
			a, _, err = r.FindSession(t.Context(), cookie, client())
			must(t, 0, err)
		} else {
			_, secret := r.token(r.ada, tt.of2, scopes(tt.of)...)
			a, _, _ = r.signedIn(secret)
		}
		made, secret, err := r.CreateTokenInPerson(t.Context(), a, auth.PersonalToken{UserID: r.root.UserID, Name: "n", Scopes: scopes(tt.asked), ExpiresAt: tt.asked2})
		if tt.kind != 0 {
			if wantFault(t, err, tt.kind, tt.words); t.Failed() {
				t.Fatal(tt.name)
			}
			continue
		}
		if must(t, 0, err); made.UserID != r.ada.ID {
			t.Errorf("%s: of user %d, want one's own", tt.name, made.UserID)
		}
		by, err := r.Authenticate(t.Context(), auth.Credentials{PrivateToken: secret}, auth.Doors{})
		if must(t, 0, err); by.UserID != r.ada.ID || len(by.Scopes) != len(scopes(tt.asked)) {
			t.Errorf("%s: %+v", tt.name, by)
		}
	}
}

// An administrator's session is bound in the same way when it makes tokens for others, makes
// one with few scopes, and rotates; and a sudo token comes from a sudo token only.
func TestSessionsBeget(t *testing.T) {
	r := newRoom(t)
	root, err := r.Records.FindUser(t.Context(), "root")
	must(t, 0, err)
	end := r.clock.AddDate(0, 0, 2).Truncate(24 * time.Hour)
	later := end.AddDate(0, 0, 1)
	old, _ := r.token(root, nil, access.ScopeAPI, access.ScopeSudo)
	_, secret := r.token(root, &end, access.ScopeAPI)
	a, _, _ := r.signedIn(secret)
	token := func(expires *time.Time, scope access.Scope) auth.PersonalToken {
		return auth.PersonalToken{UserID: r.ada.ID, Name: "n", Scopes: []access.Scope{scope}, ExpiresAt: expires}
	}
	for name, err := range map[string]error{
		"for another, later":      third(r.CreatePersonalToken(t.Context(), a, token(&later, access.ScopeAPI))),
		"for another, never over": third(r.CreatePersonalToken(t.Context(), a, token(nil, access.ScopeAPI))),
		"for another, with sudo":  third(r.CreatePersonalToken(t.Context(), a, token(&end, access.ScopeSudo))),
		"in person, with sudo":    third(r.CreateTokenInPerson(t.Context(), a, token(&end, access.ScopeSudo))),
		"with few scopes, later":  third(r.CreateOwnToken(t.Context(), a, token(&later, access.ScopeSelfRotate))),
		"rotated, with sudo":      third(r.RotatePersonalToken(t.Context(), a, old.ID, &end)),
		"rotated, for a week":     third(r.RotatePersonalToken(t.Context(), a, old.ID, nil)),
	} {
		if !fault.Is(err, fault.Rejected) {
			t.Errorf("%s: %v, want Rejected", name, err)
		}
	}
	must(t, 0, third(r.CreatePersonalToken(t.Context(), a, token(&end, access.ScopeReadUser))))
	must(t, 0, third(r.RotatePersonalToken(t.Context(), r.root, old.ID, nil))) // by a token as ever
	_, forAll := r.token(root, nil, access.ScopeAPI, access.ScopeSudo)
	a, _, _ = r.signedIn(forAll)
	must(t, 0, third(r.CreateTokenInPerson(t.Context(), a, token(nil, access.ScopeSudo))))
}

// third is the error of a deed that makes a token.
func third(_ auth.PersonalToken, _ string, err error) error { return err }

// A token makes none in person, nor does a job.
func TestInPersonOnly(t *testing.T) {
	r := newRoom(t)
	wanted := auth.PersonalToken{Name: "n", Scopes: []access.Scope{access.ScopeAPI}}
	ada, bot, job := actorOf(r.ada), actorOf(r.ada), actorOf(r.ada)
	bot.Bot, job.Kind = true, access.Job
	for name, a := range map[string]access.Actor{"token": ada, "bot": bot, "job": job, "administrator's token": r.root} {
		if err := third(r.CreateTokenInPerson(t.Context(), a, wanted)); !fault.Is(err, fault.Denied) {
			t.Errorf("%s: %v, want Denied", name, err)
		}
	}
	wantFault(t, third(r.CreateTokenInPerson(t.Context(), access.Actor{}, wanted)), fault.Unauthenticated, "")
	_, secret := r.token(r.ada, nil, access.ScopeAPI)
	a, _, _ := r.signedIn(secret)
	must(t, 0, r.EndSession(t.Context(), a, a.SessionID))
	wantFault(t, third(r.CreateTokenInPerson(t.Context(), a, wanted)), fault.Unauthenticated, "") // it ended meanwhile
}
