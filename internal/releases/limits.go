package releases

import "granary/internal/fault"

// Limits are how many releases a project may have. The links of one, which is
// read and written whole, are maxLinks at most.
type Limits struct {
	Releases fault.Limit
}

// DefaultLimits are far above any use: GitLab has no such limit. To count so far
// takes milliseconds, in which others wait for their turn.
func DefaultLimits() Limits {
	return Limits{Releases: fault.Limit{Most: 20_000, Of: "releases of a project", Cure: "delete one first"}}
}

// limits are those in force.
func (s *Service) limits() Limits {
	if s.Limits == (Limits{}) {
		return DefaultLimits()
	}
	return s.Limits
}
