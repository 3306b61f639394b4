package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"granary/internal/metadb"
	"granary/internal/registry"
)

const (
	sweptEvery  = 200 * time.Millisecond // whether the answer is there
	serverEvery = 5 * time.Second        // whether there is a server still
)

// Sweep asks the server that sweeps for all to remove, at once, blobs without a
// record for registry.GraceNow, and returns what it removed. It needs Login first.
// It fails if no server runs that can sweep, and if the sweep failed. If ctx ends
// before the sweep begins, the sweep does not happen.
func (a *Admin) Sweep(ctx context.Context) (registry.Swept, error) {
	if err := a.someServer(ctx); err != nil {
		return registry.Swept{}, err
	}
	id, err := a.server.registry.AskSweep(ctx, a.root)
	if err != nil {
		return registry.Swept{}, err
	}
	swept, err := a.awaitSweep(ctx, id)
	if err != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), serverEvery)
		defer cancel()
		err = errors.Join(err, a.server.db.WithdrawSweep(late, id))
	}
	return swept, err
}

func (a *Admin) awaitSweep(ctx context.Context, id int64) (registry.Swept, error) {
	look, servers := time.NewTicker(sweptEvery), time.NewTicker(serverEvery)
	defer look.Stop()
	defer servers.Stop()
	for {
		select {
		case <-ctx.Done():
			return registry.Swept{}, ctx.Err()
		case <-servers.C:
			if err := a.someServer(ctx); err != nil {
				return registry.Swept{}, err
			}
		case <-look.C:
			swept, done, failure, err := a.server.db.TakeSweep(ctx, id)
			switch {
			case err != nil:
				return swept, err
			case failure != "":
				return swept, fmt.Errorf("the sweep failed after it removed %d blobs, %d bytes: %s; the server retries within an hour", swept.Blobs, swept.Bytes, failure)
			case done:
				return swept, nil
			}
		}
	}
}

// someServer fails if no server runs, or if an older one runs: that one may be the
// node that sweeps for all, and cannot sweep on request.
func (a *Admin) someServer(ctx context.Context) error {
	nodes, err := a.server.db.Nodes(ctx)
	switch {
	case err != nil:
		return err
	case len(nodes) == 0:
		return errors.New("no server runs on the database, and only a server sweeps; start it, and run this again")
	}
	for _, n := range nodes {
		if n.Schema < metadb.SweepsSince {
			return fmt.Errorf("%s still runs, and its version cannot sweep on request; stop it, and run this again", n)
		}
	}
	return nil
}
