package webhooks

import (
	"context"

	"granary/internal/access"
	"granary/internal/gate"
)

// FailingHook is a hook that is off or rests, and its project.
type FailingHook struct {
	Hook
	ProjectPath string          // full
	Standing    access.Resource // of the actor in the project
}

// mostFailing is how many failing hooks are read.
const mostFailing = 20

// Failing returns hooks that are off or rest after failures, in projects of which the
// actor is a member and whose hooks it may read: some of them if there are many.
func (s *Service) Failing(ctx context.Context, a access.Actor) (failing []FailingHook, err error) {
	if err := gate.Token(a, access.ReadHooks, ""); err != nil || !a.LoggedIn() {
		return nil, err
	}
	found, err := s.Records.FailingHooks(ctx, a, mostFailing)
	for _, h := range found {
		if gate.Check(s.Rules, a, h.Standing, access.ReadHooks, "") == nil {
			failing = append(failing, h)
		}
	}
	return failing, err
}
