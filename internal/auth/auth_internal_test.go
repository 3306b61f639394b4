package auth

import (
	"testing"
	"time"
)

// TestUsesBetweenFlushesAreBounded: of those that are noted the last counts, and
// after a flush others have their turn.
func TestUsesBetweenFlushesAreBounded(t *testing.T) {
	var used lastUsed
	for id := range int64(2 * usesGathered) {
		used.note(id, time.Unix(1, 0))
	}
	used.note(7, time.Unix(2, 0))
	if at := used.take(); len(at) != usesGathered || at[7].Unix() != 2 {
		t.Errorf("%d tokens were noted, the seventh at %v", len(at), at[7])
	}
	used.note(2*usesGathered, time.Unix(3, 0))
	if at := used.take(); len(at) != 1 {
		t.Errorf("after a flush %d tokens were noted", len(at))
	}
}
