package projects

import (
	"context"

	"granary/internal/access"
	"granary/internal/gate"
	"granary/internal/page"
)

// NamespaceFilter chooses namespaces for a list.
type NamespaceFilter struct {
	Actor        access.Actor // administrators get all, others those in which they have a role
	Search       string       // part of name or full path, in lower case
	Owned        bool         // only those that the actor owns
	TopLevelOnly bool
}

// Namespaces reads groups and the users' own namespaces together. Each method is one
// transaction.
type Namespaces interface {
	// ListNamespaces returns them in the order of creation, with the fields that are
	// in the group's row.
	ListNamespaces(ctx context.Context, f NamespaceFilter, p page.Request) (page.Of[Group], error)
	// CountMembers counts the members of the group and of everything in it.
	CountMembers(ctx context.Context, groupID int64) (int, error)
}

// ListNamespaces returns the namespaces in which the actor has a role, with the
// actor's own. Administrators get all.
func (s *Service) ListNamespaces(ctx context.Context, a access.Actor, f NamespaceFilter, p page.Request) (page.Of[Group], error) {
	if err := s.allow(a, access.Resource{}, access.FindNamespaces, ""); err != nil {
		return page.Of[Group]{}, err
	}
	f.Actor = a
	return s.Records.ListNamespaces(ctx, f, p)
}

// Namespace returns a group that the actor can see, or a user's own namespace, by id
// or full path. Only its owner and administrators get a user's own namespace.
func (s *Service) Namespace(ctx context.Context, a access.Actor, ref string) (Group, error) {
	if err := gate.Token(a, access.ReadNamespace, "Namespace"); err != nil {
		return Group{}, err
	}
	g, err := s.findGroup(ctx, ref, a)
	if err != nil {
		return Group{}, hide(err, "Namespace")
	}
	if g.Personal() {
		g.Standing.Visibility = access.Private
		if g.OwnerID != a.UserID {
			g.Standing.Role = access.NoRole // a role in a project of the group counts for that project only
		}
	}
	return g, s.allow(a, g.Standing, access.ReadNamespace, "Namespace")
}

// NamespaceMembers counts the members of a group and of everything in it. It returns
// nil to actors that may not edit the group, and for a user's own namespace.
func (s *Service) NamespaceMembers(ctx context.Context, a access.Actor, g Group) (*int, error) {
	if g.Personal() || s.Rules.Check(a, g.Standing, access.EditGroup) != access.Allowed {
		return nil, nil
	}
	n, err := s.Records.CountMembers(ctx, g.ID)
	return &n, err
}

// ProjectGroups returns the groups above a project that the actor can see.
func (s *Service) ProjectGroups(ctx context.Context, a access.Actor, ref string, f GroupFilter, p page.Request) (page.Of[Group], error) {
	project, err := s.project(ctx, a, ref, access.ReadProject)
	if err != nil {
		return page.Of[Group]{}, err
	}
	f.Actor, f.Above = a, project.Namespace.ID
	return s.Records.ListGroups(ctx, f, p)
}
