package registry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
	"granary/internal/blob/s3"
	"granary/internal/blob/s3/s3test"
	"granary/internal/metadb/metadbtest"
	"granary/internal/metadb/metadbtest/fresh"
	"granary/internal/naming"
	"granary/internal/projects"
	"granary/internal/registry"
)

// faultyRegistry is a registry over a real database and a real store, both of which
// fail on demand, with one project and an administrator.
type faultyRegistry struct {
	*registry.Registry
	store   *blobtest.Faulty
	ledger  *faultyLedger
	admin   access.Actor
	project string
	now     time.Time
}

const inline = 1 << 10 // bytes that ride with their record

func newRegistry(t *testing.T) *faultyRegistry {
	t.Helper()
	return newRegistryOn(t, openDisk(t))
}

// onEachStore runs a test with a registry on a disk, and with one on S3.
func onEachStore(t *testing.T, test func(t *testing.T, r *faultyRegistry)) {
	t.Run("disk", func(t *testing.T) { test(t, newRegistry(t)) })
	t.Run("s3", func(t *testing.T) { test(t, newRegistryOn(t, openS3(t))) })
}

func openDisk(t *testing.T) blob.Store {
	t.Helper()
	store, err := disk.Open(filepath.Join(metadbtest.Memory(t), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func openS3(t *testing.T) blob.Store {
	t.Helper()
	store, err := s3.Open(t.Context(), s3.Config{
		Bucket: s3test.Bucket, Endpoint: s3test.Start(t).URL, AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func newRegistryOn(t testing.TB, blobs blob.Store) *faultyRegistry {
	t.Helper()
	ctx := t.Context()
	db, _ := fresh.Database(t)
	r := &faultyRegistry{store: blobtest.NewFaulty(blobs), ledger: &faultyLedger{Records: db}, now: time.Now()}
	clock := func() time.Time { return r.now }
	users := &auth.Service{Records: db, Now: clock}
	root, err := users.NewUser(ctx, audit.Author{}, auth.User{Username: "root", Name: "root", Email: "root@example.com", Admin: true, ProjectsLimit: 10})
	if err != nil {
		t.Fatal(err)
	}
	r.admin = access.Actor{Kind: access.User, UserID: root.ID, Username: "root", Admin: true, Scopes: []access.Scope{access.ScopeAPI}}
	places := &projects.Service{Records: db, Now: clock}
	p, err := places.CreateProject(ctx, r.admin, root.NamespaceID, projects.Project{Name: "tool", PackageAccess: access.PackagesEnabled})
	if err != nil {
		t.Fatal(err)
	}
	r.project = strconv.FormatInt(p.ID, 10)
	r.Registry = &registry.Registry{Records: r.ledger, Groups: places, Blobs: r.store, Naming: naming.Strict, InlineMax: inline, Now: clock}
	return r
}

// at is the coordinates of a file.
func at(file string) registry.Raw {
	return registry.Raw{Name: "tool", Version: "1.0.0", File: file}
}

func (r *faultyRegistry) publish(ctx context.Context, c registry.Raw, body []byte) error {
	_, err := r.Publish(ctx, r.admin, r.project, c, bytes.NewReader(body), registry.PublishOptions{Length: int64(len(body))})
	return err
}

// read is the bytes that an installer gets.
func (r *faultyRegistry) read(ctx context.Context, c registry.Raw) ([]byte, error) {
	content, err := r.Open(ctx, r.admin, r.project, c, nil)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(content)
	return body, errors.Join(err, content.Close())
}

// stored is the digests of the store.
func (r *faultyRegistry) stored(t *testing.T) map[blob.Digest]bool {
	t.Helper()
	found := map[blob.Digest]bool{}
	for info, err := range r.store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		found[info.Digest] = true
	}
	return found
}

// faultyLedger fails once, at the n-th next call.
type faultyLedger struct {
	registry.Records
	onPin func()      // called before a pin, and nothing waits behind it
	torn  blob.Digest // whose bytes the database cannot read, and nothing else

	mu     sync.Mutex
	nth    int // 0: no failure is to come
	kept   bool
	failed bool
}

var errLedger = errors.New("the ledger failed on purpose")

// fail sets the next fault: with kept the deed is done and its answer lost.
func (l *faultyLedger) fail(nth int, kept bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nth, l.kept, l.failed = nth, kept, false
}

func (l *faultyLedger) do(deed func() error) error {
	l.mu.Lock()
	now := l.nth == 1
	if l.nth > 0 {
		l.nth--
	}
	l.failed = l.failed || now
	kept := l.kept
	l.mu.Unlock()
	switch {
	case !now:
		return deed()
	case kept:
		if err := deed(); err != nil {
			return err
		}
	}
	return errLedger
}

func (l *faultyLedger) PinBlob(ctx context.Context, d blob.Digest, size int64, now time.Time) error {
	if l.onPin != nil {
		l.onPin()
	}
	return l.do(func() error { return l.Records.PinBlob(ctx, d, size, now) })
}

func (l *faultyLedger) AddFile(ctx context.Context, p registry.Publication) (f registry.File, err error) {
	err = l.do(func() error {
		f, err = l.Records.AddFile(ctx, p)
		return err
	})
	return f, err
}

func (l *faultyLedger) SweepBlob(ctx context.Context, before time.Time, remove func(blob.Digest) error) (size int64, found bool, err error) {
	err = l.do(func() error {
		size, found, err = l.Records.SweepBlob(ctx, before, remove)
		return err
	})
	return size, found, err
}

func (l *faultyLedger) FindContent(ctx context.Context, d blob.Digest) ([]byte, error) {
	if d == l.torn {
		return nil, errLedger
	}
	return l.Records.FindContent(ctx, d)
}

func (l *faultyLedger) KeepScrub(ctx context.Context, s registry.ScrubState) error {
	return l.do(func() error { return l.Records.KeepScrub(ctx, s) })
}

func (l *faultyLedger) MarkDamaged(ctx context.Context, m registry.DamageMark, now time.Time, e audit.Event) (marked bool, err error) {
	err = l.do(func() error {
		marked, err = l.Records.MarkDamaged(ctx, m, now, e)
		return err
	})
	return marked, err
}

func (l *faultyLedger) RemoveMark(ctx context.Context, m registry.DamageMark, e audit.Event) (removed bool, err error) {
	err = l.do(func() error {
		removed, err = l.Records.RemoveMark(ctx, m, e)
		return err
	})
	return removed, err
}

func (l *faultyLedger) MendContent(ctx context.Context, d blob.Digest, content []byte) error {
	return l.do(func() error { return l.Records.MendContent(ctx, d, content) })
}

func (l *faultyLedger) SetAside(ctx context.Context, d blob.Digest, move func() error) error {
	return l.do(func() error { return l.Records.SetAside(ctx, d, move) })
}
