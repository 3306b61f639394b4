package projects

import (
	"granary/internal/access"
	"granary/internal/fault"
)

// checkAddable: a bot is a member of the one place that its token is for, by the
// token alone. The words are GitLab's.
func (m Member) checkAddable() error {
	switch {
	case m.Role != access.NoRole && (m.Home || !m.Bot):
		return fault.New(fault.Conflict, "")
	case m.Bot:
		return fault.Field("user_id", "project bots cannot be added to other groups / projects")
	}
	return nil
}

// checkChangeable: a bot has the role that its token was made with.
func (m Member) checkChangeable() error {
	if m.Bot {
		return fault.New(fault.Denied, m.Username+" is the user of an access token, whose role stays: make a token with the role, and revoke this one")
	}
	return nil
}

// checkRemovable: a bot leaves its place with its token. What it was given
// elsewhere can be taken away.
func (m Member) checkRemovable() error {
	if m.Bot && m.Home {
		return fault.New(fault.Denied, m.Username+" is the user of an access token: revoke the token to remove it")
	}
	return nil
}

// Keeps reports whether the member is one of those who keep a group: an owner
// for good, who can log in as a person.
func (m Member) Keeps() bool {
	return m.Role == access.Owner && m.ExpiresAt == nil && !m.Blocked && !m.Bot
}

// KeepOwner is a Conflict where a change would take the last of its owners from a
// group at the top. after is the member as it becomes, with NoRole where it goes;
// kept says that another member keeps the group. Where nobody does any more, since
// the last one was blocked, its owners stay owners until somebody does.
func KeepOwner(before, after Member, kept bool) error {
	worse := before.Keeps() && !after.Keeps() || before.Role == access.Owner && after.Role != access.Owner
	if worse && !kept && !before.Bot {
		return fault.New(fault.Conflict, "a group keeps its last owner: first make somebody else an owner, without an end, who is neither blocked nor the user of an access token")
	}
	return nil
}

// lastOwner gives KeepOwner's words the status that GitLab has for them.
func lastOwner(err error) error {
	if e, ok := fault.As(err, fault.Conflict); ok {
		return fault.New(fault.Denied, e.Msg)
	}
	return err
}
