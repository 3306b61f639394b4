package auth

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestUsesBetweenFlushesAreBounded: the last use of a noted token counts, and after a
// flush other tokens are noted.
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

// touched fails once, and then keeps the times.
type touched struct {
	Records
	err error
	at  map[int64]time.Time
}

func (s *touched) TouchTokens(_ context.Context, at map[int64]time.Time) error {
	if err := s.err; err != nil {
		s.err = nil
		return err
	}
	s.at = at
	return nil
}

// A flush also records the uses that the one before could not record.
func TestUsesWaitForTheNextFlush(t *testing.T) {
	away := errors.New("away")
	store := &touched{err: away}
	s := &Service{Records: store}
	s.used.note(1, time.Unix(1, 0))
	s.used.note(2, time.Unix(1, 0))
	if err := s.Flush(t.Context()); !errors.Is(err, away) {
		t.Fatal(err)
	}
	s.used.note(2, time.Unix(2, 0))
	s.used.note(3, time.Unix(2, 0))
	if err := s.Flush(t.Context()); err != nil || len(store.at) != 3 || store.at[1].Unix() != 1 || store.at[2].Unix() != 2 {
		t.Errorf("recorded %v, %v", store.at, err)
	}
}
