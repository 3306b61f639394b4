package projects

import "granary/internal/fault"

// Limits are how many rows of each kind a group, a project, a user or the instance
// may have, so that no list that callers can add to grows without end.
type Limits struct {
	OwnGroups, Subgroups, GroupProjects fault.Limit
	ProjectMembers, GroupMembers        fault.Limit
	ProjectVariables, GroupVariables    fault.Limit
	InstanceVariables                   fault.Limit
	Allowlist                           fault.Limit
	Flags, FlagTargets                  fault.Limit
}

// DefaultLimits are GitLab's for variables and for the allowlist. GitLab has no others,
// so the rest are far above any use. Each user has a limit of projects in the own
// namespace (projects_limit).
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

// FormerPaths is how many former paths a project or group keeps: each still leads to
// it, and stays taken.
func FormerPaths() fault.Limit {
	return fault.Limit{Most: 1_000, Of: "former paths of a project or group", Cure: "leave its path as it is, or go back to a former one"}
}

// limits are the limits in force.
func (s *Service) limits() Limits {
	if s.Limits == (Limits{}) {
		return DefaultLimits()
	}
	return s.Limits
}
