package registry_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
	"granary/internal/blob/s3"
	"granary/internal/blob/s3/s3test"
	"granary/internal/metadb"
	"granary/internal/metadb/metadbtest"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// checked is a registry whose store and rows a test damages behind its back.
type checked struct {
	*faultyRegistry
	dir    string         // of the store's blobs
	remote bool           // the store is a bucket
	bodies map[string]int // files to the number of their bytes
	seeds  map[string]int // and to the seed
	copies blob.Store     // has all bytes, of small files too
}

func checkedDisk(t *testing.T) *checked {
	dir := filepath.Join(metadbtest.Memory(t), "blobs")
	store, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return fillChecked(t, store, dir)
}

func checkedS3(t *testing.T) *checked {
	srv := s3test.Start(t)
	store, err := s3.Open(t.Context(), s3.Config{
		Bucket: s3test.Bucket, Endpoint: srv.URL, AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return fillChecked(t, store, filepath.Join(srv.Dir, s3test.Bucket))
}

// fillChecked publishes 300 blobs: a third of them small enough for the database, some in
// two versions, some uploads, and one file that was removed.
func fillChecked(t *testing.T, store blob.Store, dir string) *checked {
	t.Helper()
	_, isDisk := store.(*disk.Store)
	c := &checked{newRegistryOn(t, store), dir, !isDisk, map[string]int{}, map[string]int{}, openDisk(t)}
	publish := func(version, file string, seed, size int) {
		t.Helper()
		c.bodies[file], c.seeds[file] = size, seed
		body := blobtest.Bytes(uint64(seed), size)
		c.now = c.now.Add(time.Millisecond) // each event needs a moment of its own
		if err := c.publish(t.Context(), registry.Raw{Name: "tool", Version: version, File: file}, body); err != nil {
			t.Fatal(err)
		}
		blobtest.Put(t, c.copies, body)
	}
	for i := range 100 {
		publish("1.0.0", fmt.Sprintf("small-%d", i), i, i*10)
	}
	for i := range 190 {
		publish("1.0.0", fmt.Sprintf("large-%d", i), 1000+i, inline+1+i*100)
	}
	publish("1.0.0", "same-a", 2001, 5000)
	publish("1.0.0", "same-b", 2002, 5000)
	publish("1.0.0", "huge", 2003, 6<<20)
	publish("2.0.0", "large-7", 1007, inline+1+700)
	publish("2.0.0", "small-7", 7, 70)
	publish("3.0.0", "removed", 2004, 7000)
	for i := range 5 {
		name, body := fmt.Sprintf("upload-%d", i), blobtest.Bytes(uint64(3000+i), 500+i*1000)
		c.bodies[name], c.seeds[name] = len(body), 3000+i
		c.now = c.now.Add(time.Millisecond)
		_, err := c.Upload(t.Context(), c.admin, c.project, nil, func() (string, io.Reader, error) { return name, bytes.NewReader(body), nil })
		if err != nil {
			t.Fatal(err)
		}
		blobtest.Put(t, c.copies, body)
	}
	if err := c.DeleteVersion(t.Context(), c.admin, c.project, registry.Raw{Name: "tool", Version: "3.0.0"}, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *checked) digest(file string) blob.Digest {
	return blobtest.Digest(blobtest.Bytes(uint64(c.seeds[file]), c.bodies[file]))
}

func (c *checked) path(d blob.Digest) string { return filepath.Join(c.dir, d.String()[:2], d.String()) }

// rewrite changes the bytes of a file in the store, and returns what puts them back.
func (c *checked) rewrite(t *testing.T, file string, change func([]byte) []byte) (undo func()) {
	t.Helper()
	path := c.path(c.digest(file))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(change(bytes.Clone(before)))
	return func() { write(before) }
}

// exec changes rows, at least one.
func (c *checked) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	db := c.ledger.Records.(*metadb.DB)
	n, err := sqldb.Write(t.Context(), db.DB, func(tx *sqldb.Tx) (int64, error) { return tx.Count(query, args...) })
	if err != nil || n != 1 {
		t.Fatalf("%d rows, %v", n, err)
	}
}

// run checks everything and returns what was found, by kind and file.
func (c *checked) run(t *testing.T, set func(*registry.Check)) (registry.Checked, []registry.Finding, error) {
	t.Helper()
	var found []registry.Finding
	check := registry.Check{
		Records: c.Records, Store: c.store, Age: registry.Grace, Now: time.Now,
		Tell: func(f registry.Finding) error { found = append(found, f); return nil },
	}
	if set != nil {
		set(&check)
	}
	done, err := check.Run(t.Context())
	slices.SortFunc(found, func(a, b registry.Finding) int { return cmp.Compare(told(a), told(b)) })
	return done, found, err
}

func reading(c *registry.Check) { c.Read = registry.AllBlobs() }

// told is a finding in short.
func told(f registry.Finding) string {
	text := string(f.Kind)
	if f.InDatabase {
		text += " in the database"
	}
	if len(f.Uses) > 0 {
		text += " " + f.Uses[0].Version + " " + f.Uses[0].File
	}
	if f.Mended {
		text += " mended"
	}
	if f.Refusal != "" {
		text += " not mended: " + f.Refusal
	}
	return text
}

func (c *checked) wants(t *testing.T, set func(*registry.Check), want ...string) (registry.Checked, []registry.Finding) {
	t.Helper()
	done, found, err := c.run(t, set)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, told(f))
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if done.Damaged() != slices.ContainsFunc(found, func(f registry.Finding) bool { return !f.Mended && f.Kind != registry.Unread }) {
		t.Errorf("Damaged is %v", done.Damaged())
	}
	return done, found
}

func onEachChecked(t *testing.T, test func(t *testing.T, c *checked)) {
	t.Run("disk", func(t *testing.T) { test(t, checkedDisk(t)) })
	t.Run("s3", func(t *testing.T) { test(t, checkedS3(t)) })
}

// TestCheckFindsEveryDamage: each kind of damage by itself is found, named, and nothing
// else is.
func TestCheckFindsEveryDamage(t *testing.T) { onEachChecked(t, testCheckFindsEveryDamage) }

func testCheckFindsEveryDamage(t *testing.T, c *checked) {
	done, _ := c.wants(t, reading)
	want := registry.RecordCounts{Files: 296, Versions: 2, Blobs: 299}
	if done.RecordCounts != want || done.Seen != 299 || done.There != 299 || done.Read != 299 || done.InDatabase != 101 {
		t.Errorf("%+v, want %+v, all there and read, 101 of them in the database", done, want)
	}
	for _, d := range c.damages() {
		if c.remote && !d.remote() {
			continue // it is of the database
		}
		t.Run(d.name, func(t *testing.T) {
			undo := d.do(t)
			defer undo()
			if !slices.Equal(d.unread, d.read) || !c.remote {
				c.wants(t, nil, d.unread...)
			}
			c.wants(t, reading, d.read...)
		})
	}
	c.wants(t, reading)
}

// damage is one that a test does. unread is what a check finds that reads no bytes, read
// what one finds that does.
type damage struct {
	name         string
	do           func(t *testing.T) (undo func())
	unread, read []string
}

// remote reports whether the damage is of the store, and not like another one.
func (d damage) remote() bool {
	return slices.Contains([]string{"a bit", "a bit of much", "cut short", "two swapped", "lost", "bytes without a record", "young bytes without a record"}, d.name)
}

func (c *checked) damages() []damage {
	always := func(name string, do func(t *testing.T) func(), found ...string) damage {
		return damage{name, do, found, found}
	}
	row := func(set, back, file string, value any) func(*testing.T) func() {
		return func(t *testing.T) func() {
			d := c.digest(file)
			change := func(set string, value any) {
				if value == nil {
					c.exec(t, `UPDATE blobs SET `+set+` WHERE digest = $1`, d[:])
					return
				}
				c.exec(t, `UPDATE blob_contents SET `+set+` WHERE blob_id = (SELECT id FROM blobs WHERE digest = $2)`, value, d[:])
			}
			change(set, value)
			if value != nil {
				return func() { change(back, blobtest.Bytes(uint64(c.seeds[file]), c.bodies[file])) }
			}
			return func() { change(back, nil) }
		}
	}
	rewrite := func(file string, change func([]byte) []byte) func(*testing.T) func() {
		return func(t *testing.T) func() { return c.rewrite(t, file, change) }
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 4; return b }
	return []damage{
		{"a bit", rewrite("large-3", flip), []string{}, []string{"wrong 1.0.0 large-3"}},
		{"a bit of much", rewrite("huge", flip), []string{}, []string{"wrong 1.0.0 huge"}},
		{"a bit of an upload", rewrite("upload-4", flip), []string{}, []string{"wrong  upload-4"}},
		{"a bit in the database", row("content = $1", "content = $1", "small-9", flip(blobtest.Bytes(9, 90))), []string{}, []string{"wrong in the database 1.0.0 small-9"}},
		always("cut short", rewrite("large-3", func(b []byte) []byte { return b[:len(b)-1] }), "size 1.0.0 large-3"),
		always("cut to nothing", rewrite("large-3", func([]byte) []byte { return nil }), "size 1.0.0 large-3"),
		always("a byte more", rewrite("large-3", func(b []byte) []byte { return append(b, 0) }), "size 1.0.0 large-3"),
		always("cut short in the database", row("content = $1", "content = $1", "small-9", []byte("9")), "size in the database 1.0.0 small-9"),
		{"two swapped", func(t *testing.T) func() {
			one := c.rewrite(t, "same-a", func([]byte) []byte { return blobtest.Bytes(2002, 5000) })
			two := c.rewrite(t, "same-b", func([]byte) []byte { return blobtest.Bytes(2001, 5000) })
			return func() { one(); two() }
		}, []string{}, []string{"wrong 1.0.0 same-a", "wrong 1.0.0 same-b"}},
		always("lost", c.lose("large-7"), "missing 2.0.0 large-7"),
		always("lost, of a removed version", c.lose("removed")),
		always("lost in the database", func(t *testing.T) func() {
			d := c.digest("small-9")
			c.exec(t, `DELETE FROM blob_contents WHERE blob_id = (SELECT id FROM blobs WHERE digest = $1)`, d[:])
			return func() {
				c.exec(t, `INSERT INTO blob_contents (blob_id, content) SELECT id, $1 FROM blobs WHERE digest = $2`, blobtest.Bytes(9, 90), d[:])
			}
		}, "missing 1.0.0 small-9"),
		always("a row of another size", row("size = size + 1", "size = size - 1", "large-3", nil), "record 1.0.0 large-3"),
		always("a row of another size in the database", row("size = size + 1", "size = size - 1", "small-9", nil), "record in the database 1.0.0 small-9"),
		always("a count too high", row("files = files + 1", "files = files - 1", "large-7", nil), "uses 2.0.0 large-7"),
		always("a count too low", row("files = 0", "files = 1", "upload-1", nil), "uses  upload-1"),
		always("bytes without a record", c.stray("stray", 25*time.Hour), "stray"),
		always("young bytes without a record", c.stray("young", time.Hour)),
	}
}

// lose moves the bytes of a file out of the store.
func (c *checked) lose(file string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		path := c.path(c.digest(file))
		away := c.dir + "-lost" // a rename keeps what the S3 server knows of the file
		if err := os.Rename(path, away); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := os.Rename(away, path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// stray puts bytes of an age into the store.
func (c *checked) stray(text string, age time.Duration) func(*testing.T) func() {
	return func(t *testing.T) func() {
		path := c.path(blobtest.Digest([]byte(text)))
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		written := time.Now().Add(-age)
		if err == nil {
			err = os.Chtimes(path, written, written)
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCheckNamesFiles: a finding says all that somebody needs who looks for the bytes.
func TestCheckNamesFiles(t *testing.T) {
	c := checkedDisk(t)
	defer c.rewrite(t, "large-7", func(b []byte) []byte { return b[1:] })()
	_, found := c.wants(t, nil, "size 2.0.0 large-7")
	f := found[0]
	size := int64(c.bodies["large-7"])
	if f.Digest != c.digest("large-7") || f.Size != size || f.FoundSize != size-1 || *f.FoundDigest != blobtest.Digest(blobtest.Bytes(1007, int(size))[1:]) {
		t.Errorf("%+v", f)
	}
	want := []registry.Use{{Project: "root/tool", Package: "tool", Version: "2.0.0", File: "large-7"}, {Project: "root/tool", Package: "tool", Version: "1.0.0", File: "large-7"}}
	if !slices.Equal(f.Uses, want) || f.AllUses != 2 {
		t.Errorf("%d uses: %+v, want %+v", f.AllUses, f.Uses, want)
	}
}

// TestCheckReadsASubset: the parts of a check together read every blob once.
func TestCheckReadsASubset(t *testing.T) {
	c := checkedDisk(t)
	defer c.rewrite(t, "same-a", func(b []byte) []byte { b[0]++; return b })()
	var read, wrong int64
	for part := range 7 {
		subset, err := registry.ParseSubset(fmt.Sprintf("%d/7", part+1))
		if err != nil {
			t.Fatal(err)
		}
		done, _, err := c.run(t, func(o *registry.Check) { o.Read = subset })
		if err != nil || done.Read < 20 || done.Read > 70 {
			t.Errorf("part %d: %d read, %v", part+1, done.Read, err)
		}
		read, wrong = read+done.Read, wrong+done.Found[registry.WrongBytes]
	}
	if read != 299 || wrong != 1 {
		t.Errorf("%d read, %d wrong, want 299 and 1", read, wrong)
	}
	half, err := registry.ParseSubset("50%")
	if err != nil {
		t.Fatal(err)
	}
	if done, _, err := c.run(t, func(o *registry.Check) { o.Read = half }); err != nil || done.Read < 100 || done.Read > 200 {
		t.Errorf("of a half %d are read, %v", done.Read, err)
	}
	for _, text := range []string{"", "5", "0%", "101%", "x%", "NaN%", "1/0", "0/3", "4/3", "-1/3", "1/3/5", "1/9999999999", "%"} {
		if got, err := registry.ParseSubset(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

// TestCheckTellsFailureFromDamage: a store that does not answer is not a damaged one.
func TestCheckTellsFailureFromDamage(t *testing.T) {
	c := checkedDisk(t)
	for _, nth := range []int{1, 2, 100, 256, 257} { // the last is Left
		c.store.Fail(blobtest.Fault{Nth: nth})
		if done, found, err := c.run(t, nil); err == nil || len(found) > 0 || done.Damaged() || !c.store.Failed() {
			t.Fatalf("fault %d: %v, %+v", nth, err, found)
		}
	}
	defer c.lose("large-3")(t)()
	c.store.Fail(blobtest.Fault{Op: blobtest.Stat, Nth: 1})
	c.wants(t, nil, "unread 1.0.0 large-3")
	c.wants(t, nil, "missing 1.0.0 large-3")

	path := c.path(c.digest("huge"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	done, found, err := c.run(t, reading)
	if err != nil || len(found) != 2 || found[1].Kind != registry.Unread || !strings.Contains(found[1].Reason, "a directory is in the place") || done.Unread() != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestCheckPassesByAFolder: a folder that cannot be listed costs its own blobs, and hides no other
// finding.
func TestCheckPassesByAFolder(t *testing.T) {
	c := checkedDisk(t)
	huge, lost := c.digest("huge"), c.digest("large-3")
	defer c.lose("large-3")(t)()
	folder := filepath.Dir(c.path(huge))
	if err := errors.Join(os.Rename(folder, folder+".away"), os.WriteFile(folder, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	_, found, err := c.run(t, nil)
	has := func(kind registry.FindingKind, d blob.Digest) bool {
		return slices.ContainsFunc(found, func(f registry.Finding) bool { return f.Kind == kind && f.Digest == d })
	}
	if err != nil || !has(registry.Unread, huge) || !has(registry.MissingBytes, lost) {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestCheckMendsWhatItCannotRead: what was not read and is repaired does not end a check, however
// many there are.
func TestCheckMendsWhatItCannotRead(t *testing.T) {
	c := checkedDisk(t)
	for i := range 20 {
		path := c.path(c.digest(fmt.Sprint("large-", i)))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/dev/null", path); err != nil {
			t.Fatal(err)
		}
	}
	done, found, err := c.run(t, c.mendingFrom(c.copies.(blob.Source)))
	if err != nil || len(found) != 20 || done.Found[registry.Unread] != 20 || done.Unread() != 0 || done.Damaged() {
		t.Errorf("%d found, %+v, %v, want 20 that are repaired", len(found), done, err)
	}
	c.wants(t, reading)
}

// TestCheckPassesByWhatItCannotRead: however many blobs cannot be read, a check tells of each and
// looks at the rest; but it ends if the store itself does not answer.
func TestCheckPassesByWhatItCannotRead(t *testing.T) {
	c := checkedDisk(t)
	var want []string
	for i := range 20 {
		file := fmt.Sprint("large-", 100+i)
		path := c.path(c.digest(file))
		if err := errors.Join(os.Remove(path), os.Symlink("/dev/null", path)); err != nil {
			t.Fatal(err)
		}
		want = append(want, "unread 1.0.0 "+file)
	}
	defer c.rewrite(t, "large-3", func(b []byte) []byte { return b[1:] })()
	want = append([]string{"size 1.0.0 large-3"}, want...)
	c.wants(t, nil, want...)
	c.wants(t, reading, want...)
	c.now = c.now.Add(time.Millisecond)
	_, found, err := c.run(t, func(o *registry.Check) {
		reading(o)
		o.Store = &unreadableStore{Faulty: c.store, away: true}
	})
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "has not answered for too long") || len(found) < 16 || len(found) > 20 {
		t.Errorf("of a store that is away: %d found, %v", len(found), err)
	}
}

// TestCheckAdopts: adopted bytes stay for the grace period, and then the sweep takes
// them.
func TestCheckAdopts(t *testing.T) {
	c := checkedDisk(t)
	c.stray("stray", 25*time.Hour)(t)
	c.wants(t, func(o *registry.Check) { o.Adopt = true }, "stray mended")
	c.wants(t, nil)
	if n, err := c.Sweep(t.Context(), registry.Grace); err != nil || n.Blobs != 0 {
		t.Errorf("%d swept at once, %v", n.Blobs, err)
	}
	c.now = time.Now().Add(registry.Grace + time.Minute)
	if n, err := c.Sweep(t.Context(), registry.Grace); err != nil || n.Blobs != 2 {
		t.Errorf("%d swept after a day, %v, want them and those of the removed version", n.Blobs, err)
	}
	c.wants(t, reading)
}

// TestCheckMends: each damage of bytes is mended from another store, and from none that
// has wrong bytes itself.
func TestCheckMends(t *testing.T) { onEachChecked(t, testCheckMends) }

func testCheckMends(t *testing.T, c *checked) {
	from := func(source any) func(*registry.Check) { return c.mendingFrom(source.(blob.Source)) }
	empty := openDisk(t)
	for _, d := range c.damages() {
		if c.remote && !d.remote() {
			continue // it is of the database
		}
		if d.name != "a row of another size" && !slices.ContainsFunc(d.read, func(f string) bool {
			return !strings.HasPrefix(f, "record") && !strings.HasPrefix(f, "uses") && f != "stray"
		}) {
			continue // there are no bytes to mend
		}
		t.Run(d.name, func(t *testing.T) {
			undo := d.do(t)
			var refused, mended, left []string
			for _, f := range d.read {
				switch kind, _, _ := strings.Cut(f, " "); kind {
				case "missing", "size", "wrong":
					refused, mended = append(refused, f+" not mended: it has no such bytes"), append(mended, f+" mended")
				default:
					refused, mended, left = append(refused, f), append(mended, f), append(left, f)
				}
			}
			c.wants(t, from(empty), refused...)
			c.wants(t, from(c.copies), mended...)
			if len(refused) != len(left) || !c.remote {
				c.wants(t, reading, left...)
			}
			undo()
		})
	}
	defer c.rewrite(t, "large-3", func(b []byte) []byte { b[7]++; return b })()
	c.wants(t, from(c.store), "wrong 1.0.0 large-3 not mended: its bytes are damaged, too")
	if got, err := c.read(t.Context(), at("large-7")); err != nil || len(got) != c.bodies["large-7"] {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
