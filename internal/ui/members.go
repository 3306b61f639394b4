package ui

import (
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
)

// membersPage is the data of the page of a place's members.
type membersPage struct {
	Form     *form
	Rows     []memberRow
	Pager    pager
	Noun     string // "project" or "group"
	At       string // the address of the page
	Search   string
	Above    bool // the rows are members of the groups above
	Direct   string
	FromUp   string // the address of the members of the groups above
	CanAdd   bool
	Role     selectField
	Leave    string // the address that ends one's own membership; "" if one has none here
	WhyStays string // why the last owner cannot leave
}

// memberRow is one member.
type memberRow struct {
	projects.Member
	URL      string // of the user
	From     *link  // of an inherited member: the group
	Edit     string // the page that changes the member; "" if nobody may
	Remove   string // the address that removes the member; "" if nobody may
	WhyStays string // why it is not removed
	IsMe     bool
}

// members is the deeds about members of the place.
func (v *visit) members() projects.MembersOf {
	if v.project != nil {
		return v.s.Projects.ProjectMembers()
	}
	return v.s.Projects.GroupMembers()
}

// showMembers is the direct members, or with ?from=above those of the groups above.
func showMembers(v *visit) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	above := v.query("from") == "above"
	found, err := v.members().List(v.r.Context(), v.actor, v.ref(), projects.MemberFilter{Query: v.query("search"), Above: above}, p)
	if err != nil {
		return err
	}
	var last int64
	var groups map[int64]string
	if above {
		groups, err = v.groupsAbove()
	} else {
		last, err = v.lastOwner()
	}
	if err != nil {
		return err
	}
	at := v.s.in(v.full(), "members")
	d := membersPage{
		Form: v.form, Pager: v.pagerOf(p, found.Total, "member", "members"), Noun: v.noun(), At: at, Search: v.query("search"), Above: above,
		CanAdd: v.mayManageMembers(), Role: v.roleChoices("access_level", "Role", access.Developer),
	}
	for _, m := range found.Rows {
		d.Rows = append(d.Rows, v.memberRow(m, last, groups))
	}
	if !above && v.can(access.LeaveMembers) && !v.actor.Bot {
		v.leaving(&d, last)
	}
	return v.show(screen{name: "members", title: "Members · " + v.full(), tab: "members", data: d})
}

// lastOwner is the owner whom the group keeps, 0 if there is none. Only a group at the top
// has one.
func (v *visit) lastOwner() (int64, error) {
	if v.project != nil || v.group.ParentID != 0 {
		return 0, nil
	}
	return v.s.Projects.LastOwner(v.r.Context(), v.actor, v.ref())
}

// groupsAbove are the full paths of the groups above that the actor can see, by id.
func (v *visit) groupsAbove() (map[int64]string, error) {
	f := projects.GroupFilter{}
	if v.project != nil {
		f.Above = v.project.Namespace.ID
	} else {
		f.Above = v.group.ID
	}
	found, err := v.s.Projects.ListGroups(v.r.Context(), v.actor, f, page.Request{Number: 1, Size: 100}) // a path has fewer groups
	groups := map[int64]string{}
	for _, g := range found.Rows {
		groups[g.ID] = g.FullPath
	}
	return groups, err
}

func (v *visit) mayManageMembers() bool {
	return v.can(v.either(access.AdminProjectMembers, access.AdminGroupMembers))
}

// memberRow is a member with what the actor may do to it. It shows nothing that the deed
// would refuse.
func (v *visit) memberRow(m projects.Member, last int64, groups map[int64]string) memberRow {
	row := memberRow{Member: m, URL: v.s.in(m.Username), IsMe: m.UserID == v.actor.UserID}
	if groups != nil {
		row.From = &link{Name: "a group that you cannot see"}
		if full := groups[m.In.GroupID]; full != "" {
			row.From = &link{full, v.s.in(full, "members")}
		}
		return row
	}
	at := v.s.in(v.full(), "members", number(m.UserID))
	switch {
	case m.Bot:
		row.WhyStays = "The bot of an access token: it leaves when the token is revoked."
	case !v.mayManageMembers() || v.project != nil && m.Role == access.Owner && !row.IsMe && !v.can(access.OwnProject):
	case m.UserID == last:
		row.WhyStays = lastOwnerStays
	default:
		row.Edit, row.Remove = at, at+"/remove"
	}
	if row.IsMe {
		row.Remove = "" // the page says "Leave"
	}
	return row
}

// lastOwnerStays is why the last owner of a group stays one.
const lastOwnerStays = "A group keeps its last owner. First make another user an owner, without an end."

// leaving fills in how the actor ends its own membership, if it has one here.
func (v *visit) leaving(d *membersPage, last int64) {
	switch {
	case !v.isMember():
	case v.actor.UserID == last:
		d.WhyStays = lastOwnerStays
	default:
		d.Leave = v.s.in(v.full(), "members", number(v.actor.UserID), "remove")
	}
}

// isMember reports whether the actor has a membership of its own here.
func (v *visit) isMember() bool {
	if v.project != nil {
		return v.project.OwnRole > access.NoRole
	}
	return v.group.OwnRole > access.NoRole
}

// addMember makes a user a member, by user name.
func addMember(v *visit) error {
	expires, err := v.future("expires_at")
	if err != nil {
		return v.again(showMembers, err)
	}
	role, err := v.granted("access_level")
	if err != nil {
		return v.again(showMembers, err)
	}
	m := projects.Member{Username: v.sent("username"), Role: role, ExpiresAt: expires}
	if m.Username == "" {
		return v.again(showMembers, fault.Field("username", "is missing"))
	}
	_, err = v.members().Add(v.r.Context(), v.actor, v.ref(), m)
	if err != nil {
		return v.again(showMembers, v.memberFault(err))
	}
	return v.see(v.s.in(v.full(), "members"), "added")
}

// memberFault puts what the deed says of the user beside the field of the user name.
func (v *visit) memberFault(err error) error {
	e, rejected := fault.As(err, fault.Rejected)
	switch {
	case fault.Is(err, fault.Hidden):
		return fault.Field("username", "is no user here")
	case fault.Is(err, fault.Conflict):
		return fault.Field("username", "is a member already")
	case rejected && len(e.Fields["user_id"]) > 0:
		return fault.Field("username", "is the bot of an access token, which is a member of its own place only")
	}
	return err
}

// memberPage is the data of the page that changes a member.
type memberPage struct {
	Form    *form
	Member  memberRow
	At      string // the address of the page
	Role    selectField
	Expires string // as a date; "" for never
}

// showMember is the page that changes one direct member.
func showMember(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	m, err := v.members().Member(v.r.Context(), v.actor, v.ref(), id, false)
	if err != nil {
		return err
	}
	last, err := v.lastOwner()
	if err != nil {
		return err
	}
	d := memberPage{Form: v.form, Member: v.memberRow(m, last, nil), At: v.s.in(v.full(), "members", number(id)), Role: v.roleChoices("access_level", "Role", m.Role)}
	if m.ExpiresAt != nil {
		d.Expires = m.ExpiresAt.UTC().Format(time.DateOnly)
	}
	return v.show(screen{name: "member", title: m.Username + " · " + v.full(), tab: "members", crumbs: []link{{"Members", v.s.in(v.full(), "members")}}, data: d})
}

// changeMember gives a member another role or another end.
func changeMember(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	expires, err := v.future("expires_at")
	if err != nil {
		return v.again(showMember, err)
	}
	role, err := v.granted("access_level")
	if err != nil {
		return v.again(showMember, err)
	}
	_, err = v.members().Change(v.r.Context(), v.actor, v.ref(), id, role, projects.Setting[time.Time]{Given: true, Value: expires})
	if err != nil {
		return v.again(showMember, err)
	}
	return v.see(v.s.in(v.full(), "members"), "saved")
}

// removeMember ends a membership. Who ended the own one may not see the place any more.
func removeMember(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	if err := v.members().Remove(v.r.Context(), v.actor, v.ref(), id); err != nil {
		return err
	}
	if id == v.actor.UserID {
		return v.see(v.s.root+"/", "left")
	}
	return v.see(v.s.in(v.full(), "members"), "removed")
}
