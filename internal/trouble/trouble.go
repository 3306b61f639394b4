// Package trouble keeps repeated failures, and events that every request may cause,
// from filling the log.
package trouble

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// again is how often the same is said.
const again = time.Minute

// Trouble logs the failures of one thing that is tried again and again: the first
// at once, then one a minute, and once that it is over. Make one with New; it is
// safe for concurrent use.
type Trouble struct {
	log    *slog.Logger
	fails  string
	over   string
	now    func() time.Time
	mu     sync.Mutex
	failed int       // tries in a row
	since  time.Time // of these
	told   time.Time
}

// New makes one for a thing. fails and over are what the log says, as sentences
// without an end.
func New(log *slog.Logger, fails, over string) *Trouble {
	return &Trouble{log: log, fails: fails, over: over, now: time.Now}
}

// Saw takes the result of each try: nil is success. with goes into the line.
func (t *Trouble) Saw(err error, with ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if err == nil {
		if t.failed > 0 {
			t.log.Info(t.over, append(with, "failures", t.failed, "after", now.Sub(t.since).Round(time.Millisecond))...)
			t.failed = 0
		}
		return
	}
	if t.failed == 0 {
		t.since = now
	} else if now.Sub(t.told) < again {
		t.failed++
		return
	}
	t.failed++
	t.told = now
	with = append(with, "error", inOneLine(err.Error()))
	if t.failed > 1 {
		with = append(with, "failures", t.failed, "for", now.Sub(t.since).Round(time.Second))
	}
	t.log.Warn(t.fails, with...)
}

// inOneLine joins the lines of an error, each once: if several things fail together,
// they often fail in the same way.
func inOneLine(text string) string {
	var parts []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(parts, line) {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}
