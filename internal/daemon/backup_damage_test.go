package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
	"granary/internal/config"
)

// oldPlace is a server on SQLite and directories with some files, large and small ones.
func oldPlace(t *testing.T) (g grounds, files map[string]string, dir string) {
	t.Helper()
	dir = t.TempDir()
	g = grounds{
		old:   []string{asRoot, "GRANARY_DATA_DIR=" + filepath.Join(dir, "old")},
		new:   []string{asRoot, "GRANARY_DATA_DIR=" + filepath.Join(dir, "new")},
		place: "file:" + filepath.Join(dir, "place"),
	}
	files = map[string]string{}
	url, stop := serveHere(t, g.old, "--inline-max=4096")
	defer stop()
	for _, name := range []string{"a", "b", "c", "d"} {
		publishTo(t, url, files, "small/1.0.0/"+name, strings.Repeat(name, 100))
		publishTo(t, url, files, "large/1.0.0/"+name, strings.Repeat(name, 100_000))
	}
	return g, files, dir
}

func publishTo(t *testing.T, url string, files map[string]string, path, body string) {
	t.Helper()
	if resp, said := ask(t, http.MethodPut, url+demoFiles+path, strings.NewReader(body)); resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s %s", path, resp.Status, said)
	}
	files[path] = body
}

// backUp is a backup that goes well.
func (g grounds) backUp(t *testing.T) BackedUp {
	t.Helper()
	return g.backUpWith(t, BackupOptions{})
}

// backUpWith is backUp with options.
func (g grounds) backUpWith(t *testing.T, o BackupOptions) BackedUp {
	t.Helper()
	o.To, o.Report = g.placeSettings(t), func(BackupProgress) {}
	done, err := backUpWith(t.Context(), g.settings(t, g.old), o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// treeOf is every file of a directory with its size and time.
func treeOf(t *testing.T, dir string) (tree []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		tree = append(tree, strings.Join([]string{path, info.ModTime().String()}, " "))
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return tree
}

// The second backup copies what is new and nothing else, and both can be restored.
func TestBackupCopiesWhatIsNew(t *testing.T) {
	t.Parallel()
	g, files, _ := oldPlace(t)
	first := g.backUp(t)
	if first.New.Count != 4 || first.New.Bytes != 400_000 || first.NewSmall.Count != 4 || len(first.Manifest.Packs) != 1 {
		t.Errorf("the first backup: %+v", first)
	}
	again := g.backUp(t)
	if again.New.Count != 0 || again.NewSmall.Count != 0 || again.Manifest.Blobs != first.Manifest.Blobs || again.Manifest.Packed != first.Manifest.Packed {
		t.Errorf("without changes: %+v", again)
	}
	url, stop := serveHere(t, g.old, "--inline-max=4096")
	older := map[string]string{}
	for path, body := range files {
		older[path] = body
	}
	publishTo(t, url, files, "small/1.0.0/new", "new")
	publishTo(t, url, files, "large/1.0.0/new", strings.Repeat("n", 50_000))
	stop()
	third := g.backUp(t)
	if third.New.Count != 1 || third.New.Bytes != 50_000 || third.NewSmall.Count != 1 || len(third.Manifest.Packs) != 2 {
		t.Errorf("after two files: %+v", third)
	}
	found, err := ListBackups(t.Context(), g.placeSettings(t), func(string) {})
	if err != nil || len(found) != 3 {
		t.Fatalf("%d snapshots, %v; want 3", len(found), err)
	}
	if done := g.restore(t, RestoreOptions{Snapshot: first.Manifest.ID}); done.Files != 4 || done.Bodies != 4 {
		t.Errorf("restored %+v", done)
	}
	url, stop = serveHere(t, g.new)
	defer stop()
	checkRestored(t, url, older, files)
}

func (g grounds) placeSettings(t *testing.T) config.Config {
	t.Helper()
	place, err := g.settings(t, g.old).WithBlobs(g.place)
	if err != nil {
		t.Fatal(err)
	}
	return place
}

// A dry run says what would be copied, and changes nothing; whether there is a place yet or
// not.
func TestDryBackupChangesNothing(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	for _, want := range []int64{4, 0} {
		before := treeOf(t, filepath.Join(dir, "place"))
		a, err := OpenAdmin(t.Context(), g.settings(t, g.old), "test")
		if err != nil {
			t.Fatal(err)
		}
		done, err := a.Backup(t.Context(), BackupOptions{To: g.placeSettings(t), DryRun: true, Report: func(BackupProgress) {}})
		if err = errors.Join(err, a.Close()); err != nil || done.New.Count != want || done.NewSmall.Count != want {
			t.Errorf("%+v, %v; want %d", done, err, want)
		}
		if after := treeOf(t, filepath.Join(dir, "place")); !slices.Equal(before, after) {
			t.Errorf("the place changed from\n%v to\n%v", before, after)
		}
		g.backUp(t)
	}
}

// Places that hold something else are refused, and nothing in them changes.
func TestForeignPlaceIsRefused(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	other, _, strange := oldPlace(t)
	other.backUp(t)
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "home")
	if err := errors.Join(os.MkdirAll(home, 0o700), os.WriteFile(filepath.Join(home, "letter"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "store")
	if s, err := disk.Open(store); err != nil {
		t.Fatal(err)
	} else {
		blobtest.Put(t, s, []byte("a blob"))
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "old", "blobs"), link); err != nil {
		t.Fatal(err)
	}
	for place, want := range map[string]string{
		other.place:     "it has the backups of other records",
		"file:" + home:  "no place of backups: it has " + filepath.Join(home, "letter"),
		"file:" + store: "no place of backups: it has the blob ",
		"file:" + filepath.Join(dir, "old", "blobs"): "is the store of the server itself",
		"file:" + link: "is the store of the server itself",
		"file:" + filepath.Join(dir, "old", "blobs", "sub"):      "is in the store of the server",
		"file:" + filepath.Join(dir, "old", "blobs", "tmp", "x"): "is in the store of the server",
		"file:" + filepath.Join(link, "records", "x"):            "is in the store of the server",
		"file:" + filepath.Join(dir, "old", "place"):             "is in the data directory",
		"file:" + dir: "is in file:" + dir,
		"file:" + filepath.Join(strange, "old", "place"):           "which is a server's data directory",
		"file:" + filepath.Join(strange, "old", "blobs", "x"):      "which is a server's store",
		"file:" + filepath.Join(strange, "place", "below", "this"): "which is a place of backups itself",
		"file:" + dangling: dangling + " is a symbolic link to something that is not there",
	} {
		at := strings.TrimPrefix(place, "file:")
		before := treeOf(t, at)
		if _, err := backUp(t.Context(), g.settings(t, g.old), place); err == nil || strings.Count(err.Error(), want) != 1 {
			t.Errorf("%s: %v; want %q", place, err, want)
		}
		if after := treeOf(t, at); place != "file:"+store && !slices.Equal(before, after) {
			t.Errorf("%s changed from\n%v to\n%v", place, before, after)
		}
	}
	// And to restore from.
	for place, want := range map[string]string{
		"file:" + home:                          "holds no blobs",
		"file:" + store:                         "there is no backup.json in it",
		"file:" + filepath.Join(dir, "nothing"): "holds no blobs",
	} {
		g.place = place
		if _, err := g.tryRestore(t, RestoreOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("from %s: %v; want %q", place, err, want)
		}
	}
}

// What is missing or damaged in the store of the server is named in the manifest, and stops
// nothing else.
func TestBackupOfDamagedStore(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	in := func(name string) string {
		d := blobtest.Digest([]byte(files["large/1.0.0/"+name])).String()
		return filepath.Join(dir, "old", "blobs", d[:2], d)
	}
	flipped := []byte(files["large/1.0.0/c"])
	flipped[50_000] ^= 1
	if err := errors.Join(os.Remove(in("a")), os.Truncate(in("b"), 99_999), os.WriteFile(in("c"), flipped, 0o600)); err != nil {
		t.Fatal(err)
	}
	done := g.backUp(t)
	why := map[string]string{}
	for _, lost := range done.Manifest.Lost.First {
		why[lost.Digest] = lost.Why
	}
	for name, want := range map[string]string{"a": "missing", "b": "it has 99999 bytes in the store instead of 100000", "c": "its bytes in the store are others"} {
		if got := why[blobtest.Digest([]byte(files["large/1.0.0/"+name])).String()]; got != want {
			t.Errorf("%s is lost because %q, want %q", name, got, want)
		}
	}
	if m := done.Manifest; m.Lost.Count != 3 || m.Blobs.Count != 1 || m.Packed.Count != 4 || done.New.Count != 1 {
		t.Errorf("%+v", done)
	}
	restored := g.restore(t, RestoreOptions{})
	if restored.Missing != 3 || restored.Files != 1 || restored.Bodies != 4 {
		t.Errorf("restored %+v", restored)
	}
	url, stop := serveHere(t, g.new)
	defer stop()
	for path, body := range files {
		lost := strings.HasPrefix(path, "large/") && !strings.HasSuffix(path, "/d")
		if resp, got := ask(t, http.MethodGet, url+demoFiles+path, nil); !lost && (resp.StatusCode != http.StatusOK || got != body) || lost && resp.StatusCode == http.StatusOK {
			t.Errorf("%s: %s, %d bytes", path, resp.Status, len(got))
		}
	}
}

// A damaged place: what is whole is restored, or nothing is and the reason is said.
func TestRestoreFromDamagedPlace(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	first := g.backUp(t)
	second := g.backUp(t)
	place := filepath.Join(dir, "place")
	manifest := filepath.Join(place, "snapshots", second.Manifest.ID+".json")
	whole, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	loseCopy(t, g, second.Manifest.ID)
	write := func(path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(o RestoreOptions, want string) {
		t.Helper()
		if _, err := g.tryRestore(t, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
		if _, err := os.Stat(filepath.Join(dir, "new", "granary.db")); err == nil {
			t.Error("there is a database after a refusal")
		}
	}
	// A cut manifest is skipped, and refused by name.
	write(manifest, whole[:len(whole)/2])
	refused(RestoreOptions{Snapshot: second.Manifest.ID}, "the manifest is damaged: it is cut short")
	older := func(damaged string) {
		t.Helper()
		done, err := g.tryRestore(t, RestoreOptions{DryRun: true})
		if err != nil || done.Manifest.ID != first.Manifest.ID || len(done.Skipped) != 1 || done.Missing != 0 {
			t.Errorf("%s is damaged: %+v, %v; want the snapshot before", damaged, done, err)
		}
	}
	older(manifest)
	write(manifest, whole)
	// Records that are not those of the manifest.
	recordsOf := func(b BackedUp) string { return filepath.Join(place, "snapshots", b.Manifest.ID, "records.jsonl.zst") }
	text, err := os.ReadFile(recordsOf(second))
	if err != nil {
		t.Fatal(err)
	}
	write(recordsOf(second), text[:len(text)-1])
	refused(RestoreOptions{Snapshot: second.Manifest.ID}, "are damaged: they are not the")
	refused(RestoreOptions{Snapshot: second.Manifest.ID}, "others are "+first.Manifest.ID)
	older(recordsOf(second))
	other, err := os.ReadFile(recordsOf(first))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(other, text) {
		write(recordsOf(second), other)
		refused(RestoreOptions{Snapshot: second.Manifest.ID}, "are damaged: they are not the")
	}
	write(recordsOf(second), text)
	// Another pack in the place of the right one, and damaged: what is right in it is there.
	packs, err := filepath.Glob(filepath.Join(place, "packs", "*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	stranger, _, strange := oldPlace(t)
	stranger.backUp(t)
	found, err := filepath.Glob(filepath.Join(strange, "place", "packs", "*.pack"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	swapped, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	swapped[60] ^= 1 // in the first body
	write(packs[0], swapped)
	done, err := g.tryRestore(t, RestoreOptions{})
	if err != nil || done.Missing != 1 || done.Bodies != 3 || len(done.BadPacks) != 1 || done.Files != 4 {
		t.Errorf("with a damaged pack: %+v, %v", done, err)
	}
	// A full database is refused, and so is the store of others; by a dry run, too.
	others := stranger
	others.new = []string{asRoot, "GRANARY_DATA_DIR=" + t.TempDir(), "GRANARY_BLOBS=file:" + filepath.Join(dir, "new", "blobs")}
	for _, dry := range []bool{true, false} {
		before := treeOf(t, filepath.Join(dir, "new"))
		if _, err := g.tryRestore(t, RestoreOptions{DryRun: dry}); err == nil || !strings.Contains(err.Error(), "is not empty") {
			t.Errorf("over a database, dry run %v: %v", dry, err)
		}
		if _, err := others.tryRestore(t, RestoreOptions{DryRun: dry}); err == nil || !strings.Contains(err.Error(), "it is the store of other records") {
			t.Errorf("into the store of others, dry run %v: %v", dry, err)
		}
		if after := treeOf(t, filepath.Join(dir, "new")); dry && !slices.Equal(before, after) {
			t.Errorf("a dry run changed\n%v to\n%v", before, after)
		}
	}
}

// A pack that is damaged is not trusted by the next backup: it packs the bodies again.
func TestBackupReplacesDamagedPack(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	g.backUp(t)
	packs, err := filepath.Glob(filepath.Join(dir, "place", "packs", "*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	if err := os.Truncate(packs[0], 300); err != nil {
		t.Fatal(err)
	}
	done := g.backUp(t)
	if len(done.BadPacks) != 1 || done.NewSmall.Count != 4 || len(done.Manifest.Packs) != 1 {
		t.Errorf("%+v", done)
	}
	if restored := g.restore(t, RestoreOptions{}); restored.Missing != 0 || restored.Bodies != 4 {
		t.Errorf("restored %+v", restored)
	}
	url, stop := serveHere(t, g.new)
	defer stop()
	checkRestored(t, url, files, files)
}

// A site comes up from its backup without a copy of the files.
func TestRestoreOfDatabaseOnly(t *testing.T) {
	t.Parallel()
	g, files, dir := oldPlace(t)
	g.backUp(t)
	done := g.restore(t, RestoreOptions{DatabaseOnly: true})
	if done.Files != 0 || done.Bodies != 4 {
		t.Errorf("%+v", done)
	}
	if _, err := os.Stat(filepath.Join(dir, "new", "blobs")); err == nil {
		t.Error("a store was made")
	}
	url, stop := serveHere(t, append(g.new, "GRANARY_BLOBS="+g.place))
	defer stop()
	checkRestored(t, url, files, files)
}

// Whoever begins second is told who works on the place; a process that is gone, or one
// without a sign of life for ten minutes, is in nobody's way.
func TestPlaceIsForOneAtATime(t *testing.T) {
	t.Parallel()
	store, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, tc := range []struct {
		name   string
		holder lockHolder
		taken  bool
	}{
		{"another machine", lockHolder{Host: "elsewhere", PID: 1, Since: now, Seen: now.Add(-9 * time.Minute)}, true},
		{"another machine, silent", lockHolder{Host: "elsewhere", PID: 1, Since: now, Seen: now.Add(-11 * time.Minute)}, false},
		{"a process here", lockHolder{Where: processSpace(), PID: os.Getppid(), Since: now, Seen: now}, true},
		{"a process that is gone", lockHolder{Where: processSpace(), PID: 1 << 30, Since: now, Seen: now}, false},
		{"an earlier one of this number", lockHolder{Where: processSpace(), PID: os.Getpid(), Since: now, Seen: now}, false},
		{"a process elsewhere, in a container of this host name", lockHolder{Host: host, Where: "another boot pid:[1]", PID: os.Getpid(), Since: now, Seen: now}, true},
	} {
		tc.holder.Token, tc.holder.Doing = "other", "backup"
		l := &placeLock{notes: store, mine: tc.holder}
		if err := l.put(t.Context(), tc.holder); err != nil {
			t.Fatal(err)
		}
		mine, err := takePlace(t.Context(), store, "backup")
		if tc.taken != errors.Is(err, errPlaceTaken) || (err == nil) == tc.taken {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err != nil {
			continue
		}
		if err := l.check(t.Context()); !errors.Is(err, errPlaceTaken) {
			t.Errorf("%s does not see that its lock is lost: %v", tc.name, err)
		}
		if err := errors.Join(mine.check(t.Context()), mine.release(t.Context())); err != nil {
			t.Error(err)
		}
		if _, err := store.Note(t.Context(), lockNote); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("the lock is left: %v", err)
		}
	}
}

// A full place is said, and what is in it stays: with room, the next backup goes on.
func TestBackupToFullPlace(t *testing.T) {
	t.Parallel()
	g, files, _ := oldPlace(t)
	url, stop := serveHere(t, g.old, "--inline-max=4096")
	for i := range 12 {
		publishTo(t, url, files, fmt.Sprintf("huge/1.0.0/%d", i), strings.Repeat(fmt.Sprint(i%10), 1<<20)+fmt.Sprint(i))
	}
	stop()
	dir := smallDisk(t, 5)
	g.place = "file:" + filepath.Join(dir, "place")
	_, err := backUp(t.Context(), g.settings(t, g.old), g.place)
	if !errors.Is(err, blob.ErrNoSpace) || !strings.Contains(err.Error(), "goes on from there") {
		t.Fatalf("%v; want %v", err, blob.ErrNoSpace)
	}
	if found, err := ListBackups(t.Context(), g.placeSettings(t), func(string) {}); err != nil || len(found) > 0 {
		t.Errorf("%v, %v; want no snapshot", found, err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=100m"); err != nil {
		t.Fatal(err)
	}
	done := g.backUp(t)
	if done.New.Count >= 16 || done.Manifest.Blobs.Count != 16 || done.Manifest.Lost.Count > 0 {
		t.Errorf("with room: %+v", done)
	}
	if restored := g.restore(t, RestoreOptions{}); restored.Missing > 0 || restored.Files != 16 {
		t.Errorf("restored %+v", restored)
	}
}

// awayNotes is a place whose notes break off.
type awayNotes struct{ blob.Source }

type awayNote struct{ io.ReadSeekCloser }

func (awayNote) Read([]byte) (int, error) { return 0, syscall.ECONNRESET }

func (a awayNotes) Note(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	note, err := a.Source.Note(ctx, name)
	return awayNote{note}, err
}

// A place that does not answer is no damage of a snapshot: a restore of the latest would
// take an older one.
func TestPlaceThatIsAwayIsNotDamaged(t *testing.T) {
	t.Parallel()
	g, _, _ := oldPlace(t)
	g.backUp(t)
	from, place, err := openPlaceToRead(t.Context(), g.placeSettings(t))
	if err != nil {
		t.Fatal(err)
	}
	warn := func(text string) { t.Error(text) }
	if _, _, skipped, err := choose(t.Context(), from, place.Identity, "latest", warn); err != nil || len(skipped) > 0 {
		t.Errorf("skipped %v, %v", skipped, err)
	}
	if m, _, skipped, err := choose(t.Context(), awayNotes{from}, place.Identity, "latest", warn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("of a place that is away: %+v, skipped %v, %v", m, skipped, err)
	}
}

// A snapshot of other records, which somebody has put into a place, is passed by with a word, and
// is never restored; the others are.
func TestSnapshotOfOthers(t *testing.T) {
	t.Parallel()
	g, _, dir := oldPlace(t)
	ours := g.backUp(t).Manifest.ID
	stranger, _, strange := oldPlace(t)
	theirs := stranger.backUp(t).Manifest.ID
	if err := os.CopyFS(filepath.Join(dir, "place", "snapshots"), os.DirFS(filepath.Join(strange, "place", "snapshots"))); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{ours, "latest"} {
		var told []string
		o := RestoreOptions{Snapshot: id, DryRun: true, Warn: func(text string) { told = append(told, text) }}
		done, err := g.tryRestore(t, o)
		if err != nil || done.Manifest.ID != ours || done.Missing > 0 || len(done.Skipped) > 0 {
			t.Errorf("%s: %+v, %v, want %s", id, done, err, ours)
		}
		if passed := len(told) == 1 && strings.Contains(told[0], theirs) && strings.Contains(told[0], "is passed by"); passed != (id == "latest") || len(told) > 1 {
			t.Errorf("%s: it told %q", id, told)
		}
	}
	if _, err := g.tryRestore(t, RestoreOptions{Snapshot: theirs}); err == nil || !strings.Contains(err.Error(), "is of other records") || !strings.Contains(err.Error(), ours) {
		t.Errorf("theirs: %v", err)
	}
	g.restore(t, RestoreOptions{Warn: func(string) {}})
}
