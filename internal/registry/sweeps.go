package registry

import (
	"context"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/gate"
)

// AskSweep asks for a sweep with GraceNow, which the server that sweeps for all
// does within seconds.
func (r *Registry) AskSweep(ctx context.Context, a access.Actor) (id int64, err error) {
	// A sweep has no right of its own, and no address: only the command line of the
	// server's machine asks for one, as an administrator. The right to turn the flags of
	// the instance is an administrator's alone, and so it will do.
	const right = access.AdminFeatures
	if err := gate.Check(r.Rules, a, access.Resource{}, right, ""); err != nil {
		return 0, err
	}
	e := audit.New(a, audit.SweepRequested, r.Now(), audit.WholeInstance())
	return r.Records.AskSweep(ctx, e)
}
