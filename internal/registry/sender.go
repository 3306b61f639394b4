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

// again is the sender of a body that began at that time, and the project, both as they
// are at its end. It checks nothing if the body was quick or s is nil.
func (r *Registry) again(ctx context.Context, s Sender, began time.Time, a access.Actor, p Project,
	allow func(access.Actor) (Project, error)) (access.Actor, Project, error) {
	if s == nil || r.Now().Sub(began) < cmp.Or(r.RecheckAfter, time.Second) {
		return a, p, nil
	}
	a, err := s.Again(ctx)
	if err != nil {
		return a, p, err
	}
	p, err = allow(a)
	return a, p, err
}
