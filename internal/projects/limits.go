package projects

import "granary/internal/fault"

// Limits are how many rows of each kind a group, a project, a user or the
// instance may have: whatever callers can add to ends somewhere.
type Limits struct {
	OwnGroups, Subgroups, GroupProjects fault.Limit
	ProjectMembers, GroupMembers        fault.Limit
	ProjectVariables, GroupVariables    fault.Limit
	InstanceVariables                   fault.Limit
	Allowlist                           fault.Limit
	Flags, FlagTargets                  fault.Limit
}

// DefaultLimits are GitLab's for variables and for the allowlist, and far above
// any use for the rest, where GitLab has none. How many projects a user may
// have in the own namespace is said for each user (projects_limit).
func DefaultLimits() Limits {
	const remove = "remove one first"
	return Limits{
		OwnGroups:         fault.Limit{Most: 5_000, Of: "top-level groups of an owner", Cure: "delete one first, or make subgroups"},
		Subgroups:         fault.Limit{Most: 10_000, Of: "subgroups of a group", Cure: "delete one first, or take another group"},
		GroupProjects:     fault.Limit{Most: 20_000, Of: "projects of a group", Cure: "delete one first, or take another group"},
		ProjectMembers:    fault.Limit{Most: 20_000, Of: "members of a project", Cure: remove + ", or make them members of the group above"},
		GroupMembers:      fault.Limit{Most: 20_000, Of: "members of a group", Cure: remove},
		ProjectVariables:  fault.Limit{Most: 8_000, Of: "project ci variables"},
		GroupVariables:    fault.Limit{Most: 30_000, Of: "group ci variables"},
		InstanceVariables: fault.Limit{Most: 8_000, Of: "instance ci variables"},
		Allowlist:         fault.Limit{Most: 200, Of: "projects and groups of a job token allowlist", Cure: remove},
		Flags:             fault.Limit{Most: 1_000, Of: "feature flags", Cure: "delete one first"},
		FlagTargets:       fault.Limit{Most: 10_000, Of: "targets of a feature flag", Cure: "delete the flag, or set it for all"},
	}
}

// FormerPaths is how many paths that it had before a project or group keeps:
// each still leads to it, and stays taken.
func FormerPaths() fault.Limit {
	return fault.Limit{Most: 1_000, Of: "former paths of a project or group", Cure: "leave its path as it is, or go back to a former one"}
}

// limits are those in force.
func (s *Service) limits() Limits {
	if s.Limits == (Limits{}) {
		return DefaultLimits()
	}
	return s.Limits
}
