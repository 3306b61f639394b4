package auth

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/page"
)

// PersonalToken is a personal access token without its secret.
type PersonalToken struct {
	ID          int64
	UserID      int64
	Name        string
	Description string
	Scopes      []access.Scope
	Revoked     bool
	ExpiresAt   *time.Time // midnight UTC of the day from which it is dead; nil: never
	LastUsedAt  *time.Time
	CreatedAt   time.Time
	Family      int64       // id of the token that rotation began with
	Role        access.Role // of the bot that a project or group access token acts as; NoRole for a person's
}

// Expired reports whether the token's last day is over.
func (t PersonalToken) Expired(now time.Time) bool {
	return t.ExpiresAt != nil && !now.Before(*t.ExpiresAt)
}

// Active reports whether the token opens anything.
func (t PersonalToken) Active(now time.Time) bool { return !t.Revoked && !t.Expired(now) }

// TokenFilter chooses personal access tokens for a list. Zero fields choose
// all.
type TokenFilter struct {
	UserID                        int64
	ID                            int64  // this one only
	ProjectID, GroupID            int64  // access tokens of this project or group
	Search                        string // part of the name, case folded
	Revoked                       *bool
	Active                        *bool
	CreatedAfter, CreatedBefore   time.Time
	ExpiresAfter, ExpiresBefore   time.Time
	LastUsedAfter, LastUsedBefore time.Time
	Now                           time.Time // what Active is measured by; filled in by the deed
}

// PersonalTokens keeps personal access tokens. Each method is one transaction.
type PersonalTokens interface {
	FindPersonalToken(ctx context.Context, id int64) (PersonalToken, error)
	ListPersonalTokens(ctx context.Context, f TokenFilter, p page.Request) (page.Of[PersonalToken], error)
	// InsertPersonalToken fails with Full where the user has as many tokens as
	// the limit. Before that the oldest dead one is forgotten.
	InsertPersonalToken(ctx context.Context, t PersonalToken, d SecretDigest, most fault.Limit, e audit.Event) (PersonalToken, error)
	// RotatePersonalToken revokes the token with the id, if it is not, and
	// inserts its successor. Conflict where it was revoked already.
	RotatePersonalToken(ctx context.Context, id int64, successor PersonalToken, d SecretDigest, most fault.Limit, e audit.Event) (PersonalToken, error)
	// RevokePersonalTokens revokes the token with the id, or its whole family. It
	// records the event of each that was not revoked before; without an entity
	// it is told of the token's owner, or of the place of its bot.
	RevokePersonalTokens(ctx context.Context, id int64, family bool, e audit.Event) error
}

// Scopes that a personal access token may have. Those that granary has nothing
// for are kept for the tools that ask for them.
func personalScopes() []access.Scope {
	return []access.Scope{
		access.ScopeAPI, access.ScopeReadAPI, access.ScopeReadUser, access.ScopeSelfRotate, access.ScopeSudo,
		"admin_mode", "read_repository", "write_repository", "read_registry", "write_registry",
		"read_virtual_registry", "write_virtual_registry", "create_runner", "manage_runner", "ai_features", "k8s_proxy",
		"read_service_ping",
	}
}

// CreatePersonalToken makes a token for a user, for an administrator, and
// returns its secret, which is shown this once.
func (s *Service) CreatePersonalToken(ctx context.Context, a access.Actor, t PersonalToken) (PersonalToken, string, error) {
	if err := s.allow(a, false, access.IssueTokens); err != nil {
		return PersonalToken{}, "", err
	}
	if _, err := s.findUser(ctx, t.UserID); err != nil {
		return PersonalToken{}, "", err
	}
	secret := s.newSecret(personalPrefix)
	t, err := s.NewPersonalToken(ctx, audit.By(a), t, secret)
	return t, secret, err
}

// NewPersonalToken keeps a token with a given secret without asking who wants
// it: the first start does, and CreatePersonalToken once it has asked. by is
// only told of.
func (s *Service) NewPersonalToken(ctx context.Context, by audit.Author, t PersonalToken, secret string) (PersonalToken, error) {
	if err := checkPersonalToken(t, personalScopes()); err != nil {
		return PersonalToken{}, err
	}
	t.CreatedAt = s.Now()
	made := audit.Event{Name: audit.PersonalTokenCreated, At: t.CreatedAt, Author: by, Entity: userEntity(t.UserID)}
	return s.Records.InsertPersonalToken(ctx, t, DigestOf(secret), s.limits().UserTokens, made.With("scopes", "", scopeText(t.Scopes)))
}

func checkPersonalToken(t PersonalToken, allowed []access.Scope) error {
	if err := checkTokenName(t.Name); err != nil {
		return err
	}
	if utf8.RuneCountInString(t.Description) > 255 {
		return fault.Field("description", "is too long (maximum is 255 characters)")
	}
	return checkScopes(t.Scopes, allowed)
}

func checkTokenName(name string) error {
	if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > 255 || hasControl(name) {
		return fault.Field("name", "can't be blank, longer than 255 characters, or more than one line")
	}
	return nil
}

func checkScopes(scopes, allowed []access.Scope) error {
	if len(scopes) == 0 {
		return fault.New(fault.Invalid, "scopes is missing")
	}
	for _, scope := range scopes {
		if !slices.Contains(allowed, scope) {
			return fault.New(fault.Invalid, "scopes does not have a valid value")
		}
	}
	return nil
}

// PersonalToken returns a token by id, or the one in use where id is 0.
func (s *Service) PersonalToken(ctx context.Context, a access.Actor, id int64) (PersonalToken, error) {
	if id == 0 {
		if err := s.allow(a, true, access.UseOwnToken); err != nil {
			return PersonalToken{}, err
		}
		return s.Records.FindPersonalToken(ctx, a.TokenID)
	}
	return s.ownedToken(ctx, a, id, access.ReadTokens)
}

// ownedToken finds a token for its owner or an administrator. To others an
// unknown token and a stranger's are alike (contract rest-api C1).
func (s *Service) ownedToken(ctx context.Context, a access.Actor, id int64, action access.Action) (PersonalToken, error) {
	if err := gate.Token(a, action, ""); err != nil {
		return PersonalToken{}, err
	}
	t, err := s.Records.FindPersonalToken(ctx, id)
	switch {
	case fault.Is(err, fault.NotFound) && a.Admin:
		return PersonalToken{}, fault.New(fault.Hidden, "")
	case fault.Is(err, fault.NotFound):
		return PersonalToken{}, fault.New(fault.Unauthenticated, "")
	case err != nil:
		return PersonalToken{}, err
	case s.allow(a, t.UserID == a.UserID, action) != nil:
		return PersonalToken{}, fault.New(fault.Unauthenticated, "")
	}
	return t, nil
}

// ListPersonalTokens returns the actor's own tokens, an administrator's choice
// of all.
func (s *Service) ListPersonalTokens(ctx context.Context, a access.Actor, f TokenFilter, p page.Request) (page.Of[PersonalToken], error) {
	if f.UserID == 0 && !a.Admin {
		f.UserID = a.UserID
	}
	if err := s.allow(a, f.UserID == a.UserID, access.ReadTokens); err != nil {
		if fault.Is(err, fault.Denied) {
			err = fault.New(fault.Unauthenticated, "")
		}
		return page.Of[PersonalToken]{}, err
	}
	f.Now = s.Now()
	return s.Records.ListPersonalTokens(ctx, f, p)
}

// RevokePersonalToken makes a token useless from now on; id 0 is the one in
// use.
func (s *Service) RevokePersonalToken(ctx context.Context, a access.Actor, id int64) error {
	if id == 0 {
		if err := s.allow(a, true, access.UseOwnToken); err != nil {
			return err
		}
		id = a.TokenID
	} else if _, err := s.ownedToken(ctx, a, id, access.RevokeToken); err != nil {
		return err
	}
	return s.Records.RevokePersonalTokens(ctx, id, false, s.event(a, audit.PersonalTokenRevoked, audit.Entity{}))
}

// RotatePersonalToken replaces a token by a new one with the same rights; id 0
// is the one in use. Without expires the new one lives a week. Rotating a
// token that was revoked already is what a thief does: the whole family dies.
func (s *Service) RotatePersonalToken(ctx context.Context, a access.Actor, id int64, expires *time.Time) (PersonalToken, string, error) {
	if id == 0 {
		id = a.TokenID
	}
	t, err := s.ownedToken(ctx, a, id, access.RotateToken)
	if err != nil {
		return PersonalToken{}, "", err
	}
	if id != a.TokenID && !a.Has(access.ScopeAPI) {
		return PersonalToken{}, "", &fault.Error{Kind: fault.InsufficientScope, Scopes: []string{string(access.ScopeAPI)}}
	}
	if t.Role != access.NoRole {
		return PersonalToken{}, "", fault.New(fault.NotAllowed, "") // it has a route of its own
	}
	return s.rotatePersonal(ctx, a, t, expires, s.event(a, audit.PersonalTokenRotated, userEntity(t.UserID)))
}

// rotatePersonal is rotate for a token that the actor may replace whatever happens
// meanwhile; done tells of it.
func (s *Service) rotatePersonal(ctx context.Context, a access.Actor, t PersonalToken, expires *time.Time, done audit.Event) (PersonalToken, string, error) {
	return s.rotate(ctx, a, t, expires, func(next PersonalToken, d SecretDigest) (PersonalToken, error) {
		return s.Records.RotatePersonalToken(ctx, t.ID, next, d, s.limits().UserTokens, done)
	})
}

// revokeFamily ends all tokens that came of one by rotation, since somebody
// used one that was dead.
func (s *Service) revokeFamily(ctx context.Context, a access.Actor, id int64) error {
	e := s.event(a, audit.PersonalTokenRevoked, audit.Entity{}).With("reason", "", "a revoked token of its family was used")
	return s.Records.RevokePersonalTokens(ctx, id, true, e)
}

// rotate replaces a token that the actor may replace; keep puts the new one in its
// place.
func (s *Service) rotate(ctx context.Context, a access.Actor, t PersonalToken, expires *time.Time, keep func(PersonalToken, SecretDigest) (PersonalToken, error)) (PersonalToken, string, error) {
	if t.Revoked {
		if err := s.revokeFamily(ctx, a, t.ID); err != nil {
			return PersonalToken{}, "", err
		}
		return PersonalToken{}, "", fault.New(fault.Unauthenticated, "")
	}
	if t.Expired(s.Now()) {
		return PersonalToken{}, "", fault.New(fault.Unauthenticated, "")
	}
	if expires == nil {
		week := s.Now().UTC().AddDate(0, 0, 7).Truncate(24 * time.Hour)
		expires = &week
	}
	secret := s.newSecret(personalPrefix)
	next := t
	next.ExpiresAt, next.CreatedAt, next.LastUsedAt = expires, s.Now(), nil
	next, err := keep(next, DigestOf(secret))
	if fault.Is(err, fault.Conflict) {
		err = fault.New(fault.Unauthenticated, "")
	}
	return next, secret, err
}
