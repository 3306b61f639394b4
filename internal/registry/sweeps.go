package registry

import (
	"context"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/gate"
)

// AskSweep requests a sweep with GraceNow. The server that sweeps for all does it
// within seconds.
func (r *Registry) AskSweep(ctx context.Context, a access.Actor) (id int64, err error) {
	// A sweep has no action and no address of its own: only the command line of the
	// server's machine requests one, as an administrator. The action of changing the
	// instance's flags, which only administrators may, will do.
	const right = access.AdminFeatures
	if err := gate.Check(r.Rules, a, access.Resource{}, right, ""); err != nil {
		return 0, err
	}
	e := audit.New(a, audit.SweepRequested, r.Now(), audit.WholeInstance())
	return r.Records.AskSweep(ctx, e)
}
