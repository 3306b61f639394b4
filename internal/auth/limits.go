package auth

import "granary/internal/fault"

// Limits are how many tokens and jobs a user, a project or a group may have.
type Limits struct {
	UserTokens                             fault.Limit
	ProjectTokens, GroupTokens             fault.Limit
	ProjectDeployTokens, GroupDeployTokens fault.Limit
	RunningJobs                            fault.Limit
}

// DefaultLimits are far above any use: GitLab has none by default. Expired and revoked
// personal tokens are deleted to make room for new ones, the oldest first; the bots of
// project and group access tokens stay, as authors of what they made.
func DefaultLimits() Limits {
	const revoke, rotate = "revoke one first", "rotate one in place of making another; revoked ones count too"
	return Limits{
		UserTokens:          fault.Limit{Most: 5_000, Of: "personal access tokens of a user", Cure: revoke},
		ProjectTokens:       fault.Limit{Most: 50_000, Of: "access tokens ever made of a project", Cure: rotate},
		GroupTokens:         fault.Limit{Most: 50_000, Of: "access tokens ever made of a group", Cure: rotate},
		ProjectDeployTokens: fault.Limit{Most: 5_000, Of: "deploy tokens of a project", Cure: revoke},
		GroupDeployTokens:   fault.Limit{Most: 5_000, Of: "deploy tokens of a group", Cure: revoke},
		RunningJobs:         fault.Limit{Most: 5_000, Of: "running jobs of a project", Cure: "end some, or wait until they end"},
	}
}

// limits are the limits in force.
func (s *Service) limits() Limits {
	if s.Limits == (Limits{}) {
		return DefaultLimits()
	}
	return s.Limits
}
