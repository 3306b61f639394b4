package registry

import (
	"cmp"
	"context"
	"time"

	"granary/internal/access"
)

// Sender tells anew who sends a body. Between its first byte and its last hours may
// pass, in which a token is revoked, a user blocked, or a role taken away.
type Sender interface {
	Again(ctx context.Context) (access.Actor, error)
}

// again is who sent a body that began then, and the place, as both are at its end. Who
// was quick is not asked again, nor is anybody where s is nil.
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
