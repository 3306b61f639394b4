package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
	"granary/internal/config"
	"granary/internal/eventually"
	"granary/internal/records"
	"granary/internal/sqldb"
)

// spoil loses the large file of a server at rest, and changes the small one in the database.
func spoil(t *testing.T, cfg config.Config, large, small string) {
	t.Helper()
	store, err := openBlobs(t.Context(), cfg, crashPoints{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(store)
	if err := store.Delete(t.Context(), sha256.Sum256([]byte(large))); err != nil {
		t.Fatal(err)
	}
	a, err := OpenAdmin(t.Context(), cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	d := sha256.Sum256([]byte(small))
	n, err := sqldb.Write(t.Context(), a.server.db.DB, func(tx *sqldb.Tx) (int64, error) {
		return tx.Count(`UPDATE blob_contents SET content = $1 WHERE blob_id = (SELECT id FROM blobs WHERE digest = $2)`, []byte("wrong"), d[:])
	})
	if err = errors.Join(err, a.Close()); err != nil || n != 1 {
		t.Fatal(n, err)
	}
}

// fsck is a check that reads all, and what it found.
func fsck(t *testing.T, cfg config.Config, o FsckOptions) (Checked, []Finding) {
	t.Helper()
	a, err := OpenAdmin(t.Context(), cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	var found []Finding
	o.Read, o.Tell = AllBlobs(), func(f Finding) error { found = append(found, f); return nil }
	done, err := a.Fsck(t.Context(), o)
	if err = errors.Join(err, a.Close()); err != nil {
		t.Fatal(err)
	}
	return done, found
}

// TestRepairFromBackup: a place of backups has small bodies in packs, and the others under
// their digests.
func TestRepairFromBackup(t *testing.T) {
	t.Parallel()
	allGrounds(t, func(t *testing.T, g grounds) {
		large, small := strings.Repeat("large", 10_000), strings.Repeat("small", 100)
		files := map[string]string{}
		url, stop := serveHere(t, g.old, "--inline-max=4096")
		publishTo(t, url, files, "tool/1.0.0/large", large)
		publishTo(t, url, files, "tool/1.0.0/small", small)
		stop()
		g.backUp(t)
		cfg := g.settings(t, g.old)
		place, err := cfg.WithBlobs(g.place)
		if err != nil {
			t.Fatal(err)
		}
		spoil(t, cfg, large, small)
		if done, found := fsck(t, cfg, FsckOptions{RepairFrom: withNewStore(t, cfg)}); !done.Damaged() || len(found) != 2 || found[0].Refusal != "it has no such bytes" {
			t.Errorf("from an empty store: %+v", found)
		}
		done, found := fsck(t, cfg, FsckOptions{RepairFrom: &place})
		if done.Damaged() || len(found) != 2 {
			t.Errorf("from the backup: %+v", found)
		}
		for _, f := range found {
			if want := "the pack "; !f.Mended || strings.HasPrefix(f.From, want) != f.InDatabase {
				t.Errorf("%+v", f)
			}
		}
		if _, found := fsck(t, cfg, FsckOptions{}); len(found) > 0 {
			t.Errorf("afterwards: %+v", found)
		}
	})
}

// withNewStore is settings whose store has an identity, and nothing else.
func withNewStore(t *testing.T, cfg config.Config) *config.Config {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "empty")
	s, err := disk.Open(dir)
	if err == nil {
		err = putIdentity(t.Context(), s, "theirs")
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg, err = cfg.WithBlobs("file:" + dir)
	if err != nil {
		t.Fatal(err)
	}
	return &cfg
}

// TestRepairFromPacks: a body that one pack has wrong is taken from the next; a pack without
// an index is told if nothing else has the body; a copy of a store has its journal's packs.
func TestRepairFromPacks(t *testing.T) {
	store, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	body, other := blobtest.Bytes(1, 500), blobtest.Bytes(2, 600)
	put := func(prefix string, change func([]byte), bodies ...[]byte) {
		t.Helper()
		var p records.Packer
		for _, b := range bodies {
			p.Add(blobtest.Digest(b), b)
		}
		digest, pack := p.Finish()
		change(pack)
		if err := store.PutNote(t.Context(), prefix+digest.String()+packSuffix, bytes.NewReader(pack), int64(len(pack))); err != nil {
			t.Fatal(err)
		}
	}
	read := func(of []byte) (right int, wrong []string) {
		t.Helper()
		p, err := readPacked(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.copies(store, Wanted{Digest: blobtest.Digest(of), Size: int64(len(of))}) {
			r, err := c.Open(t.Context())
			if err != nil {
				wrong = append(wrong, c.Where+": "+err.Error())
				continue
			}
			got, err := io.ReadAll(r)
			if err := errors.Join(err, r.Close()); err != nil {
				t.Error(err)
			}
			if bytes.Equal(got, of) {
				right++
			} else {
				wrong = append(wrong, c.Where)
			}
		}
		return right, wrong
	}
	if right, wrong := read(body); right != 0 || len(wrong) != 0 {
		t.Errorf("without packs: %d, %q", right, wrong)
	}
	put(packsPrefix, func(b []byte) { b[len(b)-1]++ }, other)
	if right, wrong := read(body); right != 0 || len(wrong) != 1 || wrong[0] != "1 packs: their indexes are damaged or missing" {
		t.Errorf("of a damaged pack: %d, %q", right, wrong)
	}
	put(packsPrefix, func(b []byte) { b[60]++ }, body)
	put(packsPrefix, func([]byte) {}, other, body)
	put(journalPacks, func([]byte) {}, body)
	if right, wrong := read(body); right != 2 || len(wrong) != 1 || !strings.HasPrefix(wrong[0], "the pack ") {
		t.Errorf("%d, %q", right, wrong)
	}
	if right, wrong := read(other); right != 1 || len(wrong) != 0 {
		t.Errorf("the other: %d, %q", right, wrong)
	}
}

// TestPacksOfTheNewestSnapshotFirst: each pack is asked once, those of the newest snapshot
// before those that only older ones have.
func TestPacksOfTheNewestSnapshotFirst(t *testing.T) {
	g, files, _ := oldPlace(t)
	g.backUp(t)
	url, stop := serveHere(t, g.old, "--inline-max=4096")
	resp, said := ask(t, http.MethodGet, url+"/api/v4/projects/root%2Fdemo/packages", nil)
	id := regexp.MustCompile(`"id":(\d+),"name":"small"`).FindStringSubmatch(said)
	if id == nil {
		t.Fatalf("%s %s", resp.Status, said)
	}
	ask(t, http.MethodDelete, url+"/api/v4/projects/root%2Fdemo/packages/"+id[1], nil)
	publishTo(t, url, files, "other/1.0.0/a", "another small one")
	stop()
	newest := g.backUp(t).Manifest
	from, _, err := openPlaceToRead(t.Context(), g.placeSettings(t))
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(from)
	notes, err := packNotes(t.Context(), from)
	if err != nil || len(newest.Packs) == 0 || len(notes) < len(newest.Packs) {
		t.Fatalf("%q of %q, %v", notes, newest.Packs, err)
	}
	for i, pack := range newest.Packs {
		if notes[i] != packNote(pack) {
			t.Errorf("the notes are %q, those of the newest snapshot %q", notes, newest.Packs)
		}
	}
	if slices.Sort(notes); len(slices.Compact(notes)) != 2 {
		t.Errorf("there are other packs: %q", notes)
	}
}

// TestServerRepairs: a server that has a place to repair from repairs what is marked, says
// from where, and says why not while it cannot.
func TestServerRepairs(t *testing.T) {
	t.Parallel()
	allGrounds(t, func(t *testing.T, g grounds) {
		large, small := strings.Repeat("large", 10_000), strings.Repeat("small", 100)
		files := map[string]string{}
		url, stop := serveHere(t, g.old, "--inline-max=4096")
		publishTo(t, url, files, "tool/1.0.0/large", large)
		publishTo(t, url, files, "tool/1.0.0/small", small)
		stop()
		g.backUp(t)
		cfg := g.settings(t, g.old)
		spoil(t, cfg, large, small)
		if _, found := fsck(t, cfg, FsckOptions{Quarantine: true}); len(found) != 2 || !found[0].Aside || !found[1].Aside {
			t.Fatalf("%+v", found)
		}

		environ := append([]string{noReserve}, g.old...)
		server, url := startIn(t, environ, "--inline-max=4096", "--repair-from=file:"+filepath.Join(t.TempDir(), "nowhere"))
		eventually.Holds(t, "it says why it cannot", func() bool { return strings.Contains(server.logged(), "could not be repaired") })
		if resp, _ := ask(t, http.MethodGet, url+demoFiles+"tool/1.0.0/small", nil); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("the damaged one: %s", resp.Status)
		}
		server.terminate(t, 20*time.Second)
		for _, want := range []string{"level=WARN", "blobs=2", "holds no blobs", "again_in=1m0s"} {
			if !strings.Contains(server.logged(), want) {
				t.Errorf("there is no %s in the log:\n%s", want, server.logged())
			}
		}

		server, url = startIn(t, environ, "--inline-max=4096", "--repair-from="+g.place, "--log-level=debug")
		eventually.Holds(t, "all is repaired", func() bool { return strings.Count(server.logged(), "damaged bytes were repaired") == 2 })
		for path, body := range files {
			if resp, got := ask(t, http.MethodGet, url+demoFiles+path, nil); resp.StatusCode != http.StatusOK || got != body {
				t.Errorf("%s: %s, %d bytes", path, resp.Status, len(got))
			}
		}
		if _, events := ask(t, http.MethodGet, url+"/api/v4/audit_events", nil); strings.Count(events, `"event_type":"blob_repaired"`) != 2 {
			t.Errorf("the events are %s", events)
		}
		server.terminate(t, 20*time.Second)
		for _, want := range []string{`where="the pack `, `where=""`, `from="` + strings.SplitN(g.place, "?", 2)[0]} {
			if !strings.Contains(strings.ReplaceAll(server.logged(), "from=file", `from="file`), want) {
				t.Errorf("there is no %s in the log:\n%s", want, server.logged())
			}
		}
	})
}

// TestDownloadStartsRepair: what a download finds missing is repaired within seconds, long before
// the scrub comes to it.
func TestDownloadStartsRepair(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	g.backUp(t)
	_, url := startIn(t, g.old, "--inline-max=4096", "--repair-from="+g.place)
	at := func(name string) string { return blobIn(filepath.Join(dir, "old", "blobs"), files[name]) }
	if err := errors.Join(os.Remove(at("large/1.0.0/a")), os.Truncate(at("large/1.0.0/b"), 10)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"large/1.0.0/a", "large/1.0.0/b"} {
		if resp, _ := ask(t, http.MethodGet, url+demoFiles+name, nil); resp.StatusCode < 500 {
			t.Errorf("%s: %s, though its bytes are gone", name, resp.Status)
		}
		eventually.HoldsWithin(t, time.Minute, name+" is repaired", func() bool {
			resp, got := ask(t, http.MethodGet, url+demoFiles+name, nil)
			return resp.StatusCode == http.StatusOK && got == files[name]
		})
	}
}

// TestOtherStoreIsAskedNoMore: a place that does not answer costs one try, not one for each
// blob; a caller who gives up does not count.
func TestOtherStoreIsAskedNoMore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	cfg, err := config.Config{}.WithBlobs("file:" + dir)
	if err != nil {
		t.Fatal(err)
	}
	place := &otherStore{cfg: cfg}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := place.Copies(gone, Wanted{}); err == nil || place.failed != nil {
		t.Errorf("who gave up: %v, %v", err, place.failed)
	}
	if _, err := place.Copies(t.Context(), Wanted{}); err == nil {
		t.Error("there is no place, and no error")
	}
	if _, err := disk.Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := place.Copies(t.Context(), Wanted{}); err == nil {
		t.Error("it is asked again")
	}
	place = &otherStore{cfg: cfg}
	defer place.close()
	copies, err := place.Copies(t.Context(), Wanted{})
	if err != nil || len(copies) != 1 {
		t.Fatal(copies, err)
	}
	if r, err := copies[0].Open(t.Context()); r != nil || !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("%v, %v", r, err)
	}
}
