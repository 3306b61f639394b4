package trail

import (
	"context"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/gate"
)

// walkDepth is how many events one step of a walk looks at, at most: events of one author
// have no index, which every publish would pay for.
const walkDepth = 20000

// walkRows is how many events a step of a walk returns.
const walkRows = 50

// Walk is a step through events, newest first.
type Walk struct {
	Events []audit.Event
	Next   int64 // OlderThan of the next step; 0 if there is none
}

// WalkOwn walks through what the actor itself did, anywhere.
func (s *Service) WalkOwn(ctx context.Context, a access.Actor, f Filter) (Walk, error) {
	if err := gate.Check(s.Rules, a, access.Resource{Own: true}, access.ReadSelf, ""); err != nil {
		return Walk{}, err
	}
	f.AuthorID = a.UserID
	return s.walk(ctx, f)
}

// WalkInstance walks through the events of the whole instance; only administrators may.
func (s *Service) WalkInstance(ctx context.Context, a access.Actor, f Filter) (Walk, error) {
	if err := s.allow(a); err != nil {
		return Walk{}, err
	}
	return s.walk(ctx, f)
}

// WalkProject walks through the events of a project.
func (s *Service) WalkProject(ctx context.Context, a access.Actor, project string, f Filter) (Walk, error) {
	id, _, err := s.Places.ProjectStanding(ctx, a, project, access.ReadProjectAudit)
	if err != nil {
		return Walk{}, err
	}
	f.EntityType, f.EntityID = audit.Project, id
	return s.walk(ctx, f)
}

// WalkGroup walks through the events of a group.
func (s *Service) WalkGroup(ctx context.Context, a access.Actor, group string, f Filter) (Walk, error) {
	id, _, err := s.Places.GroupStanding(ctx, a, group, access.ReadGroupAudit)
	if err != nil {
		return Walk{}, err
	}
	f.EntityType, f.EntityID = audit.Group, id
	return s.walk(ctx, f)
}

func (s *Service) walk(ctx context.Context, f Filter) (w Walk, err error) {
	w.Events, w.Next, err = s.Store.WalkEvents(ctx, f, walkRows, walkDepth)
	return w, err
}
