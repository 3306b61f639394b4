package auth

import (
	"context"
	"time"
	"unicode/utf8"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
)

// DeployToken is a credential of a project, or of a group and everything below it,
// without its secret.
type DeployToken struct {
	ID        int64
	ProjectID int64 // or
	GroupID   int64
	Name      string
	Username  string
	Scopes    []access.Scope
	Revoked   bool
	ExpiresAt *time.Time // nil: never
	CreatorID int64
	CreatedAt time.Time
}

// Expired reports whether the token has expired.
func (t DeployToken) Expired(now time.Time) bool {
	return t.ExpiresAt != nil && !now.Before(*t.ExpiresAt)
}

// Active reports whether the token is valid.
func (t DeployToken) Active(now time.Time) bool { return !t.Revoked && !t.Expired(now) }

// DeployTokenFilter chooses deploy tokens. A zero place chooses all.
type DeployTokenFilter struct {
	ProjectID int64
	GroupID   int64
	ID        int64 // this one only
	Active    bool
	Now       time.Time // the time at which Active is tested; set by the deed
}

// DeployTokens keeps deploy tokens. Each method is one transaction.
type DeployTokens interface {
	ListDeployTokens(ctx context.Context, f DeployTokenFilter, p page.Request) (page.Of[DeployToken], error)
	// InsertDeployToken makes a user name from the id if there is none. It returns Full
	// if the place has as many as the limit.
	InsertDeployToken(ctx context.Context, t DeployToken, d SecretDigest, most fault.Limit, e audit.Event) (DeployToken, error)
	// DeleteDeployToken records the event if there was such a token.
	DeleteDeployToken(ctx context.Context, id int64, e audit.Event) error
}

func deployScopes() []access.Scope {
	return []access.Scope{
		access.ScopeReadPackage, access.ScopeWritePackage,
		"read_repository", "read_registry", "write_registry", "read_virtual_registry", "write_virtual_registry",
	}
}

// DeployTokensOf is the deeds about deploy tokens of groups, or of projects.
type DeployTokensOf struct {
	s     *Service
	admin access.Action
	most  func() fault.Limit
	find  func(context.Context, access.Actor, string, access.Action) (DeployTokenFilter, error)

	created, destroyed audit.Name
}

// ProjectDeployTokens is the deeds about the deploy tokens of projects.
func (s *Service) ProjectDeployTokens() DeployTokensOf {
	return DeployTokensOf{s: s, admin: access.AdminProjectDeployTokens, most: func() fault.Limit { return s.limits().ProjectDeployTokens },
		created: audit.DeployTokenCreated, destroyed: audit.DeployTokenDestroyed,
		find: func(ctx context.Context, a access.Actor, ref string, action access.Action) (DeployTokenFilter, error) {
			id, _, err := s.Places.ProjectStanding(ctx, a, ref, action)
			return DeployTokenFilter{ProjectID: id}, err
		}}
}

// GroupDeployTokens is the deeds about the deploy tokens of groups.
func (s *Service) GroupDeployTokens() DeployTokensOf {
	return DeployTokensOf{s: s, admin: access.AdminGroupDeployTokens, most: func() fault.Limit { return s.limits().GroupDeployTokens },
		created: audit.GroupDeployTokenCreated, destroyed: audit.GroupDeployTokenDestroyed,
		find: func(ctx context.Context, a access.Actor, ref string, action access.Action) (DeployTokenFilter, error) {
			id, _, err := s.Places.GroupStanding(ctx, a, ref, action)
			return DeployTokenFilter{GroupID: id}, err
		}}
}

// ListDeployTokens returns the deploy tokens of the whole instance, for an
// administrator.
func (s *Service) ListDeployTokens(ctx context.Context, a access.Actor, active bool, p page.Request) (page.Of[DeployToken], error) {
	if err := s.allow(a, false, access.ReadInstance); err != nil {
		return page.Of[DeployToken]{}, err
	}
	return s.Records.ListDeployTokens(ctx, DeployTokenFilter{Active: active, Now: s.Now()}, p)
}

// List returns deploy tokens; if active is set, only valid ones.
func (d DeployTokensOf) List(ctx context.Context, a access.Actor, ref string, active bool, p page.Request) (page.Of[DeployToken], error) {
	f, err := d.find(ctx, a, ref, access.ReadDeployTokens)
	if err != nil {
		return page.Of[DeployToken]{}, err
	}
	f.Active, f.Now = active, d.s.Now()
	return d.s.Records.ListDeployTokens(ctx, f, p)
}

// Get returns one deploy token.
func (d DeployTokensOf) Get(ctx context.Context, a access.Actor, ref string, id int64) (DeployToken, error) {
	f, err := d.find(ctx, a, ref, access.ReadDeployTokens)
	if err != nil {
		return DeployToken{}, err
	}
	return d.one(ctx, f, id)
}

func (d DeployTokensOf) one(ctx context.Context, f DeployTokenFilter, id int64) (DeployToken, error) {
	f.ID = id
	found, err := d.s.Records.ListDeployTokens(ctx, f, page.Request{Number: 1, Size: 1})
	if err == nil && len(found.Rows) == 0 {
		err = fault.New(fault.Hidden, "DeployToken")
	}
	if err != nil {
		return DeployToken{}, err
	}
	return found.Rows[0], nil
}

// Create makes a deploy token and returns its secret, which cannot be read again.
func (d DeployTokensOf) Create(ctx context.Context, a access.Actor, ref string, t DeployToken) (DeployToken, string, error) {
	f, err := d.find(ctx, a, ref, d.admin)
	if err != nil {
		return DeployToken{}, "", err
	}
	if err := checkTokenName(t.Name); err != nil {
		return DeployToken{}, "", err
	}
	if utf8.RuneCountInString(t.Username) > 255 || hasControl(t.Username) {
		return DeployToken{}, "", fault.Field("username", "is too long (maximum is 255 characters), or more than one line")
	}
	if err := checkScopes(t.Scopes, deployScopes()); err != nil {
		return DeployToken{}, "", err
	}
	t.ProjectID, t.GroupID, t.CreatorID, t.CreatedAt = f.ProjectID, f.GroupID, a.UserID, d.s.Now()
	secret := d.s.newSecret(deployPrefix)
	done := d.s.event(a, d.created, audit.Place(f.ProjectID, f.GroupID)).With("scopes", "", scopeText(t.Scopes))
	t, err = d.s.Records.InsertDeployToken(ctx, t, DigestOf(secret), d.most(), done)
	return t, secret, err
}

// Delete deletes a deploy token; it is not kept as revoked, as in GitLab.
func (d DeployTokensOf) Delete(ctx context.Context, a access.Actor, ref string, id int64) error {
	f, err := d.find(ctx, a, ref, d.admin)
	if err != nil {
		return err
	}
	t, err := d.one(ctx, f, id)
	if err != nil {
		return err
	}
	done := d.s.event(a, d.destroyed, audit.Place(f.ProjectID, f.GroupID)).To("DeployToken", id, t.Name)
	return d.s.Records.DeleteDeployToken(ctx, id, done)
}
