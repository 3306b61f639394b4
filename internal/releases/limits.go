package releases

import "granary/internal/fault"

// Limits are how many releases a project may have. A release has at most maxLinks links,
// because it is read and written as a whole.
type Limits struct {
	Releases fault.Limit
}

// DefaultLimits are far above any use: GitLab has no such limit. Counting to it takes
// milliseconds, in which other writers wait.
func DefaultLimits() Limits {
	return Limits{Releases: fault.Limit{Most: 20_000, Of: "releases of a project", Cure: "delete one first"}}
}

// limits are the limits in force.
func (s *Service) limits() Limits {
	if s.Limits == (Limits{}) {
		return DefaultLimits()
	}
	return s.Limits
}
