package projects

import (
	"context"

	"granary/internal/access"
	"granary/internal/page"
)

// Associations returns the groups and projects that the actor is a member of
// with at least the role, directly or by a group above. Administrators get only
// their own memberships, too.
func (s *Service) Associations(ctx context.Context, a access.Actor, least access.Role, p page.Request) (page.Of[Group], page.Of[Project], error) {
	var groups page.Of[Group]
	var found page.Of[Project]
	if err := s.allow(a, access.Resource{Own: true}, access.UseOwnToken, ""); err != nil {
		return groups, found, err
	}
	a.Admin = false
	groups, err := s.Records.ListGroups(ctx, GroupFilter{Actor: a, MinRole: max(least, access.Guest)}, p)
	if err != nil {
		return groups, found, err
	}
	found, err = s.Records.ListProjects(ctx, ProjectFilter{Actor: a, Membership: true, MinRole: least}, p)
	return groups, found, err
}
