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
	ExpiresAt   *time.Time // midnight UTC of the first day on which it is invalid; nil: never
	LastUsedAt  *time.Time
	CreatedAt   time.Time
	Family      int64       // id of the first token of its rotations
	Role        access.Role // of the bot that a project or group access token acts as; NoRole for a person's
}

// Expired reports whether the token's last day is over.
func (t PersonalToken) Expired(now time.Time) bool {
	return t.ExpiresAt != nil && !now.Before(*t.ExpiresAt)
}

// Active reports whether the token is valid.
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
	Now                           time.Time // the time at which Active is tested; set by the deed
}

// PersonalTokens keeps personal access tokens. Each method is one transaction.
type PersonalTokens interface {
	FindPersonalToken(ctx context.Context, id int64) (PersonalToken, error)
	ListPersonalTokens(ctx context.Context, f TokenFilter, p page.Request) (page.Of[PersonalToken], error)
	// If the user has as many tokens as the limit, InsertPersonalToken deletes the
	// oldest expired or revoked one, or returns Full if there is none.
	InsertPersonalToken(ctx context.Context, t PersonalToken, d SecretDigest, most fault.Limit, e audit.Event) (PersonalToken, error)
	// RotatePersonalToken revokes the token with the id and inserts its successor. It
	// returns Conflict if the token was revoked before.
	RotatePersonalToken(ctx context.Context, id int64, successor PersonalToken, d SecretDigest, most fault.Limit, e audit.Event) (PersonalToken, error)
	// RevokePersonalTokens revokes the token with the id, or its whole family. It
	// records the event of each that was not revoked before; without an entity the
	// event belongs to the token's owner, or to the place of its bot.
	RevokePersonalTokens(ctx context.Context, id int64, family bool, e audit.Event) error
}

// Scopes that a personal access token may have. Those without effect in granary are
// accepted because tools ask for them.
func personalScopes() []access.Scope {
	return []access.Scope{
		access.ScopeAPI, access.ScopeReadAPI, access.ScopeReadUser, access.ScopeSelfRotate, access.ScopeSudo,
		"admin_mode", "read_repository", "write_repository", "read_registry", "write_registry",
		"read_virtual_registry", "write_virtual_registry", "create_runner", "manage_runner", "ai_features", "k8s_proxy",
		"read_service_ping",
	}
}

// CreatePersonalToken makes a token for a user; only administrators may. It returns the
// secret, which cannot be read again.
func (s *Service) CreatePersonalToken(ctx context.Context, a access.Actor, t PersonalToken) (PersonalToken, string, error) {
	if err := s.allow(a, false, access.IssueTokens); err != nil {
		return PersonalToken{}, "", err
	}
	if _, err := s.findUser(ctx, t.UserID); err != nil {
		return PersonalToken{}, "", err
	}
	if err := s.boundBySession(ctx, a, t.Scopes, t.ExpiresAt); err != nil {
		return PersonalToken{}, "", err
	}
	secret := s.newSecret(personalPrefix)
	t, err := s.NewPersonalToken(ctx, audit.By(a), t, secret)
	return t, secret, err
}

// NewPersonalToken stores a token with a given secret and checks no permission: the first
// start calls it, and CreatePersonalToken after its check. by is only the event's author.
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

// PersonalToken returns a token by id; id 0 is the token in use.
func (s *Service) PersonalToken(ctx context.Context, a access.Actor, id int64) (PersonalToken, error) {
	if id == 0 {
		if err := s.allow(a, true, access.UseOwnToken); err != nil {
			return PersonalToken{}, err
		}
		return s.Records.FindPersonalToken(ctx, a.TokenID)
	}
	return s.ownedToken(ctx, a, id, access.ReadTokens)
}

// ownedToken finds a token for its owner or an administrator. Others get the same error
// as for an unknown token (contract rest-api C1).
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

// ListPersonalTokens returns the actor's own tokens; to administrators, all that the
// filter chooses.
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

// RevokePersonalToken revokes a token at once; id 0 is the token in use.
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

// RotatePersonalToken replaces a token by a new one with the same scopes; id 0 is the
// token in use. Without expires the new one is valid for a week. Rotating a revoked token
// means that it was stolen, so it revokes the whole family.
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
		return PersonalToken{}, "", fault.New(fault.NotAllowed, "") // such tokens have routes of their own
	}
	if expires == nil {
		expires = s.inAWeek()
	}
	if err := s.boundBySession(ctx, a, t.Scopes, expires); err != nil {
		return PersonalToken{}, "", err
	}
	return s.rotatePersonal(ctx, a, t, expires, s.event(a, audit.PersonalTokenRotated, userEntity(t.UserID)))
}

// rotatePersonal is rotate for a token that the actor may replace, whatever changes
// meanwhile; done is the event.
func (s *Service) rotatePersonal(ctx context.Context, a access.Actor, t PersonalToken, expires *time.Time, done audit.Event) (PersonalToken, string, error) {
	return s.rotate(ctx, a, t, expires, func(next PersonalToken, d SecretDigest) (PersonalToken, error) {
		return s.Records.RotatePersonalToken(ctx, t.ID, next, d, s.limits().UserTokens, done)
	})
}

// revokeFamily revokes all tokens that came from one by rotation, because a revoked one
// of them was used.
func (s *Service) revokeFamily(ctx context.Context, a access.Actor, id int64) error {
	e := s.event(a, audit.PersonalTokenRevoked, audit.Entity{}).With("reason", "", "a revoked token of its family was used")
	return s.Records.RevokePersonalTokens(ctx, id, true, e)
}

// rotate replaces a token that the actor may replace; keep stores the new one.
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
		expires = s.inAWeek()
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

// inAWeek is the end of a token that replaces another, if the caller names none.
func (s *Service) inAWeek() *time.Time {
	week := s.Now().UTC().AddDate(0, 0, 7).Truncate(24 * time.Hour)
	return &week
}
