package blob_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

// Under every fault at every step of an upload, kept or not: the blob is there
// whole or not at all, the error is the store's and not the sender's, no
// goroutine is left, and a retry succeeds.
func TestReceiveUnderFaults(t *testing.T) {
	data := blobtest.Bytes(1, 2<<20+1)
	for _, kept := range []bool{false, true} {
		for n := 1; ; n++ {
			failed := false
			t.Run(fmt.Sprintf("step %d kept %v", n, kept), func(t *testing.T) {
				inner := openDisk(t)
				store := blobtest.NewFaulty(inner)
				store.Fail(blobtest.Fault{Nth: n, Kept: kept, Err: blob.ErrNoSpace})
				synctest.Test(t, func(t *testing.T) { // fails where a goroutine is left
					err := publish(t, store, data)
					failed = store.Failed()
					if failed != errors.Is(err, blob.ErrNoSpace) || errors.Is(err, blob.ErrBody) {
						t.Errorf("failed is %v, the error %v", failed, err)
					}
				})
				wantWholeOrNothing(t, inner, data)
				if err := publish(t, inner, data); err != nil {
					t.Errorf("again: %v", err)
				}
				got, err := blobtest.Read(t.Context(), inner, blobtest.Digest(data))
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("after a retry: %d bytes, %v, want all %d", len(got), err, len(data))
				}
			})
			if !failed {
				if n < 9 { // create, at least five writes, commit, abort
					t.Errorf("there were only %d steps", n-1)
				}
				break
			}
		}
	}
}

// A fault while a refused upload is aborted leaves the refusal what it was.
func TestAbortFails(t *testing.T) {
	store := blobtest.NewFaulty(openDisk(t))
	store.Fail(blobtest.Fault{Op: blobtest.Abort, Nth: 1})
	_, err := blob.Receive(t.Context(), store, endless{}, blob.Limits{MaxSize: 1000, Length: -1})
	if !store.Failed() || !errors.Is(err, blob.ErrTooLarge) || errors.Is(err, blobtest.ErrFault) {
		t.Errorf("%v, want %v", err, blob.ErrTooLarge)
	}
	wantEmpty(t, store)
}

// A body in memory asks nothing of the store.
func TestInlineNeedsNoStore(t *testing.T) {
	for _, length := range []int64{-1, 1000} {
		if err := receiveInline(t, length); err != nil {
			t.Errorf("length %d: %v", length, err)
		}
	}
}

func receiveInline(t *testing.T, length int64) error {
	r, err := blob.Receive(t.Context(), nil, bytes.NewReader(make([]byte, 1000)), blob.Limits{Inline: 1000, Length: length})
	if err != nil {
		return err
	}
	return errors.Join(r.Commit(), r.Abort())
}

// publish is what a caller of Receive does.
func publish(t *testing.T, store blob.Store, data []byte) (err error) {
	r, err := blob.Receive(t.Context(), store, bytes.NewReader(data), blob.Limits{Length: int64(len(data))})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Abort()) }()
	return r.Commit()
}

func wantWholeOrNothing(t *testing.T, store blob.Store, data []byte) {
	t.Helper()
	got, err := blobtest.Read(t.Context(), store, blobtest.Digest(data))
	if !errors.Is(err, blob.ErrNotFound) && (err != nil || !bytes.Equal(got, data)) {
		t.Errorf("%d bytes, %v, want all %d or %v", len(got), err, len(data), blob.ErrNotFound)
	}
	for info, err := range store.List(t.Context(), "") {
		if err != nil || info.Digest != blobtest.Digest(data) {
			t.Errorf("listed: %v, %v", info, err)
		}
	}
}
