package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
	"granary/internal/blob/s3"
	"granary/internal/blob/s3/s3test"
	"granary/internal/fault"
	"granary/internal/metadb/metadbtest"
	"granary/internal/registry"
)

const scrubPeriod = 100 * time.Hour

// rotting is a registry whose store's files can be reached.
type rotting struct {
	*faultyRegistry
	dir string // of the folders of blobs
}

// onEachRotting runs a test on a disk, and on S3.
func onEachRotting(t *testing.T, test func(t *testing.T, r rotting)) {
	t.Run("disk", func(t *testing.T) { test(t, newRottingOnDisk(t)) })
	t.Run("s3", func(t *testing.T) {
		srv := s3test.Start(t)
		store, err := s3.Open(t.Context(), s3.Config{
			Bucket: s3test.Bucket, Endpoint: srv.URL, AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		test(t, rotting{newRegistryOn(t, store), filepath.Join(srv.Dir, s3test.Bucket)})
	})
}

func newRottingOnDisk(t *testing.T) rotting {
	t.Helper()
	dir := filepath.Join(metadbtest.Memory(t), "blobs")
	store, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return rotting{newRegistryOn(t, store), dir}
}

// flip changes one bit of the stored bytes: in the file of the store, or in the database.
func (r rotting) flip(t *testing.T, body []byte, bit int) {
	t.Helper()
	d := blobtest.Digest(body)
	wrong := bytes.Clone(body)
	wrong[bit/8%len(wrong)] ^= 1 << (bit % 8)
	if len(body) > inline {
		file := filepath.Join(r.dir, d.String()[:2], d.String())
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			t.Skipf("the store's files cannot be reached: %v", err)
		}
		_, err = f.WriteAt(wrong, 0)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		return
	}
	id, err := strconv.ParseInt(r.project, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.ledger.AddFile(t.Context(), registry.Publication{
		ProjectID: id, Coordinates: registry.Coordinates{Name: "rot", Version: "1.0.0", File: "rot"},
		Size: int64(len(body)), Digest: d, Small: wrong, Into: registry.IntoOpen, Now: r.now, Event: audit.Event{At: r.now},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// scrub verifies all bytes, and returns what was marked.
func (r rotting) scrub(t *testing.T) (found map[blob.Digest]blob.Damage, err error) {
	t.Helper()
	found = map[blob.Digest]blob.Damage{}
	if _, err := r.state(t); err == nil {
		r.now = r.now.Add(scrubPeriod)
	}
	err = r.Scrub(t.Context(), registry.ScrubOptions{Period: scrubPeriod, Rate: 1 << 30, Found: func(m registry.DamageMark, damage error, files []registry.FileAt) {
		if len(files) == 0 || damage == nil {
			t.Errorf("%s: %v, %v", m.Digest, damage, files)
		}
		found[m.Digest] = m.Kind
	}})
	return found, err
}

// state begins the first cycle, if none has begun.
func (r rotting) state(t *testing.T) (registry.ScrubState, error) {
	t.Helper()
	s, err := r.Records.FindScrub(t.Context())
	if err == nil && s.Began.IsZero() {
		s = registry.ScrubState{Began: r.now, Since: r.now}
		err = r.Records.KeepScrub(t.Context(), s)
	}
	return s, err
}

func (r rotting) checkMarks(t *testing.T, left int) {
	t.Helper()
	if err := r.CheckMarks(t.Context(), registry.MarksOptions{Rate: 1 << 30}); err != nil {
		t.Error(err)
	}
	if n, err := r.Records.CountMarks(t.Context()); err != nil || n != left {
		t.Errorf("%d marks, %v, want %d", n, err, left)
	}
}

// TestScrubFindsEveryKind: a blob that is missing is told as it is without a mark, one of
// another size is not served; what somebody restores by hand is served again.
func TestScrubFindsEveryKind(t *testing.T) { onEachRotting(t, testScrubFindsEveryKind) }

func testScrubFindsEveryKind(t *testing.T, r rotting) {
	gone, short := blobtest.Bytes(1, 5000), blobtest.Bytes(2, 5000)
	for file, body := range map[string][]byte{"gone": gone, "short": short} {
		if err := r.publish(t.Context(), at(file), body); err != nil {
			t.Fatal(err)
		}
	}
	file := func(body []byte) string {
		name := blobtest.Digest(body).String()
		return filepath.Join(r.dir, name[:2], name)
	}
	if err := errors.Join(os.Truncate(file(short), 4999), r.Blobs.Delete(t.Context(), blobtest.Digest(gone))); err != nil {
		t.Skipf("the store's files cannot be reached: %v", err)
	}
	found, err := r.scrub(t)
	if err != nil || len(found) != 2 || found[blobtest.Digest(gone)] != blob.Missing || found[blobtest.Digest(short)] != blob.OtherSize {
		t.Errorf("found %v, %v", found, err)
	}
	if _, err := r.read(t.Context(), at("gone")); !fault.Is(err, fault.Damaged) {
		t.Errorf("the missing one: %v", err)
	}
	if _, err := r.read(t.Context(), at("short")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("the short one: %v", err)
	}
	r.checkMarks(t, 2)
	for _, body := range [][]byte{gone, short} {
		blobtest.Put(t, r.store, body)
	}
	r.checkMarks(t, 0)
	if got, err := r.read(t.Context(), at("short")); err != nil || !bytes.Equal(got, short) {
		t.Errorf("the restored one: %d bytes, %v", len(got), err)
	}
}

// TestScrubLeavesRightBytes: bytes with the right digest are served, though another size is
// on record. fsck tells of that.
func TestScrubLeavesRightBytes(t *testing.T) { onEachRotting(t, testScrubLeavesRightBytes) }

func testScrubLeavesRightBytes(t *testing.T, r rotting) {
	body := blobtest.Bytes(1, 5000)
	blobtest.Put(t, r.store, body)
	id, err := strconv.ParseInt(r.project, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.ledger.PinBlob(t.Context(), blobtest.Digest(body), 4999, r.now); err != nil {
		t.Fatal(err)
	}
	_, err = r.ledger.AddFile(t.Context(), registry.Publication{
		ProjectID: id, Coordinates: registry.Coordinates{Name: "rot", Version: "1.0.0", File: "right"}, Size: 4999, Digest: blobtest.Digest(body),
		Into: registry.IntoOpen, Now: r.now, Event: audit.Event{At: r.now},
	})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := r.scrub(t); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
	if _, err := r.Blobs.Stat(t.Context(), blobtest.Digest(body)); err != nil {
		t.Error(err)
	}
}

// TestScrubKeepsItsPace: after a quarter of the period a quarter of the digests is
// verified, and a cycle is whole after the period.
func TestScrubKeepsItsPace(t *testing.T) {
	r := rotting{faultyRegistry: newRegistry(t)}
	for i := range 64 {
		if err := r.publish(t.Context(), at(fmt.Sprintf("file%d", i)), blobtest.Bytes(uint64(i), 10)); err != nil {
			t.Fatal(err)
		}
	}
	began, err := r.state(t)
	if err != nil {
		t.Fatal(err)
	}
	o := registry.ScrubOptions{Period: scrubPeriod, Rate: 1 << 30}
	for quarter := 1; quarter <= 3; quarter++ {
		r.now = r.now.Add(scrubPeriod / 4)
		if err := r.Scrub(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		s, err := r.Records.FindScrub(t.Context())
		if err != nil || len(s.After) == 0 || int(s.After[0]) >= quarter*64 || !s.Since.Equal(s.Began) {
			t.Errorf("after %d quarters: %x, %v", quarter, s.After, err)
		}
		next, err := r.Records.BlobsAfter(t.Context(), s.After, 1)
		if err != nil || len(next) == 0 || int(next[0].Digest[0]) < quarter*64 {
			t.Errorf("after %d quarters the next is %v, %v", quarter, next, err)
		}
	}
	r.now = r.now.Add(scrubPeriod / 4)
	if err := r.Scrub(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	s, err := r.Records.FindScrub(t.Context())
	if err != nil || len(s.After) > 0 || s.Since.Sub(began.Began).Abs() > time.Millisecond || !s.Began.After(s.Since) {
		t.Errorf("after the period: %+v, %v", s, err)
	}
}

// TestScrubKeepsItsRate: it takes as long as the rate says.
func TestScrubKeepsItsRate(t *testing.T) {
	r := rotting{faultyRegistry: newRegistry(t)}
	if err := r.publish(t.Context(), at("file"), blobtest.Bytes(1, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.state(t); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(scrubPeriod)
	began := time.Now()
	if err := r.Scrub(t.Context(), registry.ScrubOptions{Period: scrubPeriod, Rate: 4 << 20}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 250*time.Millisecond {
		t.Errorf("1 MiB at 4 MiB/s took %v", took)
	}
}

// TestScrubSums: bytes that are on record without a CRC-32 get it.
func TestScrubSums(t *testing.T) { onEachRotting(t, testScrubSums) }

func testScrubSums(t *testing.T, r rotting) {
	id, err := strconv.ParseInt(r.project, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range []int{100, 5000} {
		body := blobtest.Bytes(uint64(i), size)
		p := registry.Publication{
			ProjectID: id, Coordinates: registry.Coordinates{Name: "old", Version: "1.0.0", File: registry.FileName(fmt.Sprint(i))},
			Size: int64(size), Digest: blobtest.Digest(body), Small: body, Into: registry.IntoOpen, Now: r.now, Event: audit.Event{At: r.now},
		}
		if size > inline {
			p.Small = nil
			blobtest.Put(t, r.store, body)
			if err := r.ledger.PinBlob(t.Context(), p.Digest, p.Size, r.now); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.ledger.AddFile(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := r.scrub(t); err != nil || len(found) > 0 {
		t.Fatalf("found %v, %v", found, err)
	}
	blobs, err := r.Records.BlobsAfter(t.Context(), nil, 10)
	if err != nil || len(blobs) != 2 || !blobs[0].Summed || !blobs[1].Summed {
		t.Errorf("%+v, %v", blobs, err)
	}
}

// TestScrubUnderFaults: whichever operation of the store or the records fails, kept or
// not, nothing right is marked, and what is wrong is found and set aside at last.
func TestScrubUnderFaults(t *testing.T) {
	right, rotten := blobtest.Bytes(1, 5000), blobtest.Bytes(2, 5000)
	for _, side := range []string{"store", "records"} {
		for _, kept := range []bool{false, true} {
			for n := 1; ; n++ {
				failed := true
				t.Run(fmt.Sprintf("%s %d kept %v", side, n, kept), func(t *testing.T) {
					r := newRottingOnDisk(t)
					for file, body := range map[string][]byte{"right": right, "rotten": rotten} {
						if err := r.publish(t.Context(), at(file), body); err != nil {
							t.Fatal(err)
						}
					}
					r.flip(t, rotten, 1)
					if _, err := r.state(t); err != nil {
						t.Fatal(err)
					}
					if side == "store" {
						r.store.Fail(blobtest.Fault{Nth: n, Kept: kept})
					} else {
						r.ledger.fail(n, kept)
					}
					_, _ = r.scrub(t)
					if failed = r.store.Failed() || r.ledger.failed; !failed {
						r.store.Fail(blobtest.Fault{Op: "none"})
						r.ledger.fail(0, false)
					}
					if err := r.CheckMarks(t.Context(), registry.MarksOptions{Rate: 1 << 30}); err != nil { // it may have ended between two steps
						t.Error(err)
					}
					if _, err := r.scrub(t); err != nil {
						t.Error(err)
					}
					r.checkMarks(t, 1)
					if _, err := r.read(t.Context(), at("rotten")); !fault.Is(err, fault.Unavailable) {
						t.Errorf("the rotten one: %v", err)
					}
					if got, err := r.read(t.Context(), at("right")); err != nil || !bytes.Equal(got, right) {
						t.Errorf("the right one: %d bytes, %v", len(got), err)
					}
				})
				if !failed {
					if n < 4 {
						t.Errorf("%s: there were only %d operations", side, n-1)
					}
					break
				}
			}
		}
	}
}

// unreadableStore has one blob that cannot be read, and may be away as a whole.
type unreadableStore struct {
	*blobtest.Faulty
	d    blob.Digest
	away bool
}

type unreadableBody struct{ io.ReadSeekCloser }

func (unreadableBody) Read([]byte) (int, error) { return 0, syscall.EIO }

func (s *unreadableStore) Open(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, error) {
	if s.away {
		return nil, syscall.ECONNREFUSED
	}
	body, err := s.Faulty.Open(ctx, d)
	if d == s.d && err == nil {
		return unreadableBody{body}, nil
	}
	return body, err
}

func (s *unreadableStore) Stat(ctx context.Context, d blob.Digest) (int64, error) {
	if s.away {
		return 0, syscall.ECONNREFUSED
	}
	return s.Faulty.Stat(ctx, d)
}

// TestScrubOfWhatCannotBeRead: neither a store that is away nor a blob that cannot be read
// is damage. The one ends the scrub, the other is told, and the scrub goes on.
func TestScrubOfWhatCannotBeRead(t *testing.T) {
	r := rotting{faultyRegistry: newRegistry(t)}
	var first blob.Digest
	for i := range 8 {
		body := blobtest.Bytes(uint64(i), 5000)
		if err := r.publish(t.Context(), at(fmt.Sprintf("file%d", i)), body); err != nil {
			t.Fatal(err)
		}
		if d := blobtest.Digest(body); i == 0 || bytes.Compare(d[:], first[:]) < 0 {
			first = d
		}
	}
	store := &unreadableStore{Faulty: r.store, d: first, away: true}
	r.Blobs = store
	began, err := r.state(t)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.scrub(t); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("of a store that is away: %v", err)
	}
	if s, err := r.Records.FindScrub(t.Context()); err != nil || len(s.After) > 0 || s.Began.Sub(began.Began).Abs() > time.Millisecond {
		t.Errorf("of a store that is away it came to %+v, %v", s, err)
	}
	store.away = false
	if _, err := r.scrub(t); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), first.String()) {
		t.Errorf("of a blob that cannot be read: %v", err)
	}
	if s, err := r.Records.FindScrub(t.Context()); err != nil || !s.Began.After(s.Since) {
		t.Errorf("of a blob that cannot be read the cycle is not whole: %+v, %v", s, err)
	}
	r.checkMarks(t, 0)
}

// TestScrubOfWhatIsNoFile: what can never be read is told and passed by, in the store and in the
// database, and what comes after it is verified.
func TestScrubOfWhatIsNoFile(t *testing.T) {
	for what, put := range map[string]func(path string) error{
		"a symbolic link": func(path string) error { return os.Symlink("/dev/null", path) },
		"a directory":     func(path string) error { return os.Mkdir(path, 0o700) },
		"a named pipe":    func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(what, func(t *testing.T) {
			s := newStuck(t, newRottingOnDisk(t))
			first := blobtest.Digest(s.bodies[0])
			path := filepath.Join(s.dir, first.String()[:2], first.String())
			if err := errors.Join(os.Remove(path), put(path)); err != nil {
				t.Fatal(err)
			}
			found, err := s.scrub(t)
			if err == nil || !strings.Contains(err.Error(), first.String()) || !strings.Contains(err.Error(), what) || len(found) != 3 {
				t.Errorf("found %v, %v", found, err)
			}
			s.store.stuck = blob.Digest{}
			m := registry.DamageMark{Digest: first, Kind: blob.OtherBytes} // as if it had been found before
			if marked, err := s.Records.MarkDamaged(t.Context(), m, s.now, audit.Event{At: s.Now()}); err != nil || !marked {
				t.Fatal(marked, err)
			}
			s.checkMarks(t, 4)
			s.wantAside(t, true, true, true, true)
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it is not set aside: %v", err)
			}
		})
	}
	t.Run("a row", func(t *testing.T) {
		r := newRottingOnDisk(t)
		bodies := map[blob.Digest][]byte{}
		for i := range 4 {
			body := blobtest.Bytes(uint64(i), 100)
			bodies[blobtest.Digest(body)] = body
			if err := r.publish(t.Context(), at(fmt.Sprint("file", i)), body); err != nil {
				t.Fatal(err)
			}
		}
		first := slices.MinFunc(slices.Collect(maps.Keys(bodies)), func(a, b blob.Digest) int { return bytes.Compare(a[:], b[:]) })
		for d, body := range bodies {
			if d != first {
				r.flip(t, body, 5)
			}
		}
		r.ledger.torn = first
		if found, err := r.scrub(t); !errors.Is(err, errLedger) || !strings.Contains(err.Error(), first.String()) || len(found) != 3 {
			t.Errorf("found %v, %v", found, err)
		}
	})
}

// TestPublishWhileSettingAside: until the wrong bytes are aside nobody stores right ones,
// for they would be set aside with them.
func TestPublishWhileSettingAside(t *testing.T) {
	r := rotting{faultyRegistry: newRegistry(t)}
	body := blobtest.Bytes(1, 5000)
	if err := r.publish(t.Context(), at("file"), body); err != nil {
		t.Fatal(err)
	}
	m := registry.DamageMark{Digest: blobtest.Digest(body), Kind: blob.OtherBytes}
	if marked, err := r.Records.MarkDamaged(t.Context(), m, r.now, audit.Event{At: r.now}); err != nil || !marked {
		t.Fatal(marked, err)
	}
	if err := r.publish(t.Context(), at("file"), body); !fault.Is(err, fault.Unavailable) {
		t.Errorf("published while the wrong bytes are set aside: %v", err)
	}
	if err := r.CheckMarks(t.Context(), registry.MarksOptions{Rate: 1 << 30}); err != nil { // as after a crash
		t.Fatal(err)
	}
	if err := r.publish(t.Context(), at("file"), body); err != nil {
		t.Error(err)
	}
	if got, err := r.read(t.Context(), at("file")); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	r.checkMarks(t, 0)
}
