// Package auth knows users and their credentials: it turns what a request
// carries into an access.Actor, and keeps users, tokens and jobs.
package auth

import (
	"context"
	"sync"
	"time"

	"granary/internal/access"
	"granary/internal/gate"
	"granary/internal/throttle"
)

// Service is the deeds of this room.
type Service struct {
	Records Records
	Places  gate.Places
	Rules   access.Rules
	Limits  Limits // the zero value: DefaultLimits
	Now     func() time.Time
	Logins  *throttle.Logins // limits failed ones; nil for no limit

	used lastUsed
}

// Records is all that this room keeps in a database.
type Records interface {
	Tokens
	Users
	PersonalTokens
	Bots
	DeployTokens
	Jobs
}

// allow is the gate of the deeds that are about users and tokens, which belong
// to the instance.
func (s *Service) allow(a access.Actor, own bool, action access.Action) error {
	return gate.Check(s.Rules, a, access.Resource{Own: own}, action, "")
}

// usesGathered is how many tokens are noted between two flushes, at most: half a
// megabyte. Those that come after them are not noted.
const usesGathered = 10000

// lastUsed gathers when tokens were used, so that no request writes.
type lastUsed struct {
	mu sync.Mutex
	at map[int64]time.Time
}

func (u *lastUsed) note(tokenID int64, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at == nil {
		u.at = map[int64]time.Time{}
	}
	if last, known := u.at[tokenID]; now.After(last) && (known || len(u.at) < usesGathered) {
		u.at[tokenID] = now
	}
}

func (u *lastUsed) take() map[int64]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := u.at
	u.at = nil
	return at
}

// Flush records when tokens were last used. The server calls it now and then;
// what it has not recorded yet is lost in a crash. What it could not record waits
// for the next flush, which has something to try then.
func (s *Service) Flush(ctx context.Context) error {
	at := s.used.take()
	if len(at) == 0 {
		return nil
	}
	err := s.Records.TouchTokens(ctx, at)
	if err != nil {
		for id, when := range at {
			s.used.note(id, when)
		}
	}
	return err
}
