package registry

import (
	"cmp"
	"context"
	"time"

	"granary/internal/access"
)

// Sender finds the sender of a body again. A body may take hours, in which a token is
// revoked, a user blocked, or a role taken away.
type Sender interface {
	Again(ctx context.Context) (access.Actor, error)
}

// again is the sender of a body that began at that time, as it is at its end. It calls
// allow with it. It checks nothing if the body was quick or s is nil.
func (r *Registry) again(ctx context.Context, s Sender, began time.Time, a access.Actor, allow func(access.Actor) error) (access.Actor, error) {
	if s == nil || r.Now().Sub(began) < cmp.Or(r.RecheckAfter, time.Second) {
		return a, nil
	}
	a, err := s.Again(ctx)
	if err == nil {
		err = allow(a)
	}
	return a, err
}
