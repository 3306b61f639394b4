package projects

import (
	"context"
	"strconv"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
)

// Member is a user's role in one group or project.
type Member struct {
	UserID    int64
	Username  string
	Name      string
	Blocked   bool
	Bot       bool  // a project or group access token acts as the user
	Home      bool  // the place is the token's own, the only one of which the bot is a member
	In        Place // of which the user is a member: of an inherited one, a group above
	Role      access.Role
	CreatedAt time.Time
	CreatedBy *Creator   // nil if unknown
	ExpiresAt *time.Time // midnight UTC of the first day on which it has ended
}

// Creator is the user who added a member.
type Creator struct {
	UserID         int64
	Username, Name string
	Blocked        bool
}

// Place is a group or a project: one of the ids is not 0.
type Place struct {
	GroupID   int64
	ProjectID int64
}

// MemberFilter chooses members for a list.
type MemberFilter struct {
	Place     Place
	Inherited bool  // with members of the groups above, each user once with the highest role
	Above     bool  // only members of the groups above, each user once with the highest role
	UserID    int64 // this one only
	UserIDs   []int64
	SkipUsers []int64
	Query     string // part of name or user name, in lower case
}

// Decide allows or refuses a change of a membership. The transaction that makes the
// change calls it with the actor's standing and the member, which no other transaction
// can change meanwhile. It returns the event of the change, or the refusal. It is called
// again if the transaction is retried.
type Decide func(access.Resource, Member) (audit.Event, error)

// Members keeps memberships. Each method is one transaction. One that changes a
// membership adds the member and the change to the event, and returns Hidden if the
// place was deleted.
type Members interface {
	// ListMembers leaves out memberships that have ended, and those of bots outside of
	// their own place.
	ListMembers(ctx context.Context, f MemberFilter, p page.Request) (page.Of[Member], error)
	// InsertMember finds the user by id, or by user name if the id is 0, and calls
	// decide with the user's membership, or with NoRole if there is none. It returns
	// NotFound if there is no such user, Conflict if the user is a member, and Full if
	// the place has as many members as the limit.
	InsertMember(ctx context.Context, at Place, a access.Actor, m Member, most fault.Limit, decide Decide) (Member, error)
	// UpdateMember calls edit with the member as it is, and stores the role and the
	// end that edit sets. It returns NotFound if there is no such member, and the
	// Conflict of KeepOwner.
	UpdateMember(ctx context.Context, at Place, a access.Actor, userID int64, edit func(access.Resource, *Member) (audit.Event, error)) (Member, error)
	// LastOwner returns the only permanent owner of a group at the top, 0 if it has
	// several or none, and for a group in another.
	LastOwner(ctx context.Context, groupID int64) (int64, error)
	// DeleteMember fails as UpdateMember does.
	DeleteMember(ctx context.Context, at Place, a access.Actor, userID int64, decide Decide) error
}

// MembersOf is the deeds about the members of groups, or of projects.
type MembersOf struct {
	s       *Service
	noun    string // "Group" or "Project"
	find    func(context.Context, access.Actor, string, access.Action) (Place, access.Resource, error)
	manage  access.Action
	ownerly bool // only an owner may grant Owner
	most    func() fault.Limit
}

// GroupMembers is the deeds about the members of groups.
func (s *Service) GroupMembers() MembersOf {
	return MembersOf{s: s, noun: "Group", manage: access.AdminGroupMembers, most: func() fault.Limit { return s.limits().GroupMembers },
		find: func(ctx context.Context, a access.Actor, ref string, action access.Action) (Place, access.Resource, error) {
			g, err := s.group(ctx, a, ref, action)
			return Place{GroupID: g.ID}, g.Standing, err
		}}
}

// ProjectMembers is the deeds about the members of projects.
func (s *Service) ProjectMembers() MembersOf {
	return MembersOf{s: s, noun: "Project", manage: access.AdminProjectMembers, ownerly: true, most: func() fault.Limit { return s.limits().ProjectMembers },
		find: func(ctx context.Context, a access.Actor, ref string, action access.Action) (Place, access.Resource, error) {
			p, err := s.project(ctx, a, ref, action)
			return Place{ProjectID: p.ID}, p.Standing, err
		}}
}

// List returns members; it fills in the filter's place.
func (m MembersOf) List(ctx context.Context, a access.Actor, ref string, f MemberFilter, p page.Request) (page.Of[Member], error) {
	at, _, err := m.find(ctx, a, ref, access.ReadMembers)
	if err != nil {
		return page.Of[Member]{}, err
	}
	f.Place = at
	return m.s.Records.ListMembers(ctx, f, p)
}

// Member returns one member, NotFound if the user is not a member.
func (m MembersOf) Member(ctx context.Context, a access.Actor, ref string, userID int64, inherited bool) (Member, error) {
	found, err := m.List(ctx, a, ref, MemberFilter{UserID: userID, Inherited: inherited}, page.Request{Number: 1, Size: 1, NoTotal: true})
	if err == nil && len(found.Rows) == 0 {
		err = fault.New(fault.NotFound, "")
	}
	if err != nil {
		return Member{}, err
	}
	return found.Rows[0], nil
}

// Add makes a user a member. It returns Conflict if the user is a member already, and
// Rejected for a bot.
func (m MembersOf) Add(ctx context.Context, a access.Actor, ref string, member Member) (Member, error) {
	at, standing, err := m.find(ctx, a, ref, m.manage)
	if err != nil {
		return Member{}, err
	}
	if err := m.mayGrant(a, standing, member.Role); err != nil {
		return Member{}, err
	}
	if err := m.checkExpiry(member.ExpiresAt); err != nil {
		return Member{}, err
	}
	member.CreatedAt, member.CreatedBy = m.s.Now(), &Creator{UserID: a.UserID}
	member, err = m.s.Records.InsertMember(ctx, at, a, member, m.most(), func(standing access.Resource, user Member) (audit.Event, error) {
		if err := m.mayManage(a, standing, member.Role); err != nil {
			return audit.Event{}, err
		}
		return m.s.event(a, audit.MemberCreated, at.entity()), user.checkAddable()
	})
	switch fault.KindOf(err) {
	case fault.Conflict:
		return Member{}, fault.New(fault.Conflict, "Member already exists")
	case fault.NotFound:
		return Member{}, fault.New(fault.Hidden, "User")
	}
	return member, err
}

// Change gives a member another role or another end.
func (m MembersOf) Change(ctx context.Context, a access.Actor, ref string, userID int64, role access.Role, expires Setting[time.Time]) (Member, error) {
	at, standing, err := m.find(ctx, a, ref, m.manage)
	if err != nil {
		return Member{}, err
	}
	if err := m.mayGrant(a, standing, role); err != nil {
		return Member{}, err
	}
	if err := m.checkExpiry(expires.Value); err != nil {
		return Member{}, err
	}
	changed, err := m.s.Records.UpdateMember(ctx, at, a, userID, func(standing access.Resource, member *Member) (audit.Event, error) {
		if err := m.mayManage(a, standing, role); err != nil {
			return audit.Event{}, err
		}
		if err := m.mayTouch(a, standing, *member); err != nil {
			return audit.Event{}, err
		}
		if err := member.checkChangeable(); err != nil {
			return audit.Event{}, err
		}
		member.Role = role
		expires.apply(&member.ExpiresAt)
		return m.s.event(a, audit.MemberUpdated, at.entity()), nil
	})
	return changed, lastOwner(err)
}

// Remove ends a membership. All users but bots may end their own.
func (m MembersOf) Remove(ctx context.Context, a access.Actor, ref string, userID int64) error {
	action := m.manage
	if a.Kind == access.User && a.UserID == userID {
		action = access.LeaveMembers
	}
	at, _, err := m.find(ctx, a, ref, action)
	if err != nil {
		return err
	}
	err = m.s.Records.DeleteMember(ctx, at, a, userID, func(standing access.Resource, member Member) (audit.Event, error) {
		if err := m.s.allow(a, standing, action, m.noun); err != nil {
			return audit.Event{}, err
		}
		if err := m.mayTouch(a, standing, member); err != nil {
			return audit.Event{}, err
		}
		return m.s.event(a, audit.MemberDestroyed, at.entity()), member.checkRemovable()
	})
	return lastOwner(err)
}

// LastOwner returns the user whom a group keeps as its owner whatever is asked, 0 if
// there is none: the only permanent owner of a group at the top.
func (s *Service) LastOwner(ctx context.Context, a access.Actor, ref string) (int64, error) {
	g, err := s.group(ctx, a, ref, access.ReadMembers)
	if err != nil {
		return 0, err
	}
	return s.Records.LastOwner(ctx, g.ID)
}

// mayManage checks again, in the transaction that changes roles, that the actor may
// change them.
func (m MembersOf) mayManage(a access.Actor, standing access.Resource, role access.Role) error {
	if err := m.s.allow(a, standing, m.manage, m.noun); err != nil {
		return err
	}
	return m.mayGrant(a, standing, role)
}

// mayGrant refuses a role that does not exist, or that is above the actor's own.
func (m MembersOf) mayGrant(a access.Actor, standing access.Resource, role access.Role) error {
	if !role.Grantable() {
		return fault.New(fault.Invalid, "access_level does not have a valid value")
	}
	if m.ownerly && role == access.Owner {
		return m.s.allow(a, standing, access.OwnProject, m.noun)
	}
	return nil
}

func (m MembersOf) checkExpiry(expires *time.Time) error {
	if expires != nil && expires.Before(m.s.Now().UTC().Truncate(24*time.Hour)) {
		return fault.Field("expires_at", "cannot be a date in the past")
	}
	return nil
}

// mayTouch refuses a project's maintainers to change or remove an owner.
func (m MembersOf) mayTouch(a access.Actor, standing access.Resource, member Member) error {
	if m.ownerly && member.Role == access.Owner && a.UserID != member.UserID {
		return m.s.allow(a, standing, access.OwnProject, m.noun)
	}
	return nil
}

func idRef(id int64) string { return strconv.FormatInt(id, 10) }
