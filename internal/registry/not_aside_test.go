package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/fault"
	"granary/internal/registry"
)

// stuckStore cannot set one blob aside, as on a file system that is read-only.
type stuckStore struct {
	*blobtest.Faulty
	stuck blob.Digest
}

func (s *stuckStore) Quarantine(ctx context.Context, d blob.Digest) (remove func() error, err error) {
	if d == s.stuck {
		return nil, syscall.EROFS
	}
	return s.Faulty.Quarantine(ctx, d)
}

// stuck is four damaged files, in the order of their digests. The store cannot set the first
// aside.
type stuck struct {
	rotting
	store  *stuckStore
	bodies [][]byte
}

func newStuck(t *testing.T, r rotting) stuck {
	r.ticking()
	s := stuck{rotting: r}
	for i := range 4 {
		s.bodies = append(s.bodies, blobtest.Bytes(uint64(i), 100<<10))
	}
	slices.SortFunc(s.bodies, func(a, b []byte) int {
		x, y := blobtest.Digest(a), blobtest.Digest(b)
		return bytes.Compare(x[:], y[:])
	})
	for i, body := range s.bodies {
		if err := r.publish(t.Context(), stuckFile(i), body); err != nil {
			t.Fatal(err)
		}
	}
	for _, body := range s.bodies {
		r.flip(t, body, 77)
	}
	s.store = &stuckStore{r.faultyRegistry.store, blobtest.Digest(s.bodies[0])}
	r.Blobs = s.store
	return s
}

func stuckFile(i int) registry.Raw { return at(fmt.Sprint("file", i)) }

// wantAside checks which of the files' marks say that the wrong bytes are aside.
func (s stuck) wantAside(t *testing.T, want ...bool) {
	t.Helper()
	for i, body := range s.bodies {
		mark, err := s.Records.FindMark(t.Context(), blobtest.Digest(body))
		if err != nil || mark.Aside != want[i] {
			t.Errorf("file %d: %+v, %v, want aside to be %v", i, mark, err, want[i])
		}
	}
}

// wantRefused checks that nobody gets a byte of the files.
func (s stuck) wantRefused(t *testing.T, r *registry.Registry) {
	t.Helper()
	v, err := r.FindVersion(t.Context(), s.admin, s.project, registry.Raw{Name: "tool", Version: "1.0.0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := r.OpenEach(t.Context(), v, false)
	for i := range s.bodies {
		if c, err := r.Open(t.Context(), s.admin, s.project, stuckFile(i), nil); !fault.Is(err, fault.Unavailable) {
			t.Errorf("file %d: %+v, %v", i, c, err)
		}
		if c, err := packed(i); !fault.Is(err, fault.Unavailable) {
			t.Errorf("file %d in an archive: %+v, %v", i, c, err)
		}
	}
}

// TestStuckDamageIsNotServed: wrong bytes that cannot be set aside are told once, are not
// served, on other nodes neither, and do not stop the scrub. They go as soon as that is possible.
func TestStuckDamageIsNotServed(t *testing.T) {
	onEachRotting(t, func(t *testing.T, r rotting) { testStuckDamage(t, newStuck(t, r)) })
}

func testStuckDamage(t *testing.T, s stuck) {
	other := &registry.Registry{Records: s.Records, Groups: s.Groups, Blobs: s.store, Naming: s.Naming, InlineMax: inline, Now: s.Now}
	if c, err := other.Open(t.Context(), s.admin, s.project, stuckFile(0), nil); err != nil { // it knows of no damage
		t.Error(err)
	} else if err := c.Close(); err != nil {
		t.Error(err)
	}
	found, err := s.scrub(t)
	if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), s.store.stuck.String()) || len(found) != 4 {
		t.Errorf("found %v, %v", found, err)
	}
	if state, err := s.Records.FindScrub(t.Context()); err != nil || !state.Began.After(state.Since) {
		t.Errorf("the cycle is not whole: %+v, %v", state, err)
	}
	if again, err := s.scrub(t); !errors.Is(err, syscall.EROFS) || len(again) > 0 {
		t.Errorf("the second time it found %v, %v", again, err)
	}
	if n := s.events(t, audit.BlobDamaged); n != 4 {
		t.Errorf("%d events tell of damage", n)
	}
	s.wantAside(t, false, true, true, true)
	if err := other.LearnMarks(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*registry.Registry{s.Registry, other} {
		s.wantRefused(t, r)
	}
	if err := s.publish(t.Context(), stuckFile(0), s.bodies[0]); !fault.Is(err, fault.Unavailable) {
		t.Errorf("published while the wrong bytes are there: %v", err)
	}
	s.store.stuck = blob.Digest{}
	s.checkMarks(t, 4)
	s.wantAside(t, true, true, true, true)
	s.wantRefused(t, s.Registry)
	for i, body := range s.bodies {
		if err := s.publish(t.Context(), stuckFile(i), body); err != nil {
			t.Error(err)
		}
		for _, r := range []*registry.Registry{s.Registry, other} {
			c, err := r.Open(t.Context(), s.admin, s.project, stuckFile(i), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(c)
			if err := errors.Join(err, c.Close()); err != nil || !bytes.Equal(got, body) {
				t.Errorf("file %d, published again: %d bytes, %v", i, len(got), err)
			}
		}
	}
	s.checkMarks(t, 0)
}

// TestFinalFileThatIsStuck: a publish of a final file does not say that its bytes are there
// while they are known to be wrong.
func TestFinalFileThatIsStuck(t *testing.T) {
	s := newStuck(t, newRottingOnDisk(t))
	if _, _, err := s.FinaliseVersion(t.Context(), s.admin, s.project, registry.Raw{Name: "tool", Version: "1.0.0"}, registry.FinaliseOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.scrub(t); !errors.Is(err, syscall.EROFS) {
		t.Error(err)
	}
	if err := s.publish(t.Context(), stuckFile(0), s.bodies[0]); !fault.Is(err, fault.Unavailable) {
		t.Errorf("published while the wrong bytes are there: %v", err)
	}
	if err := s.publish(t.Context(), stuckFile(1), s.bodies[1]); err != nil {
		t.Errorf("published after they were set aside: %v", err)
	}
}

// TestStuckMarkDoesNotStopOthers: a look at the marks goes on after one that fails.
func TestStuckMarkDoesNotStopOthers(t *testing.T) {
	s := newStuck(t, newRottingOnDisk(t))
	for _, body := range s.bodies {
		m := registry.DamageMark{Digest: blobtest.Digest(body), Kind: blob.OtherBytes}
		if marked, err := s.Records.MarkDamaged(t.Context(), m, s.now, audit.Event{At: s.Now()}); err != nil || !marked {
			t.Fatal(marked, err)
		}
	}
	err := s.CheckMarks(t.Context(), registry.MarksOptions{Rate: 1 << 30})
	if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), s.store.stuck.String()) {
		t.Error(err)
	}
	s.wantAside(t, false, true, true, true)
	s.wantRefused(t, s.Registry)
}
