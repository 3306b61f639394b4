package projects

import (
	"granary/internal/access"
	"granary/internal/fault"
)

// checkAddable refuses bots: only its token makes a bot a member, of the token's place.
// The words are GitLab's.
func (m Member) checkAddable() error {
	switch {
	case m.Role != access.NoRole && (m.Home || !m.Bot):
		return fault.New(fault.Conflict, "")
	case m.Bot:
		return fault.Field("user_id", "project bots cannot be added to other groups / projects")
	}
	return nil
}

// checkChangeable refuses bots: a bot has the role that its token was made with.
func (m Member) checkChangeable() error {
	if m.Bot {
		return fault.New(fault.Denied, m.Username+" is the user of an access token, whose role cannot change: make a token with the other role, and revoke this one")
	}
	return nil
}

// checkRemovable refuses a bot in its own place, which it leaves when its token is
// revoked. Memberships that it was given elsewhere can be removed.
func (m Member) checkRemovable() error {
	if m.Bot && m.Home {
		return fault.New(fault.Denied, m.Username+" is the user of an access token: revoke the token to remove it")
	}
	return nil
}

// Keeps reports whether the member is a permanent owner: one whose membership has no
// end, who is not blocked and not a bot.
func (m Member) Keeps() bool {
	return m.Role == access.Owner && m.ExpiresAt == nil && !m.Blocked && !m.Bot
}

// KeepOwner returns Conflict if a change would take the last permanent owner from a
// group at the top. after is the member after the change, with NoRole if it is removed;
// kept says that there is another permanent owner. If there is none any more, because
// the last one was blocked, the group's owners stay until there is one again.
func KeepOwner(before, after Member, kept bool) error {
	worse := before.Keeps() && !after.Keeps() || before.Role == access.Owner && after.Role != access.Owner
	if worse && !kept && !before.Bot {
		return fault.New(fault.Conflict, "a group keeps its last owner: first make another user an owner, without expires_at, who is neither blocked nor the user of an access token")
	}
	return nil
}

// lastOwner gives KeepOwner's error the status that GitLab has for it.
func lastOwner(err error) error {
	if e, ok := fault.As(err, fault.Conflict); ok {
		return fault.New(fault.Denied, e.Msg)
	}
	return err
}
