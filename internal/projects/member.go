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
	Role      access.Role
	CreatedAt time.Time
	CreatedBy *Creator   // nil where nobody is known
	ExpiresAt *time.Time // midnight UTC of the day from which it counts no more
}

// Creator is who made somebody a member.
type Creator struct {
	UserID         int64
	Username, Name string
	Blocked        bool
}

// Place is a group or a project, whichever is not 0.
type Place struct {
	GroupID   int64
	ProjectID int64
}

// MemberFilter chooses members for a list.
type MemberFilter struct {
	Place     Place
	Inherited bool  // those of the groups above too, each user once with the highest role
	UserID    int64 // this one only
	UserIDs   []int64
	SkipUsers []int64
	Query     string // part of name or user name, case folded
}

// Members keeps memberships. Each method is one transaction. It completes the
// event that tells of it with who the member is, and with the change.
type Members interface {
	ListMembers(ctx context.Context, f MemberFilter, p page.Request) (page.Of[Member], error)
	// InsertMember takes the user by id, or by user name where the id is 0.
	// NotFound without such a user, Conflict where there is a membership, Full
	// where the place has as many as the limit.
	InsertMember(ctx context.Context, at Place, m Member, most fault.Limit, e audit.Event) (Member, error)
	// UpdateMember fails with Conflict where the last owner of a group would
	// be gone.
	UpdateMember(ctx context.Context, at Place, userID int64, role access.Role, expires Setting[time.Time], e audit.Event) (Member, error)
	DeleteMember(ctx context.Context, at Place, userID int64, e audit.Event) error
}

// MembersOf is the deeds around members, of a group or of a project alike.
type MembersOf struct {
	s       *Service
	find    func(context.Context, access.Actor, string, access.Action) (Place, access.Resource, error)
	manage  access.Action
	ownerly bool // granting Owner takes an owner
	most    func() fault.Limit
}

// GroupMembers is the deeds around the members of groups.
func (s *Service) GroupMembers() MembersOf {
	return MembersOf{s: s, manage: access.AdminGroupMembers, most: func() fault.Limit { return s.limits().GroupMembers },
		find: func(ctx context.Context, a access.Actor, ref string, action access.Action) (Place, access.Resource, error) {
			g, err := s.group(ctx, a, ref, action)
			return Place{GroupID: g.ID}, g.Standing, err
		}}
}

// ProjectMembers is the deeds around the members of projects.
func (s *Service) ProjectMembers() MembersOf {
	return MembersOf{s: s, manage: access.AdminProjectMembers, ownerly: true, most: func() fault.Limit { return s.limits().ProjectMembers },
		find: func(ctx context.Context, a access.Actor, ref string, action access.Action) (Place, access.Resource, error) {
			p, err := s.project(ctx, a, ref, action)
			return Place{ProjectID: p.ID}, p.Standing, err
		}}
}

// List returns members; the filter's place is filled in here.
func (m MembersOf) List(ctx context.Context, a access.Actor, ref string, f MemberFilter, p page.Request) (page.Of[Member], error) {
	at, _, err := m.find(ctx, a, ref, access.ReadMembers)
	if err != nil {
		return page.Of[Member]{}, err
	}
	f.Place = at
	return m.s.Members.ListMembers(ctx, f, p)
}

// Member returns one member, NotFound where the user is none.
func (m MembersOf) Member(ctx context.Context, a access.Actor, ref string, userID int64, inherited bool) (Member, error) {
	found, err := m.List(ctx, a, ref, MemberFilter{UserID: userID, Inherited: inherited}, page.Request{Number: 1, Size: 1})
	if err == nil && len(found.Rows) == 0 {
		err = fault.New(fault.NotFound, "")
	}
	if err != nil {
		return Member{}, err
	}
	return found.Rows[0], nil
}

// Add makes a user a member. Conflict where the user is one already.
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
	member, err = m.s.Members.InsertMember(ctx, at, member, m.most(), m.s.event(a, audit.MemberCreated, at.entity()))
	switch fault.KindOf(err) {
	case fault.Conflict:
		return Member{}, fault.New(fault.Conflict, "Member already exists")
	case fault.NotFound:
		return Member{}, fault.New(fault.Hidden, "User")
	}
	return member, err
}

// Change gives a member another role or another last day.
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
	if err := m.mayTouch(ctx, a, standing, at, userID); err != nil {
		return Member{}, err
	}
	return m.s.Members.UpdateMember(ctx, at, userID, role, expires, m.s.event(a, audit.MemberUpdated, at.entity()))
}

// Remove ends a membership. Everybody may end their own.
func (m MembersOf) Remove(ctx context.Context, a access.Actor, ref string, userID int64) error {
	action := m.manage
	if a.Kind == access.User && a.UserID == userID {
		action = access.LeaveMembers
	}
	at, standing, err := m.find(ctx, a, ref, action)
	if err != nil {
		return err
	}
	if err := m.mayTouch(ctx, a, standing, at, userID); err != nil {
		return err
	}
	return m.s.Members.DeleteMember(ctx, at, userID, m.s.event(a, audit.MemberDestroyed, at.entity()))
}

// mayGrant: a role exists, and nobody gives more than they have.
func (m MembersOf) mayGrant(a access.Actor, standing access.Resource, role access.Role) error {
	if !role.Grantable() {
		return fault.New(fault.Invalid, "access_level does not have a valid value")
	}
	if m.ownerly && role == access.Owner {
		return m.s.allow(a, standing, access.OwnProject, "Project")
	}
	return nil
}

func (m MembersOf) checkExpiry(expires *time.Time) error {
	if expires != nil && expires.Before(m.s.Now().UTC().Truncate(24*time.Hour)) {
		return fault.Field("expires_at", "cannot be a date in the past")
	}
	return nil
}

// mayTouch: in a project a maintainer has no say over an owner.
func (m MembersOf) mayTouch(ctx context.Context, a access.Actor, standing access.Resource, at Place, userID int64) error {
	found, err := m.s.Members.ListMembers(ctx, MemberFilter{Place: at, UserID: userID}, page.Request{Number: 1, Size: 1})
	if err != nil {
		return err
	}
	if len(found.Rows) == 0 {
		return fault.New(fault.NotFound, "")
	}
	if m.ownerly && found.Rows[0].Role == access.Owner && a.UserID != userID {
		return m.s.allow(a, standing, access.OwnProject, "Project")
	}
	return nil
}

func idRef(id int64) string { return strconv.FormatInt(id, 10) }
