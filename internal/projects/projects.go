// Package projects holds groups, projects, their members and variables, and the
// feature flags.
package projects

import (
	"context"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/gate"
)

// Service is the deeds of this room. Each calls access.Check before it acts.
type Service struct {
	Records Records
	Rules   access.Rules
	Limits  Limits // the zero value: DefaultLimits
	Now     func() time.Time
}

// Records is everything that this room keeps in a database.
type Records interface {
	Groups
	Projects
	Namespaces
	Transfers
	Members
	Features
	Variables
	Allowlists
}

// Setting is a nullable attribute in an edit: unchanged, cleared, or set to a value.
type Setting[T any] struct {
	Given bool
	Value *T // nil clears
}

// apply stores the setting in dst if the edit has it.
func (s Setting[T]) apply(dst **T) {
	if s.Given {
		*dst = s.Value
	}
}

// allow is the check of every deed: it returns nil, or the refusal that the actor sees.
// noun is what the actor asked for, "Project" or "Group".
func (s *Service) allow(a access.Actor, r access.Resource, action access.Action, noun string) error {
	return gate.Check(s.Rules, a, r, action, noun)
}

// hide turns NotFound into Hidden, which an actor gets who cannot see the row.
func hide(err error, noun string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Hidden, noun)
	}
	return err
}

// group finds a group and checks the action on it. It refuses a user's own namespace.
func (s *Service) group(ctx context.Context, a access.Actor, ref string, action access.Action) (Group, error) {
	g, err := s.namespace(ctx, a, ref, action)
	if g.Personal() {
		return Group{}, fault.New(fault.Hidden, "Group")
	}
	return g, err
}

// namespace finds a group or a user's own namespace and checks the action on
// it.
func (s *Service) namespace(ctx context.Context, a access.Actor, ref string, action access.Action) (Group, error) {
	if err := gate.Token(a, action, "Group"); err != nil {
		return Group{}, err
	}
	g, err := s.findGroup(ctx, ref, a)
	switch {
	case err != nil:
		return Group{}, hide(err, "Group")
	case g.Personal() && action != access.CreateProject:
		return Group{}, fault.New(fault.Hidden, "Group") // it is a user's own namespace
	}
	return g, s.allow(a, g.Standing, action, "Group")
}

// project finds a project and checks the action on it. For an actor who may see it, a
// former path yields Moved with the project's id.
func (s *Service) project(ctx context.Context, a access.Actor, ref string, action access.Action) (Project, error) {
	if err := gate.Token(a, action, "Project"); err != nil {
		return Project{}, err
	}
	p, err := s.findProject(ctx, ref, a)
	moved := fault.Is(err, fault.Moved)
	if err != nil && !moved {
		return Project{}, hide(err, "Project")
	}
	if err := gate.ProjectRefusal(s.Rules.Check(a, p.Standing, action), a, p.Standing, action, p.Path); err != nil {
		return Project{}, err
	}
	if moved {
		return Project{}, fault.MovedTo(p.ID) // only an actor that may see the project learns its id
	}
	return p, nil
}

// ProjectStanding checks an action on a project for other rooms. It returns the
// project's id, the actor's standing, and the refusal.
func (s *Service) ProjectStanding(ctx context.Context, a access.Actor, ref string, action access.Action) (int64, access.Resource, error) {
	p, err := s.project(ctx, a, ref, action)
	return p.ID, p.Standing, err
}

// GroupStanding is ProjectStanding for a group.
func (s *Service) GroupStanding(ctx context.Context, a access.Actor, ref string, action access.Action) (int64, access.Resource, error) {
	g, err := s.group(ctx, a, ref, action)
	return g.ID, g.Standing, err
}
