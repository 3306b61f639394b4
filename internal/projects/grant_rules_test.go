package projects

import (
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
)

// TestMayGrant: only owners of a project make owners, and change or remove them. In a
// group only owners manage members, so there is nothing more to check.
func TestMayGrant(t *testing.T) {
	s := &Service{}
	user := access.Actor{Kind: access.User, UserID: 1, Scopes: []access.Scope{access.ScopeAPI}}
	admin := user
	admin.Admin = true
	const ok, invalid, denied = "", "invalid", "denied"
	words := func(err error) string {
		switch {
		case err == nil:
			return ok
		case fault.Is(err, fault.Invalid):
			return invalid
		case fault.Is(err, fault.Denied):
			return denied
		}
		return err.Error()
	}
	for name, tt := range map[string]struct {
		actor          access.Actor
		has, role      access.Role
		project, group string // what granting says
		touch          string // what changing a member of a project with the role says
	}{
		"no role":                   {user, access.Owner, access.NoRole, invalid, invalid, ok},
		"minimal access":            {user, access.Owner, access.Minimal, invalid, invalid, ok},
		"a number between":          {user, access.Owner, 25, invalid, invalid, ok},
		"maintainer makes guest":    {user, access.Maintainer, access.Guest, ok, ok, ok},
		"maintainer makes equal":    {user, access.Maintainer, access.Maintainer, ok, ok, ok},
		"maintainer makes owner":    {user, access.Maintainer, access.Owner, denied, ok, denied},
		"owner makes owner":         {user, access.Owner, access.Owner, ok, ok, ok},
		"administrator makes owner": {admin, access.NoRole, access.Owner, ok, ok, ok},
		"administrator, no role":    {admin, access.NoRole, access.Admin, invalid, invalid, ok},
	} {
		at := access.Resource{Visibility: access.Public, Role: tt.has}
		got := []string{
			words(s.ProjectMembers().mayGrant(tt.actor, at, tt.role)),
			words(s.GroupMembers().mayGrant(tt.actor, at, tt.role)),
			words(s.ProjectMembers().mayTouch(tt.actor, at, Member{UserID: 2, Role: tt.role})),
			words(s.ProjectMembers().mayTouch(tt.actor, at, Member{UserID: 1, Role: tt.role})),
		}
		for i, want := range []string{tt.project, tt.group, tt.touch, ok} {
			if got[i] != want {
				t.Errorf("%s, in a project, a group, of another, of oneself: %q", name, got)
				break
			}
		}
	}
}

// TestCreatorRole: a creator becomes a member if it would have no role otherwise.
func TestCreatorRole(t *testing.T) {
	user, admin, bot := access.Actor{UserID: 7}, access.Actor{UserID: 7, Admin: true}, access.Actor{UserID: 7, Bot: true}
	in := func(role access.Role) Group { return Group{ID: 1, Standing: access.Resource{Role: role}} }
	for _, tt := range []struct {
		actor access.Actor
		in    Group
		want  access.Role
	}{
		{user, in(access.Developer), access.Maintainer},
		{user, in(access.Maintainer), access.NoRole},
		{user, in(access.Owner), access.NoRole},
		{user, Group{OwnerID: 7, Standing: access.Resource{Role: access.Owner}}, access.Owner},
		{admin, in(access.NoRole), access.NoRole},
		{admin, Group{OwnerID: 7}, access.Owner},
		{admin, Group{OwnerID: 8}, access.NoRole},
		{bot, in(access.Developer), access.NoRole},
		{bot, Group{OwnerID: 7}, access.NoRole},
	} {
		if got := creatorRole(tt.actor, tt.in); got != tt.want {
			t.Errorf("%+v in %+v: %v, want %v", tt.actor, tt.in, got, tt.want)
		}
	}
}

// TestCheckExpiry: a membership may end today, in UTC, or later.
func TestCheckExpiry(t *testing.T) {
	now := time.Date(2031, 5, 6, 1, 30, 0, 0, time.FixedZone("", 7200)) // still the 5th in UTC
	m := (&Service{Now: func() time.Time { return now }}).GroupMembers()
	for day, ok := range map[int]bool{4: false, 5: true, 6: true} {
		end := time.Date(2031, 5, day, 0, 0, 0, 0, time.UTC)
		if err := m.checkExpiry(&end); (err == nil) != ok || err != nil && !fault.Is(err, fault.Rejected) {
			t.Errorf("an end on the %d: %v", day, err)
		}
	}
	if err := m.checkExpiry(nil); err != nil {
		t.Errorf("no end: %v", err)
	}
}

// TestBotsAreMembersByTheirToken and by nothing else, but what they were given
// elsewhere can be taken away.
func TestBotsAreMembersByTheirToken(t *testing.T) {
	for _, tt := range []struct {
		member               Member
		add, change, remove  bool
		addingIsAlreadyThere bool
	}{
		{Member{}, true, true, true, false},
		{Member{Role: access.Guest}, false, true, true, true},
		{Member{Bot: true}, false, false, true, false},
		{Member{Bot: true, Role: access.Guest}, false, false, true, false},
		{Member{Bot: true, Home: true, Role: access.Guest}, false, false, false, true},
	} {
		add, change, remove := tt.member.checkAddable(), tt.member.checkChangeable(), tt.member.checkRemovable()
		if (add == nil) != tt.add || (change == nil) != tt.change || (remove == nil) != tt.remove || fault.Is(add, fault.Conflict) != tt.addingIsAlreadyThere {
			t.Errorf("%+v: add %v, change %v, remove %v", tt.member, add, change, remove)
		}
	}
}
