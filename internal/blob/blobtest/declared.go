package blobtest

import (
	"errors"
	"testing"

	"granary/internal/blob"
)

// testDeclared uploads bodies whose size, digest or both were declared: there
// already or not, aborted before or not.
func testDeclared(t *testing.T, s blob.Store) {
	seed := uint64(0)
	for _, size := range []int{0, 1000, 5 << 20, 11 << 20} {
		for _, says := range []struct{ size, digest bool }{{true, false}, {false, true}, {true, true}} {
			seed++
			data := Bytes(seed, size)
			said := blob.Declared{Size: -1}
			if says.size {
				said.Size = int64(size)
			}
			if d := Digest(data); says.digest {
				said.Digest = &d
			}
			for _, commit := range []bool{false, true, true} {
				if err := declared(t, s, said, data, commit); err != nil {
					t.Errorf("%d bytes, %+v, commit %v: %v", size, says, commit, err)
				}
				if size > 0 && !commit {
					wantAbsent(t, s, Digest(data))
				}
			}
			wantBlob(t, s, data)
		}
	}
	// A declared digest is no promise that the store keeps for the sender.
	other, data := Digest([]byte("another")), Bytes(99, 11<<20)
	err := declared(t, s, blob.Declared{Size: -1, Digest: &other}, data, false)
	if err != nil {
		t.Error(err)
	}
	wantAbsent(t, s, other)
	wantAbsent(t, s, Digest(data))
}

// declared uploads data in pieces, after saying what it will be.
func declared(t *testing.T, s blob.Store, said blob.Declared, data []byte, commit bool) (err error) {
	t.Helper()
	up, err := s.Create(t.Context(), said)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.Abort()) }()
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 700_001)
		if _, err := up.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if !commit {
		return nil
	}
	return up.Commit(Digest(data))
}
