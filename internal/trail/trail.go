// Package trail is the deeds of reading audit events: those of the instance, of a group
// or of a project, for actors that the permission table allows to read them.
package trail

import (
	"context"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/page"
)

// Service is the deeds of this room: reading events.
type Service struct {
	Store  Store
	Places gate.Places
	Rules  access.Rules
	Now    func() time.Time
}

// Store keeps events. The record methods of the deeds write them.
type Store interface {
	// ListEvents returns a page, newest first. Above ten thousand rows the total may
	// be any number that is above that and above the end of the page.
	ListEvents(ctx context.Context, f Filter, p page.Request) (page.Of[audit.Event], error)
	// WalkEvents returns up to limit events, newest first, among the first depth that the
	// filter chooses without its author. next is the id with which the walk goes on, as
	// OlderThan; 0 at its end.
	WalkEvents(ctx context.Context, f Filter, limit, depth int) (found []audit.Event, next int64, err error)
	// FindEvent returns one event of those that the filter chooses, NotFound if it is
	// not among them.
	FindEvent(ctx context.Context, f Filter, id int64) (audit.Event, error)
	// PurgeEvents removes up to limit events that are older than before, the oldest
	// first, and returns how many it removed.
	PurgeEvents(ctx context.Context, before time.Time, limit int) (int, error)
}

// Filter chooses events. Zero fields choose all.
type Filter struct {
	EntityType audit.EntityType
	EntityID   int64     // with EntityType
	After      time.Time // at that moment or later
	Before     time.Time // at that moment or earlier
	OlderThan  int64     // with ids below, for keyset pages
	AuthorID   int64     // of this user; only walks have it
}

// MaxOffset is the largest offset of pages by number; keyset pages have none.
const MaxOffset = 50000

// InstanceEvents returns events of the whole instance; only administrators may.
func (s *Service) InstanceEvents(ctx context.Context, a access.Actor, f Filter, p page.Request) (page.Of[audit.Event], error) {
	if err := s.allow(a); err != nil {
		return page.Of[audit.Event]{}, err
	}
	return s.list(ctx, f, p)
}

// InstanceEvent returns one event of the whole instance; only administrators may.
func (s *Service) InstanceEvent(ctx context.Context, a access.Actor, id int64) (audit.Event, error) {
	if err := s.allow(a); err != nil {
		return audit.Event{}, err
	}
	return s.find(ctx, Filter{}, id)
}

func (s *Service) allow(a access.Actor) error {
	return gate.Check(s.Rules, a, access.Resource{}, access.ReadInstance, "")
}

// ProjectEvents returns events of a project.
func (s *Service) ProjectEvents(ctx context.Context, a access.Actor, project string, f Filter, p page.Request) (page.Of[audit.Event], error) {
	id, _, err := s.Places.ProjectStanding(ctx, a, project, access.ReadProjectAudit)
	if err != nil {
		return page.Of[audit.Event]{}, err
	}
	f.EntityType, f.EntityID = audit.Project, id
	return s.list(ctx, f, p)
}

// ProjectEvent returns one event of a project.
func (s *Service) ProjectEvent(ctx context.Context, a access.Actor, project string, id int64) (audit.Event, error) {
	projectID, _, err := s.Places.ProjectStanding(ctx, a, project, access.ReadProjectAudit)
	if err != nil {
		return audit.Event{}, err
	}
	return s.find(ctx, Filter{EntityType: audit.Project, EntityID: projectID}, id)
}

// GroupEvents returns events of a group itself, not of its subgroups and projects.
func (s *Service) GroupEvents(ctx context.Context, a access.Actor, group string, f Filter, p page.Request) (page.Of[audit.Event], error) {
	id, _, err := s.Places.GroupStanding(ctx, a, group, access.ReadGroupAudit)
	if err != nil {
		return page.Of[audit.Event]{}, err
	}
	f.EntityType, f.EntityID = audit.Group, id
	return s.list(ctx, f, p)
}

// GroupEvent returns one event of a group.
func (s *Service) GroupEvent(ctx context.Context, a access.Actor, group string, id int64) (audit.Event, error) {
	groupID, _, err := s.Places.GroupStanding(ctx, a, group, access.ReadGroupAudit)
	if err != nil {
		return audit.Event{}, err
	}
	return s.find(ctx, Filter{EntityType: audit.Group, EntityID: groupID}, id)
}

func (s *Service) list(ctx context.Context, f Filter, p page.Request) (page.Of[audit.Event], error) {
	if p.Offset() > MaxOffset {
		return page.Of[audit.Event]{}, fault.New(fault.NotAllowed, "Offset pagination has a maximum allowed offset of 50000 for requests that return "+
			"objects of type AuditEvent. Remaining records can be retrieved using keyset pagination.")
	}
	return s.Store.ListEvents(ctx, f, p)
}

func (s *Service) find(ctx context.Context, f Filter, id int64) (audit.Event, error) {
	e, err := s.Store.FindEvent(ctx, f, id)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Hidden, "Audit Event")
	}
	return e, err
}

// purgeStep is how many events are removed in one transaction.
const purgeStep = 1000

// Purge removes events that are older than age, in small transactions, so that other
// writes do not wait long. It returns how many it removed. If ctx ends first, the next
// call removes the rest.
func (s *Service) Purge(ctx context.Context, age time.Duration) (int, error) {
	for total := 0; ; {
		n, err := s.Store.PurgeEvents(ctx, s.Now().Add(-age), purgeStep)
		total += n
		if err != nil || n < purgeStep {
			return total, err
		}
	}
}
