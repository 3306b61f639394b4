package registry

import (
	"context"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/naming"
)

// door is what is told, on a kind of routes, to an actor who may not do what it asks.
type door struct {
	noun    string // what a hidden project is called; "" names nothing
	flagged bool   // the project's feature flag must be on
	jobs    bool   // a job that the project does not let in is told so (contract rest-api C5)
	follows bool   // a former path of the project is Moved
}

// genericDoor is that of publishing and installing (contract generic-packages 2.6).
func genericDoor() door { return door{flagged: true} }

// apiDoor is that of finding and removing packages: the flag is not about them
// (contract rest-api A1).
func apiDoor() door { return door{noun: "Project", follows: true} }

// uploadDoor is that of uploads, for which there is no flag. Those that have an
// address of their own follow no former path: the web's routes do that.
func uploadDoor(follows bool) door { return door{noun: "Project", jobs: true, follows: follows} }

// enter is the gate of the deeds: it finds the project and refuses what the actor may
// not do. A project that does not exist is hidden like one that the actor cannot see.
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

// judge is what enter does with a project that was found. The flag counts after
// visibility and before the rest.
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

// place finds the project. noun is what a hidden one is called.
func (r *Registry) place(ctx context.Context, a access.Actor, project, noun string) (Project, error) {
	p, err := r.Records.FindPackageProject(ctx, project, a)
	if fault.Is(err, fault.NotFound) {
		return Project{}, fault.New(fault.Hidden, noun)
	}
	return p, err
}

// coordinates parses what a caller sent under the naming of the project that place
// found, or with its error missing. An actor that cannot see the project is told only
// of what no naming takes: it learns nothing, and a client that waits for the request
// to log in gets it.
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

// joinInvalid makes one fault of two about parameters.
func joinInvalid(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil || !fault.Is(a, fault.Invalid) || !fault.Is(b, fault.Invalid):
		return a
	}
	return fault.New(fault.Invalid, a.Error()+", "+b.Error())
}
