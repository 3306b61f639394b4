package api

import (
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/projects"
	"granary/internal/wire"
)

// deedsOfMembers are the deeds around members of groups, or of projects.
type deedsOfMembers struct{ deeds projects.MembersOf }

func (d deedsOfMembers) list(inherited bool) func(*call) error {
	return func(c *call) error {
		f := projects.MemberFilter{
			Inherited: inherited, Query: c.params.str("query"),
			UserIDs: c.params.integers("user_ids"), SkipUsers: c.params.integers("skip_users"),
		}
		ask := c.page(false)
		if err := c.params.err(); err != nil {
			return err
		}
		found, err := d.deeds.List(c.r.Context(), c.actor, c.path("id"), f, ask)
		return listed(c, ask, found, err, c.member)
	}
}

func (d deedsOfMembers) get(inherited bool) func(*call) error {
	return func(c *call) error {
		userID, err := c.id("user_id")
		if err != nil {
			return err
		}
		m, err := d.deeds.Member(c.r.Context(), c.actor, c.path("id"), userID, inherited)
		if err != nil {
			return err
		}
		return c.ok(c.member(m))
	}
}

func (d deedsOfMembers) add(c *call) error {
	p := c.params
	m := projects.Member{
		UserID: p.integer("user_id"), Username: p.str("username"),
		Role: access.Role(p.integer("access_level")), ExpiresAt: p.day("expires_at"),
	}
	p.required("access_level")
	if !p.has("user_id") && !p.has("username") {
		p.fail("user_id, username are missing, exactly one parameter must be provided")
	}
	if p.has("user_id") && p.has("username") {
		p.fail("user_id, username are mutually exclusive")
	}
	if err := p.err(); err != nil {
		return err
	}
	m, err := d.deeds.Add(c.r.Context(), c.actor, c.path("id"), m)
	if err != nil {
		return err
	}
	return c.created(c.member(m))
}

func (d deedsOfMembers) change(c *call) error {
	userID, err := c.id("user_id")
	if err != nil {
		return err
	}
	p := c.params
	p.required("access_level")
	role := access.Role(p.integer("access_level"))
	expires := setting(p, "expires_at", func(string) *time.Time { return p.day("expires_at") })
	if err := p.err(); err != nil {
		return err
	}
	m, err := d.deeds.Change(c.r.Context(), c.actor, c.path("id"), userID, role, expires)
	if err != nil {
		return err
	}
	return c.ok(c.member(m))
}

func (d deedsOfMembers) remove(c *call) error {
	userID, err := c.id("user_id")
	if err != nil {
		return err
	}
	if err := d.deeds.Remove(c.r.Context(), c.actor, c.path("id"), userID); err != nil {
		return err
	}
	return c.noContent()
}

func (c *call) member(m projects.Member) wire.Member {
	w := wire.Member{
		ID: m.UserID, Username: m.Username, Name: m.Name, State: userState(m.Blocked),
		WebURL: c.base() + "/" + m.Username, AccessLevel: int(m.Role),
		CreatedAt: wire.Time(m.CreatedAt), ExpiresAt: wire.OptionalDate(m.ExpiresAt),
	}
	if by := m.CreatedBy; by != nil {
		w.CreatedBy = new(c.userBasic(auth.User{ID: by.UserID, Username: by.Username, Name: by.Name, Blocked: by.Blocked}))
	}
	return w
}
