package registry

import (
	"context"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/gate"
)

// Sweeps keeps the sweeps that administrators asked for, until the server that
// sweeps for all has done them.
type Sweeps interface {
	// AskSweep asks for one, with its event, and returns its id.
	AskSweep(ctx context.Context, e audit.Event) (id int64, err error)
}

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
	return r.Sweeps.AskSweep(ctx, e)
}
