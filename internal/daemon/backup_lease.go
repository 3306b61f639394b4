package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"granary/internal/fault"
	"granary/internal/registry"
)

const leaseRenew = time.Minute

// leased runs fn while no sweep removes bytes. The context of fn ends if the lease is lost.
func (a *Admin) leased(ctx context.Context, name string, fn func(context.Context) error) error {
	holder := rand.Text()
	if err := a.server.db.TakeLease(ctx, name, holder); err != nil {
		return err
	}
	working, lose := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		every(working, leaseRenew, func() {
			// Any other trouble may be over in a minute; the next renewal tells if it lasted.
			if err := a.server.db.RenewLease(working, name, holder); fault.Is(err, fault.NotFound) {
				lose(fmt.Errorf("%s took longer than %v, or could not reach the database for %v: sweeps may remove what it copies", name, registry.LongestLease, registry.LeaseLife))
			}
		})
	})
	err := fn(working)
	lost := context.Cause(working)
	lose(nil)
	renewing.Wait()
	if lost != nil && ctx.Err() == nil {
		err = lost
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, a.server.db.DropLease(late, name, holder))
}
