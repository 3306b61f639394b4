package api

import (
	"strconv"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/trail"
	"granary/internal/wire"
)

func listInstanceEvents(c *call) error {
	p := c.params
	f := trail.Filter{EntityID: p.integer("entity_id")}
	f.EntityType = audit.EntityType(p.choice("entity_type",
		string(audit.User), string(audit.Group), string(audit.Project), string(audit.Instance)))
	switch {
	case p.has("entity_id") && f.EntityID <= 0:
		p.fail("entity_id is invalid")
	case f.EntityID != 0 && f.EntityType == "":
		p.fail("entity_type is missing, entity_id goes with it")
	}
	return c.listEvents(f, func(f trail.Filter, ask page.Request) (page.Of[audit.Event], error) {
		return c.s.Audit.InstanceEvents(c.r.Context(), c.actor, f, ask)
	})
}

func listProjectEvents(c *call) error {
	return c.listEvents(trail.Filter{}, func(f trail.Filter, ask page.Request) (page.Of[audit.Event], error) {
		return c.s.Audit.ProjectEvents(c.r.Context(), c.actor, c.path("id"), f, ask)
	})
}

func listGroupEvents(c *call) error {
	return c.listEvents(trail.Filter{}, func(f trail.Filter, ask page.Request) (page.Of[audit.Event], error) {
		return c.s.Audit.GroupEvents(c.r.Context(), c.actor, c.path("id"), f, ask)
	})
}

// listEvents reads the filter, and answers with a page of events, by number or by
// cursor.
func (c *call) listEvents(f trail.Filter, list func(trail.Filter, page.Request) (page.Of[audit.Event], error)) error {
	p := c.params
	for name, at := range map[string]*time.Time{"created_after": &f.After, "created_before": &f.Before} {
		if t := p.moment(name); t != nil {
			*at = *t
		}
	}
	keyset := p.choice("pagination", "keyset", "legacy") == "keyset"
	ask := c.page(true)
	if keyset {
		var err error
		if f.OlderThan, err = parseCursor(p.str("cursor")); err != nil {
			p.fail(err.Error())
		}
		ask.Number = 1
	}
	if err := p.err(); err != nil {
		return err
	}
	found, err := list(f, ask)
	if !keyset || err != nil {
		return listed(c, ask, found, err, auditEvent)
	}
	if last, more := found.Last(); more {
		if err := c.cursorLink(last); err != nil {
			return err
		}
	}
	return answered(c, nil, found, func(a *answerWriter, e audit.Event) error { return a.value(auditEvent(e)) })
}

// cursorLink is the Link to the page after the row with the id.
func (c *call) cursorLink(last int64) error {
	q := c.openQuery()
	q.Del("page")
	q.Set("cursor", cursor{strconv.FormatInt(last, 10), "n"}.String())
	return c.setNext(q)
}

func getInstanceEvent(c *call) error {
	return c.getEvent(func(id int64) (audit.Event, error) { return c.s.Audit.InstanceEvent(c.r.Context(), c.actor, id) })
}

func getProjectEvent(c *call) error {
	return c.getEvent(func(id int64) (audit.Event, error) {
		return c.s.Audit.ProjectEvent(c.r.Context(), c.actor, c.path("id"), id)
	})
}

func getGroupEvent(c *call) error {
	return c.getEvent(func(id int64) (audit.Event, error) {
		return c.s.Audit.GroupEvent(c.r.Context(), c.actor, c.path("id"), id)
	})
}

func (c *call) getEvent(find func(int64) (audit.Event, error)) error {
	id, err := c.id("event_id")
	if err != nil {
		return fault.New(fault.Invalid, "audit_event_id is invalid")
	}
	e, err := find(id)
	if err != nil {
		return err
	}
	return c.ok(auditEvent(e))
}

// The names of authors that are not users, as GitLab has them.
const (
	nobodyID      = -1
	deployTokenID = -2
)

func auditEvent(e audit.Event) wire.AuditEvent {
	by := e.Author
	w := wire.AuditEvent{
		ID: e.ID, AuthorID: by.UserID, EntityID: e.Entity.ID, EntityType: string(e.Entity.Type),
		EventName: string(e.Name), EventType: string(e.Name), CreatedAt: wire.Time(e.At),
		Details: wire.AuditEventDetails{
			EventName: string(e.Name), AuthorName: by.Name, AuthorClass: "User", AuthorUsername: by.Username,
			TargetType: e.Target.Type, TargetDetails: e.Target.Details, CustomMessage: e.Name.Sentence(),
			EntityPath: e.Entity.Path, Change: e.Change.What,
			CredentialType: string(by.Credential), CredentialID: by.CredentialID,
			SudoByID: by.SudoID, SudoByUsername: by.SudoUsername,
		},
	}
	d := &w.Details
	switch {
	case by.Credential == audit.DeployToken:
		w.AuthorID, d.AuthorClass = deployTokenID, "DeployToken"
	case by.UserID == 0:
		w.AuthorID, d.AuthorName, d.AuthorClass = nobodyID, "An unauthenticated user", "Gitlab::Audit::UnauthenticatedAuthor"
	}
	if e.Target.ID != 0 {
		d.TargetID = &e.Target.ID
	}
	if by.Address != "" {
		d.IPAddress = &by.Address
	}
	if e.Change.What != "" {
		d.From, d.To = &e.Change.From, &e.Change.To
	}
	return w
}
