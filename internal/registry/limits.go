package registry

import (
	"strconv"

	"granary/internal/fault"
)

// Limits are how many protection rules and uploads a project may have, and a package
// channels. Packages and
// files are not limited: they are what a registry is for.
type Limits struct {
	Protections, Uploads, Channels fault.Limit
}

// DefaultLimits are far above any use: GitLab has none. Every publish is checked
// against all rules of its project, which are cached.
func DefaultLimits() Limits {
	return Limits{
		Protections: fault.Limit{Most: 1_000, Of: "package protection rules of a project", Cure: "delete one first, or use * in a pattern"},
		Channels:    fault.Limit{Most: 1_000, Of: "channels of a package", Cure: "remove one first"},
		Uploads:     fault.Limit{Most: 50_000, Of: "uploads of a project", Cure: "delete one first, or publish files as a package"},
	}
}

// limits are the limits in force.
func (r *Registry) limits() Limits {
	if r.Limits == (Limits{}) {
		return DefaultLimits()
	}
	return r.Limits
}

// limit is the largest file that the project accepts, in bytes; 0 for no limit.
func (r *Registry) limit(p Project) int64 {
	if p.MaxFileSize != nil {
		return *p.MaxFileSize
	}
	return r.MaxFileSize
}

func tooLarge(size, limit int64) error {
	cause := "limit is " + strconv.FormatInt(limit, 10) + " bytes"
	if size > limit {
		cause = strconv.FormatInt(size, 10) + " bytes, " + cause
	}
	return &fault.Error{Kind: fault.TooLarge, Msg: "File is too large", Err: sizeError(cause)}
}
