package trouble

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Two failures a second for three minutes are four lines, and one at the end; the
// next failure is told at once.
func TestOncePerMinute(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1_800_000_000, 0)
	trouble := New(slog.New(slog.NewTextHandler(&out, nil)), "it fails", "it goes on")
	trouble.now = func() time.Time { return now }
	trouble.Saw(nil)
	for range 2*180 + 1 {
		trouble.Saw(errors.New("away"), "task", "a")
		now = now.Add(500 * time.Millisecond)
	}
	trouble.Saw(nil)
	trouble.Saw(nil)
	trouble.Saw(errors.New("again"))
	log := out.String()
	for part, want := range map[string]int{
		"msg=\"it fails\" task=a error=away": 4, "failures=121 for=1m0s": 1, "failures=361 for=3m0s": 1,
		"msg=\"it goes on\" failures=361": 1, "error=again": 1, "\n": 6,
	} {
		if n := strings.Count(log, part); n != want {
			t.Errorf("%q is there %d times, want %d:\n%s", part, n, want, log)
		}
	}
}

// What failed together is one line, and what failed in the same way is told once.
func TestErrorsInOneLine(t *testing.T) {
	var out bytes.Buffer
	trouble := New(slog.New(slog.NewTextHandler(&out, nil)), "it fails", "it goes on")
	away := errors.New("no answer")
	trouble.Saw(errors.Join(away, errors.New("disk full\n\tat all"), away))
	if want := `error="no answer; disk full; at all"`; !strings.Contains(out.String(), want) {
		t.Errorf("want %s in %s", want, out.String())
	}
}
