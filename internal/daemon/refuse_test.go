package daemon

import (
	"database/sql"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"granary/internal/metadb"
	"granary/internal/sqldb"
)

// refused is why the server does not start.
func refused(t *testing.T, args ...string) string {
	t.Helper()
	return refusedIn(t, nil, args...)
}

// refusedIn is refused with more settings from the environment.
func refusedIn(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	cfg, err := settings(environ, append([]string{"--listen=127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err = Run(t.Context(), cfg, "test", io.Discard, io.Discard); err == nil {
		t.Fatalf("%q: the server ran and ended", args)
	}
	return err.Error()
}

// Where another server is at work a second one says so and touches nothing,
// whichever of its places they would share and by whatever name.
func TestSecondServer(t *testing.T) {
	dir := t.TempDir()
	first := filepath.Join(dir, "first")
	url, stop := serveHere(t, []string{asRoot}, "--data-dir="+first)
	defer stop()
	for name, target := range map[string]string{"link": first, "link.db": filepath.Join(first, "granary.db")} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name  string
		args  []string
		names string // the directory it names
		flag  string // that chooses another
	}{
		{"data directory", []string{"--data-dir=" + first}, first, "--data-dir"},
		{"data directory through a link", []string{"--data-dir=" + dir + "/link"}, dir + "/link", "--data-dir"},
		{"database", []string{"--data-dir=" + dir + "/other", "--database=sqlite:" + first + "/granary.db"}, first, "--database"},
		{"database through a link", []string{"--data-dir=" + dir + "/other", "--database=sqlite:" + dir + "/link.db"}, first, "--database"},
		{"blobs", []string{"--data-dir=" + dir + "/other", "--blobs=file:" + first + "/blobs"}, first + "/blobs", "--blobs"},
	}
	for _, tt := range tests {
		got := refused(t, tt.args...)
		if !strings.HasPrefix(got, "another granary (process ") || !strings.HasSuffix(got, ") is running on "+tt.names+"; stop it, or choose another "+tt.flag) {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
	if resp, body := ask(t, "PUT", url+demoFiles+"a/1.0.0/a", strings.NewReader("a")); resp.StatusCode != 201 {
		t.Errorf("the first server: %s %s", resp.Status, body)
	}
}

// One server may reach its places by different names.
func TestOwnPlacesThroughLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	_, stop := serveHere(t, nil, "--data-dir="+dir, "--database=sqlite:"+dir+"/link/granary.db", "--blobs=file:"+dir+"/link/blobs")
	stop()
}

// Where the address is taken nothing is created.
func TestAddressTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	data := filepath.Join(t.TempDir(), "data")
	got := refused(t, "--listen="+ln.Addr().String(), "--data-dir="+data)
	want := "cannot listen on " + ln.Addr().String() + ": address already in use; is another server running there? --listen chooses another address"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("%s is there: %v", data, err)
	}
}

// The address of the profiles is another one that may be taken.
func TestProfilesAddressTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	data := filepath.Join(t.TempDir(), "data")
	got := refused(t, "--pprof-listen="+ln.Addr().String(), "--data-dir="+data)
	if !strings.HasSuffix(got, "address already in use; --pprof-listen chooses another address") {
		t.Error(got)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("%s is there: %v", data, err)
	}
}

// What is no data directory is refused in words that name it.
func TestBadDataDirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ data, want string }{
		{file, "cannot make the directory " + file + ": not a directory; --data-dir chooses another directory"},
		{file + "/below", "cannot make the directory " + file + "/below: not a directory; --data-dir chooses another directory"},
	} {
		if got := refused(t, "--data-dir="+tt.data); got != tt.want {
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
	if got := refused(t, "--data-dir="+dir, "--blobs=file:"+file); !strings.Contains(got, file+": not a directory") {
		t.Error(got)
	}
	if err := os.Mkdir(filepath.Join(dir, "granary.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := refused(t, "--data-dir="+dir); !strings.HasPrefix(got, "cannot open the database "+dir+"/granary.db: ") || !strings.HasSuffix(got, "is a directory") {
		t.Error(got)
	}
}

// Neither does a server start where its user may not write or read. Root may
// always, so the server runs as somebody else.
func TestDataDirectoryOfSomebodyElse(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // it belongs to this test too
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{"readonly": 0o555, "closed": 0, "readable": 0o777} {
		if err := os.Mkdir(filepath.Join(dir, path), 0o700); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Chmod(filepath.Join(dir, path), 0o700) }() // to be removed
		if path == "readable" {
			if err := os.WriteFile(filepath.Join(dir, path, "granary.db"), nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Join(dir, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ data, want string }{
		{"readonly", "cannot write to the directory DIR/readonly: permission denied; "},
		{"readonly/new", "cannot make the directory DIR/readonly/new: permission denied; "},
		{"closed", "cannot write to the directory DIR/closed: permission denied; "},
		{"closed/new", "cannot make the directory DIR/closed/new: permission denied; "},
		{"readable", "cannot open the database DIR/readable/granary.db: open DIR/readable/granary.db: permission denied"},
	} {
		got := refusedTo(t, "--listen=127.0.0.1:0", "--data-dir="+filepath.Join(dir, tt.data))
		if want := strings.ReplaceAll(tt.want, "DIR", dir); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s\nwant %s...", tt.data, got, want)
		}
	}
}

// refusedTo is refused for a user without privileges.
func refusedTo(t *testing.T, args ...string) string {
	t.Helper()
	program, err := os.Open("/proc/self/exe") // whose own folder may be closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	cmd := exec.CommandContext(t.Context(), "/proc/self/fd/3", args...)
	cmd.ExtraFiles = []*os.File{program}
	cmd.Dir = "/"
	cmd.Env = bare(asServer + "=1")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("%q: %v\n%s", args, err, stderr.String())
	}
	return stderr.String()
}

// A database that is none, is damaged, or comes from a newer granary is left
// alone, and it is said what to do.
func TestBadDatabase(t *testing.T) {
	good := t.TempDir()
	_, stop := serveHere(t, nil, "--data-dir="+good)
	stop()
	text, err := os.ReadFile(filepath.Join(good, "granary.db"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := []byte(strings.Repeat("x", len(text)))
	copy(damaged, text[:4096])
	for _, tt := range []struct {
		name, content, want string
	}{
		{"none", strings.Repeat("this is no database\n", 500), "is not a database"},
		{"damaged", string(damaged), "malformed"},
		{"cut short", string(text[:len(text)/2]), "malformed"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "granary.db")
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		for store, way := range map[string]string{filepath.Join(dir, "blobs"): WayBack(false), filepath.Join(good, "blobs"): WayBack(true)} {
			got := refused(t, "--data-dir="+dir, "--blobs=file:"+store)
			if !strings.HasPrefix(got, "cannot open the database "+path+": ") || !strings.Contains(got, tt.want) || !strings.Contains(got, "; nothing was changed; move its file away") || !strings.Contains(got, way) {
				t.Errorf("%s: %s", tt.name, got)
			}
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != tt.content {
			t.Errorf("%s: the file was changed (%v)", tt.name, err)
		}
	}
}

func TestNewerDatabase(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "granary.db")
	db, err := metadb.OpenSQLite(t.Context(), path, sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	got := refused(t, "--data-dir="+dir)
	if !strings.HasPrefix(got, "cannot open the database "+path+": it has schema version 9999, newer than the ") {
		t.Error(got)
	}
}
