package registry

import (
	"encoding/binary"
	"errors"
	"testing"

	"granary/internal/blob"
)

// TestNotAsideLearns: what is learned replaces what was known before, but not what was added
// while it was read.
func TestNotAsideLearns(t *testing.T) {
	var n notAside
	before, during, read := blob.Digest{1}, blob.Digest{2}, blob.Digest{3}
	n.add(before)
	away := errors.New("away")
	if err := n.learn(func(int) ([]blob.Digest, error) { return nil, away }); !errors.Is(err, away) || !n.has(before) {
		t.Errorf("after an error: %v, %v", err, n.known)
	}
	err := n.learn(func(int) ([]blob.Digest, error) {
		n.add(during)
		return []blob.Digest{read}, nil
	})
	if err != nil || n.has(before) || !n.has(during) || !n.has(read) {
		t.Errorf("%v, %v", n.known, err)
	}
	n.forget(read)
	if n.has(read) || !n.has(during) {
		t.Errorf("after one is forgotten: %v", n.known)
	}
}

// TestNotAsideIsBounded: what it cannot keep may be any blob.
func TestNotAsideIsBounded(t *testing.T) {
	var n notAside
	many := func(limit int) (all []blob.Digest, err error) {
		for i := range limit {
			all = append(all, blob.Digest(binary.BigEndian.AppendUint64(make([]byte, 24), uint64(i)))) //nolint:gosec // not negative
		}
		return all, nil
	}
	if err := n.learn(many); err != nil || len(n.known) != notAsideMost || !n.has(blob.Digest{1}) {
		t.Errorf("%d are known, %v", len(n.known), err)
	}
	few := func(int) ([]blob.Digest, error) { return many(notAsideMost) }
	if err := n.learn(few); err != nil || len(n.known) != notAsideMost || n.has(blob.Digest{1}) {
		t.Errorf("%d are known, %v", len(n.known), err)
	}
}
