package registry

import (
	"context"

	"granary/internal/access"
	"granary/internal/audit"
)

// Sweeps keeps the sweeps that administrators asked for, until the node that
// sweeps for all has done them.
type Sweeps interface {
	// AskSweep asks for one, with its event, and returns its id.
	AskSweep(ctx context.Context, e audit.Event) (id int64, err error)
	// AskedSweep is the newest that waits, 0 for none.
	AskedSweep(ctx context.Context) (id int64, err error)
	// AnswerSweeps records an outcome for all that wait, up to an id. failure says
	// what went wrong, "" for nothing.
	AnswerSweeps(ctx context.Context, upTo int64, swept Swept, failure string) error
	// TakeSweep returns the outcome of one and forgets it, or reports that it is not
	// done. NotFound where there is none.
	TakeSweep(ctx context.Context, id int64) (swept Swept, done bool, failure string, err error)
	// WithdrawSweep takes one back.
	WithdrawSweep(ctx context.Context, id int64) error
	// CountBlobs adds up the first blobs behind an id, by id. last is the greatest
	// id among them, 0 where there are none.
	CountBlobs(ctx context.Context, after int64, limit int) (last int64, blobs int, bytes int64, err error)
}

// AskSweep asks for a sweep with GraceNow, which the server that sweeps for all
// does within seconds. It is for whoever may turn the instance's flags.
func (r *Registry) AskSweep(ctx context.Context, a access.Actor) (id int64, err error) {
	const right = access.AdminFeatures
	if err := access.Refusal(r.Rules.Check(a, access.Resource{}, right), right, ""); err != nil {
		return 0, err
	}
	e := audit.New(a, audit.SweepRequested, r.Now(), audit.WholeInstance())
	return r.Sweeps.AskSweep(ctx, e)
}
