// Package gate turns the verdicts of package access into the faults that a caller
// sees. It also has the contract by which other rooms ask about groups and projects.
package gate

import (
	"context"

	"granary/internal/access"
	"granary/internal/fault"
)

// Places finds a group or a project, by its id or full path, and checks an action on
// it. It returns the id, the actor's standing, and the refusal: Hidden if the actor may
// not know of it, Moved with the id if ref is a former path of a project.
type Places interface {
	ProjectStanding(ctx context.Context, a access.Actor, ref string, action access.Action) (int64, access.Resource, error)
	GroupStanding(ctx context.Context, a access.Actor, ref string, action access.Action) (int64, access.Resource, error)
}

// Token refuses an action that the actor's token allows nowhere, before any look-up. noun
// is the kind of resource for a Hidden refusal, and may be empty.
func Token(a access.Actor, action access.Action, noun string) error {
	return Refusal(access.CheckToken(a, action), action, noun)
}

// Check refuses an action on a resource that the rules do not allow.
func Check(rules access.Rules, a access.Actor, r access.Resource, action access.Action, noun string) error {
	return Refusal(rules.Check(a, r, action), action, noun)
}

// ProjectRefusal is Refusal for a project. It has its own words for a job of another
// project that the job token scope does not let in (contract rest-api C5); path is the
// last segment of the project's path. The generic routes name no project and use Refusal
// (contract generic-packages 2.6).
func ProjectRefusal(v access.Verdict, a access.Actor, r access.Resource, action access.Action, path string) error {
	if v == access.Denied && a.Kind == access.Job && !r.Listed {
		return fault.New(fault.Denied, "Authentication by CI/CD job token not allowed from "+a.JobProject+" to "+path+".")
	}
	return Refusal(v, action, "Project")
}

// Refusal is the fault of a verdict, nil for Allowed.
func Refusal(v access.Verdict, action access.Action, noun string) error {
	switch v {
	case access.Allowed:
		return nil
	case access.Unauthenticated:
		return fault.New(fault.Unauthenticated, "")
	case access.OutOfScope:
		return &fault.Error{Kind: fault.InsufficientScope, Scopes: scopes(action)}
	case access.Hidden:
		return fault.New(fault.Hidden, noun)
	}
	return fault.New(fault.Denied, "")
}

// scopes are the scopes that allow an action.
func scopes(action access.Action) (words []string) {
	for _, scope := range access.Scopes(action) {
		words = append(words, string(scope))
	}
	return words
}
