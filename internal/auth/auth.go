// Package auth knows users and their credentials: it turns the credentials of a request
// into an access.Actor, and keeps users, tokens and jobs.
package auth

import (
	"context"
	"errors"
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

	used, seen lastUsed // of tokens, of sessions
}

// Records is everything that this room keeps in a database.
type Records interface {
	Tokens
	Users
	PersonalTokens
	Bots
	DeployTokens
	Jobs
	Sessions
}

// allow is the check of deeds about users and tokens, which belong to the instance.
func (s *Service) allow(a access.Actor, own bool, action access.Action) error {
	return gate.Check(s.Rules, a, access.Resource{Own: own}, action, "")
}

// usesGathered is the largest number of tokens, and of sessions, that are noted between two
// flushes, which takes half a megabyte each. Uses of further ones are not noted.
const usesGathered = 10000

// lastUsed gathers when tokens or sessions were used, so that no request writes.
type lastUsed struct {
	mu sync.Mutex
	at map[int64]time.Time
}

func (u *lastUsed) note(id int64, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at == nil {
		u.at = map[int64]time.Time{}
	}
	if last, known := u.at[id]; now.After(last) && (known || len(u.at) < usesGathered) {
		u.at[id] = now
	}
}

func (u *lastUsed) take() map[int64]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := u.at
	u.at = nil
	return at
}

// flush records what was gathered. What it could not record waits for the next flush.
func (u *lastUsed) flush(ctx context.Context, touch func(context.Context, map[int64]time.Time) error) error {
	at := u.take()
	if len(at) == 0 {
		return nil
	}
	err := touch(ctx, at)
	if err != nil {
		for id, when := range at {
			u.note(id, when)
		}
	}
	return err
}

// Flush records when tokens were last used, and sessions last seen. The server calls it at
// intervals; a crash loses the uses since the last flush. Uses that it could not record wait
// for the next flush, which tries again even if nothing was used since.
func (s *Service) Flush(ctx context.Context) error {
	return errors.Join(s.used.flush(ctx, s.Records.TouchTokens), s.seen.flush(ctx, s.Records.TouchSessions))
}
