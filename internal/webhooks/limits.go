package webhooks

import "granary/internal/fault"

// Limits are how many hooks a project may have. The headers of one are
// maxHeaders.
type Limits struct {
	Hooks fault.Limit
}

// DefaultLimits are GitLab's.
func DefaultLimits() Limits {
	return Limits{Hooks: fault.Limit{Most: 100, Of: "project hooks"}}
}

// limits are those in force.
func (s *Service) limits() Limits {
	if s.Limits == (Limits{}) {
		return DefaultLimits()
	}
	return s.Limits
}
