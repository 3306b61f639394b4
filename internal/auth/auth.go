// Package auth knows users and their credentials: it turns the credentials of a request
// into an access.Actor, and keeps users, tokens and jobs.
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
	Logins  *throttle.Logins // limits failed logins; nil for no limit

	used lastUsed
}

// Records is everything that this room keeps in a database.
type Records interface {
	Tokens
	Users
	PersonalTokens
	Bots
	DeployTokens
	Jobs
}

// allow is the check of deeds about users and tokens, which belong to the instance.
func (s *Service) allow(a access.Actor, own bool, action access.Action) error {
	return gate.Check(s.Rules, a, access.Resource{Own: own}, action, "")
}

// usesGathered is the largest number of tokens that are noted between two flushes, which
// takes half a megabyte. Uses of further tokens are not noted.
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

// Flush records when tokens were last used. The server calls it at intervals; a crash
// loses the uses since the last flush. Uses that it could not record wait for the next
// flush, which tries again even if no token was used since.
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
