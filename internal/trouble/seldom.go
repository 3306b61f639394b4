package trouble

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// Seldom logs what others can make happen as often as they like, and what has no
// end: the first at once, then one a minute. Make one with NewSeldom; it is safe for
// concurrent use, and waits for nothing but the log.
type Seldom struct {
	log  *slog.Logger
	says string
	now  func() time.Time
	told atomic.Int64 // when, in nanoseconds since 1970
}

// NewSeldom makes one for a thing. says is what the log says, a sentence without an
// end.
func NewSeldom(log *slog.Logger, says string) *Seldom {
	return &Seldom{log: log, says: says, now: time.Now}
}

// Tell is called each time. with goes into the line.
func (s *Seldom) Tell(with ...any) {
	now, told := s.now().UnixNano(), s.told.Load()
	if now-told >= int64(again) && s.told.CompareAndSwap(told, now) {
		s.log.Warn(s.says, with...)
	}
}
