package auth

import (
	"context"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
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
	t.UserID = a.UserID
	secret := s.newSecret(personalPrefix)
	t, err := s.NewPersonalToken(ctx, audit.By(a), t, secret)
	return t, secret, err
}
