package registry_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/registry"
)

// stoppingStore stops in the middle of a delete.
type stoppingStore struct {
	blob.Store
	reached chan struct{} // closed when a delete has begun
	let     chan struct{} // the delete goes on when this is closed
	deleted chan struct{} // closed when the bytes are gone
}

func (s *stoppingStore) Delete(ctx context.Context, d blob.Digest) error {
	close(s.reached)
	<-s.let
	err := s.Store.Delete(ctx, d)
	close(s.deleted)
	return err
}

// TestSweepLaw forces the one interleaving that loses published bytes if the law is
// broken: a sweep has chosen a blob, and before its bytes are removed the same bytes
// are published. The publisher must wait in PinBlob for the sweep, find the bytes
// gone, and write them again (design, section 5). No stress test shows this.
func TestSweepLaw(t *testing.T) { onEachStore(t, testSweepLaw) }

func testSweepLaw(t *testing.T, r *faultyRegistry) {
	body := blobtest.Bytes(1, 5000)
	r.ledger.fail(2, false)
	if err := r.publish(t.Context(), at("lost"), body); err == nil {
		t.Fatal("the ledger did not fail")
	}
	r.now = r.now.Add(registry.Grace + time.Minute)
	inner := r.Blobs
	stop := &stoppingStore{Store: inner, reached: make(chan struct{}), let: make(chan struct{}), deleted: make(chan struct{})}
	r.Blobs = stop

	swept := make(chan error, 1)
	go func() {
		n, err := r.Sweep(context.WithoutCancel(t.Context()), registry.Grace)
		if n.Blobs != 1 && err == nil {
			err = errors.New("nothing was swept")
		}
		swept <- err
	}()
	<-stop.reached // the sweep holds its transaction, the bytes are still there
	if _, err := inner.Stat(t.Context(), blobtest.Digest(body)); err != nil {
		t.Fatal(err)
	}
	pinning := make(chan struct{})
	r.ledger.onPin = func() { close(pinning) }
	published := make(chan error, 1)
	go func() { published <- r.publish(context.WithoutCancel(t.Context()), at("found"), body) }()
	<-pinning
	select {
	case err := <-published:
		t.Fatalf("the publisher did not wait for the sweep: %v", err)
	case <-time.After(100 * time.Millisecond): // it waits at its pin
	}
	close(stop.let)
	<-stop.deleted
	if err := <-swept; err != nil {
		t.Fatal(err)
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	if got, err := r.read(t.Context(), at("found")); err != nil || !bytes.Equal(got, body) {
		t.Errorf("the published file: %d bytes, %v", len(got), err)
	}
	r.Blobs = inner
	r.now = r.now.Add(registry.Grace + time.Minute)
	if n, err := r.Sweep(t.Context(), registry.Grace); n.Blobs != 0 || err != nil {
		t.Errorf("%+v swept, %v: a file refers to it", n, err)
	}
}

// TestSweepOfAPublisherOnTheWay: a pin from before the sweep protects the bytes, even
// of a blob that has been there for long.
func TestSweepOfAPublisherOnTheWay(t *testing.T) { onEachStore(t, testSweepOfAPublisherOnTheWay) }

func testSweepOfAPublisherOnTheWay(t *testing.T, r *faultyRegistry) {
	body := blobtest.Bytes(1, 5000)
	r.ledger.fail(2, false)
	if err := r.publish(t.Context(), at("lost"), body); err == nil {
		t.Fatal("the ledger did not fail")
	}
	r.now = r.now.Add(registry.Grace + time.Minute)
	if err := r.Records.PinBlob(t.Context(), blobtest.Digest(body), int64(len(body)), r.now); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Sweep(t.Context(), registry.Grace); n.Blobs != 0 || err != nil {
		t.Errorf("%+v swept, %v", n, err)
	}
	if !r.stored(t)[blobtest.Digest(body)] {
		t.Error("the bytes are gone")
	}
}

// TestSweepLeavesBytesToALease: while a lease lives no bytes go, also if it is taken in the
// middle of a sweep. The records of what was deleted and the rests of uploads do go.
func TestSweepLeavesBytesToALease(t *testing.T) { onEachStore(t, testSweepLeavesBytesToALease) }

func testSweepLeavesBytesToALease(t *testing.T, r *faultyRegistry) {
	for i := range uint64(3) {
		body := blobtest.Bytes(i, 5000)
		r.ledger.fail(2, false)
		if err := r.publish(t.Context(), at("lost"), body); err == nil {
			t.Fatal("the ledger did not fail")
		}
	}
	r.now = r.now.Add(registry.Grace + time.Minute)
	sweep := func(blobs, left int, held bool) {
		t.Helper()
		swept, err := r.Sweep(t.Context(), registry.Grace)
		if err != nil || swept.Blobs != blobs || swept.Held != nil != held || len(r.stored(t)) != left {
			t.Errorf("swept %+v, %v, left %d; want %d, left %d, held %v", swept, err, len(r.stored(t)), blobs, left, held)
		}
	}
	if err := r.Records.TakeLease(t.Context(), "backup", "one"); err != nil {
		t.Fatal(err)
	}
	sweep(0, 3, true)
	if err := r.Records.DropLease(t.Context(), "backup", "one"); err != nil {
		t.Fatal(err)
	}
	inner := r.Records
	r.Records = takingRecords{inner}
	sweep(1, 2, true)
	r.Records = inner
	sweep(0, 2, true)
	if err := r.Records.DropLease(t.Context(), "backup", "two"); err != nil {
		t.Fatal(err)
	}
	sweep(2, 0, false)
}

// takingRecords take a lease after a blob was swept.
type takingRecords struct{ registry.Records }

func (r takingRecords) SweepBlob(ctx context.Context, before time.Time, remove func(blob.Digest) error) (int64, bool, error) {
	size, found, err := r.Records.SweepBlob(ctx, before, remove)
	return size, found, errors.Join(err, r.TakeLease(ctx, "backup", "two"))
}
