package registry

import (
	"context"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/naming"
)

// door is how a kind of routes refuses an actor.
type door struct {
	noun    string // what a hidden project is called; "" names nothing
	flagged bool   // the project's feature flag must be on
	jobs    bool   // the refusal names a job that the project does not let in (contract rest-api C5)
	follows bool   // Moved for a former path of the project
}

// genericDoor is for publishing and installing (contract generic-packages 2.6).
func genericDoor() door { return door{flagged: true} }

// apiDoor is for finding and removing packages, which need no flag (contract rest-api
// A1).
func apiDoor() door { return door{noun: "Project", follows: true} }

// uploadDoor is for uploads, which need no flag. Those with a web address follow no
// former path: the web's routes do that.
func uploadDoor(follows bool) door { return door{noun: "Project", jobs: true, follows: follows} }

// enter is the gate of the deeds: it finds the project and refuses an actor that may
// not do the action. A project that does not exist is hidden like one that the actor
// cannot see.
func (r *Registry) enter(ctx context.Context, a access.Actor, project string, action access.Action, d door) (Project, error) {
	if err := gate.Token(a, action, d.noun); err != nil {
		return Project{}, err
	}
	p, err := r.place(ctx, a, project, d.noun)
	if err != nil {
		return Project{}, err
	}
	return p, r.judge(a, p, action, d)
}

// judge decides for a project that was found. The flag is checked after visibility and
// before the rest.
func (r *Registry) judge(a access.Actor, p Project, action access.Action, d door) error {
	v := r.Rules.Check(a, p.Standing, action)
	switch {
	case d.flagged && !p.FlagOn && v != access.Hidden:
		return fault.New(fault.Absent, "")
	case v == access.Allowed && d.follows && p.Moved:
		return fault.MovedTo(p.ProjectID)
	case d.jobs:
		return gate.ProjectRefusal(v, a, p.Standing, action, p.Path)
	}
	return gate.Refusal(v, action, d.noun)
}

// may reports whether the actor may do the action, for what is no refusal of the whole deed.
func (r *Registry) may(a access.Actor, p Project, action access.Action) bool {
	return r.Rules.Check(a, p.Standing, action) == access.Allowed
}

// place finds the project. noun is what the refusal calls it if it is hidden.
func (r *Registry) place(ctx context.Context, a access.Actor, project, noun string) (Project, error) {
	p, err := r.Records.FindPackageProject(ctx, project, a)
	if fault.Is(err, fault.NotFound) {
		return Project{}, fault.New(fault.Hidden, noun)
	}
	return p, err
}

// coordinates parses raw under the naming of the project that place found; missing is
// place's error. For an actor that cannot see the project it refuses only what no
// naming accepts: the actor learns nothing about the project, and a client that logs
// in on request is asked to.
func (r *Registry) coordinates(a access.Actor, p Project, missing error, raw Raw) (Coordinates, error) {
	switch {
	case fault.Is(missing, fault.Hidden):
		return naming.Parse(naming.Relaxed, raw)
	case missing != nil:
		return Coordinates{}, missing
	case r.Rules.Check(a, p.Standing, access.ReadPackages) == access.Hidden:
		return naming.Parse(naming.Relaxed, raw)
	case p.Naming != nil:
		return naming.Parse(*p.Naming, raw)
	}
	return naming.Parse(r.Naming, raw)
}

// joinInvalid joins two faults about parameters into one.
func joinInvalid(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil || !fault.Is(a, fault.Invalid) || !fault.Is(b, fault.Invalid):
		return a
	}
	return fault.New(fault.Invalid, a.Error()+", "+b.Error())
}
