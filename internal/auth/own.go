package auth

import (
	"context"
	"slices"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
)

// CreateOwnToken makes a token for the actor itself, with few scopes: only an
// administrator can make one with more (contract rest-api C1). Without an end it expires
// at the end of the day, UTC.
func (s *Service) CreateOwnToken(ctx context.Context, a access.Actor, t PersonalToken) (PersonalToken, string, error) {
	if err := s.allow(a, true, access.IssueOwnToken); err != nil {
		return PersonalToken{}, "", err
	}
	if err := checkPersonalToken(t, []access.Scope{"k8s_proxy", access.ScopeSelfRotate}); err != nil {
		return PersonalToken{}, "", err
	}
	if t.ExpiresAt == nil {
		tomorrow := s.Now().UTC().AddDate(0, 0, 1).Truncate(24 * time.Hour)
		t.ExpiresAt = &tomorrow
	}
	if err := s.boundBySession(ctx, a, t.Scopes, t.ExpiresAt); err != nil {
		return PersonalToken{}, "", err
	}
	t.UserID = a.UserID
	secret := s.newSecret(personalPrefix)
	t, err := s.NewPersonalToken(ctx, audit.By(a), t, secret)
	return t, secret, err
}

// CreateTokenInPerson makes a token for the actor itself, from a session. A session that
// came from a token makes none with other scopes or a later end; other sessions make any.
// Without an end the token does not expire. It returns the secret, which cannot be read
// again.
func (s *Service) CreateTokenInPerson(ctx context.Context, a access.Actor, t PersonalToken) (PersonalToken, string, error) {
	if err := s.allow(a, true, access.IssueTokenInPerson); err != nil {
		return PersonalToken{}, "", err
	}
	if a.Kind != access.User || a.SessionID == 0 || a.SudoID != 0 {
		return PersonalToken{}, "", fault.New(fault.Denied, "Only a person who is signed in makes such a token: a token makes none.")
	}
	if err := checkInPerson(a, t, s.Now()); err != nil {
		return PersonalToken{}, "", err
	}
	if err := s.boundBySession(ctx, a, t.Scopes, t.ExpiresAt); err != nil {
		return PersonalToken{}, "", err
	}
	t.UserID = a.UserID
	secret := s.newSecret(personalPrefix)
	t, err := s.NewPersonalToken(ctx, audit.By(a), t, secret)
	return t, secret, err
}

// checkInPerson checks what a person typed.
func checkInPerson(a access.Actor, t PersonalToken, now time.Time) error {
	allowed := personalScopes()
	if !a.Admin {
		allowed = slices.DeleteFunc(allowed, forAdministrators)
	}
	if err := checkPersonalToken(t, allowed); err != nil {
		return err
	}
	if t.Expired(now) {
		return fault.Field("expires_at", "must be a day after today")
	}
	return nil
}
