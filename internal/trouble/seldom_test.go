package trouble

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// However often it happens, and to however many at once, there is a line a minute.
func TestSeldom(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1_800_000_000, 0)
	s := NewSeldom(slog.New(slog.NewTextHandler(&out, nil)), "it happens")
	s.now = func() time.Time { return now }
	for _, after := range []time.Duration{0, time.Second, again - time.Second - 1, 1, again} {
		now = now.Add(after)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { s.Tell("minute", after) })
		}
		all.Wait()
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{"minute=0s", "minute=1ns", "minute=1m0s"}
	if len(lines) != len(want) {
		t.Fatalf("want %d lines:\n%s", len(want), out.String())
	}
	for i, part := range want {
		if !strings.Contains(lines[i], "level=WARN msg=\"it happens\" "+part) {
			t.Errorf("want %s: %s", part, lines[i])
		}
	}
}
