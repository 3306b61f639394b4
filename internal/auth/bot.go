package auth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/page"
)

// Bot is the user that a project or group access token acts as: a member of that project
// or group only.
type Bot struct {
	ProjectID int64 // or
	GroupID   int64
	Username  string
	Email     string
	External  bool
	CreatorID int64
}

// Bots keeps bots. In all other respects their tokens are personal access tokens.
type Bots interface {
	// InsertBotToken creates the bot, its membership with the token's role, and the
	// token in one transaction, if check allows it. It returns Full if the place has
	// as many bots as the limit; blocked ones count.
	InsertBotToken(ctx context.Context, a access.Actor, b Bot, t PersonalToken, d SecretDigest, most fault.Limit, check CheckStanding) (PersonalToken, error)
	// RotateBotToken is PersonalTokens.RotatePersonalToken for a token of the bot's
	// place, if check allows it. Afterwards the bot is external if the actor is.
	RotateBotToken(ctx context.Context, a access.Actor, b Bot, id int64, successor PersonalToken, d SecretDigest, most fault.Limit, check CheckStanding) (PersonalToken, error)
}

// CheckStanding allows or refuses a deed by the actor's standing, read in the deed's
// transaction, during which no role changes. It returns the event of the deed, or the
// refusal.
type CheckStanding func(access.Resource) (audit.Event, error)

const botTokenLife = 365 * 24 * time.Hour // if the caller names no end

// BotTokensOf is the deeds about access tokens of groups, or of projects (contract
// rest-api C2, C3).
type BotTokensOf struct {
	s                *Service
	noun             string // "project" or "group"
	read, issue, end access.Action
	find             func(context.Context, access.Actor, string, access.Action) (int64, access.Resource, error)
	most             func() fault.Limit

	created, rotated, deleted audit.Name
}

// ProjectTokens is the deeds about project access tokens.
func (s *Service) ProjectTokens() BotTokensOf {
	return BotTokensOf{s: s, noun: "project", find: s.Places.ProjectStanding, most: func() fault.Limit { return s.limits().ProjectTokens },
		read: access.ReadProjectTokens, issue: access.IssueProjectToken, end: access.EndProjectToken,
		created: audit.ProjectTokenCreated, rotated: audit.ProjectTokenRotated, deleted: audit.ProjectTokenDeleted}
}

// GroupTokens is the deeds about group access tokens.
func (s *Service) GroupTokens() BotTokensOf {
	return BotTokensOf{s: s, noun: "group", find: s.Places.GroupStanding, most: func() fault.Limit { return s.limits().GroupTokens },
		read: access.ReadGroupTokens, issue: access.IssueGroupToken, end: access.EndGroupToken,
		created: audit.GroupTokenCreated, rotated: audit.GroupTokenRotated, deleted: audit.GroupTokenDeleted}
}

// at sets the place of a filter.
func (o BotTokensOf) at(f TokenFilter, id int64) TokenFilter {
	if o.noun == "group" {
		f.GroupID = id
	} else {
		f.ProjectID = id
	}
	f.Now = o.s.Now()
	return f
}

// List returns the tokens of the place, also expired and revoked ones.
func (o BotTokensOf) List(ctx context.Context, a access.Actor, ref string, f TokenFilter, p page.Request) (page.Of[PersonalToken], error) {
	id, _, err := o.find(ctx, a, ref, o.read)
	if err != nil {
		return page.Of[PersonalToken]{}, err
	}
	return o.s.Records.ListPersonalTokens(ctx, o.at(f, id), p)
}

// Get returns one token.
func (o BotTokensOf) Get(ctx context.Context, a access.Actor, ref string, tokenID int64) (PersonalToken, error) {
	id, _, err := o.find(ctx, a, ref, o.read)
	if err != nil {
		return PersonalToken{}, err
	}
	return o.one(ctx, id, tokenID)
}

// one finds a token of the place with the id.
func (o BotTokensOf) one(ctx context.Context, placeID, tokenID int64) (PersonalToken, error) {
	found, err := o.s.Records.ListPersonalTokens(ctx, o.at(TokenFilter{ID: tokenID}, placeID), page.Request{Number: 1, Size: 1})
	if err == nil && len(found.Rows) == 0 {
		err = fault.New(fault.Hidden, "Could not find "+o.noun+" access token with token_id: "+strconv.FormatInt(tokenID, 10))
	}
	if err != nil {
		return PersonalToken{}, err
	}
	return found.Rows[0], nil
}

// botScopes are the scopes of personal access tokens, without those for administrators.
func botScopes() []access.Scope {
	return slices.DeleteFunc(personalScopes(), func(s access.Scope) bool {
		return s == access.ScopeSudo || s == "admin_mode" || s == "read_service_ping" || s == access.ScopeReadUser
	})
}

// Create makes a bot, with at most the caller's role, and its token. It returns the
// secret, which cannot be read again.
func (o BotTokensOf) Create(ctx context.Context, a access.Actor, ref string, t PersonalToken) (PersonalToken, string, error) {
	id, standing, err := o.find(ctx, a, ref, o.issue)
	if err != nil {
		return PersonalToken{}, "", err
	}
	if err := checkPersonalToken(t, botScopes()); err != nil {
		return PersonalToken{}, "", err
	}
	switch {
	case !t.Role.Grantable():
		return PersonalToken{}, "", fault.New(fault.Invalid, "access_level does not have a valid value")
	case !a.AtLeast(standing, t.Role):
		return PersonalToken{}, "", fault.New(fault.Refused, "Access level of the token can't be greater the access level of the user who created the token")
	}
	t.CreatedAt = o.s.Now()
	if t.ExpiresAt == nil {
		end := t.CreatedAt.UTC().Add(botTokenLife).Truncate(24 * time.Hour)
		t.ExpiresAt = &end
	}
	tail := make([]byte, 16)
	_, _ = rand.Read(tail) // never fails
	f := o.at(TokenFilter{}, id)
	b := Bot{
		ProjectID: f.ProjectID, GroupID: f.GroupID, External: a.External, CreatorID: a.UserID,
		Username: o.noun + "_" + strconv.FormatInt(id, 10) + "_bot_" + hex.EncodeToString(tail),
	}
	b.Email = b.Username + "@noreply.localhost"
	secret := o.s.newSecret(personalPrefix)
	done := o.s.event(a, o.created, audit.Place(b.ProjectID, b.GroupID)).With("access_level, scopes", "", t.Role.String()+", "+scopeText(t.Scopes))
	t, err = o.s.Records.InsertBotToken(ctx, a, b, t, DigestOf(secret), o.most(), func(standing access.Resource) (audit.Event, error) {
		return done, o.mayHold(a, standing, o.issue, t.Role)
	})
	return t, secret, err
}

// Revoke revokes a token at once and ends its bot's membership.
func (o BotTokensOf) Revoke(ctx context.Context, a access.Actor, ref string, tokenID int64) error {
	_, t, err := o.mayEnd(ctx, a, ref, tokenID)
	if err != nil {
		return err
	}
	return o.s.Records.RevokePersonalTokens(ctx, t.ID, false, o.s.event(a, o.deleted, audit.Entity{}))
}

// Rotate replaces a token by a new one of the same bot; id 0 is the token in use, which
// needs no role for this.
func (o BotTokensOf) Rotate(ctx context.Context, a access.Actor, ref string, tokenID int64, expires *time.Time) (PersonalToken, string, error) {
	done := o.s.event(a, o.rotated, audit.Entity{})
	if tokenID == 0 || tokenID == a.TokenID {
		t, err := o.own(ctx, a, ref)
		if err != nil {
			return PersonalToken{}, "", err
		}
		return o.s.rotatePersonal(ctx, a, t, expires, done)
	}
	id, t, err := o.mayEnd(ctx, a, ref, tokenID)
	if err != nil {
		return PersonalToken{}, "", err
	}
	f := o.at(TokenFilter{}, id)
	return o.s.rotate(ctx, a, t, expires, func(next PersonalToken, d SecretDigest) (PersonalToken, error) {
		at, most := Bot{ProjectID: f.ProjectID, GroupID: f.GroupID}, o.s.limits().UserTokens
		return o.s.Records.RotateBotToken(ctx, a, at, t.ID, next, d, most, func(standing access.Resource) (audit.Event, error) {
			return done, o.mayHold(a, standing, o.end, t.Role)
		})
	})
}

// own returns the token in use if it belongs to the place.
func (o BotTokensOf) own(ctx context.Context, a access.Actor, ref string) (PersonalToken, error) {
	id, _, err := o.find(ctx, a, ref, access.RotateBotToken)
	switch {
	case err != nil:
		return PersonalToken{}, err
	case !a.Bot || a.SudoID != 0: // the token in use is the administrator's own
		return PersonalToken{}, fault.New(fault.NotAllowed, "")
	}
	t, err := o.one(ctx, id, a.TokenID)
	if fault.Is(err, fault.Hidden) {
		err = fault.New(fault.Unauthenticated, "")
	}
	return t, err
}

// mayEnd finds a token that the actor may revoke or rotate, and the place.
func (o BotTokensOf) mayEnd(ctx context.Context, a access.Actor, ref string, tokenID int64) (int64, PersonalToken, error) {
	id, standing, err := o.find(ctx, a, ref, o.end)
	if err != nil {
		return 0, PersonalToken{}, err
	}
	t, err := o.one(ctx, id, tokenID)
	if err != nil {
		return 0, PersonalToken{}, err
	}
	return id, t, o.mayHold(a, standing, o.end, t.Role)
}

// mayHold refuses an actor who would get, or take from others, a token with a role above
// the actor's own.
func (o BotTokensOf) mayHold(a access.Actor, standing access.Resource, action access.Action, role access.Role) error {
	if err := gate.Check(o.s.Rules, a, standing, action, strings.ToUpper(o.noun[:1])+o.noun[1:]); err != nil {
		return err
	}
	if !a.AtLeast(standing, role) {
		return fault.New(fault.Denied, "")
	}
	return nil
}
