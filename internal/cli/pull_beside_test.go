package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"granary/internal/client"
	"granary/internal/eventually"
)

// besides is a server whose files hold their version, and which lets nobody have one of
// version 1 before it is told.
type besides struct {
	*httptest.Server
	asked, answer chan struct{}
}

func newBesides(t *testing.T) besides {
	t.Helper()
	b := besides{asked: make(chan struct{}, 8), answer: make(chan struct{})}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		version := strings.Split(r.URL.Path, "/")[8]
		if version == "1" {
			b.asked <- struct{}{}
			select {
			case <-b.answer:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, version)
	}))
	t.Cleanup(b.Close)
	return b
}

// pull is one of a version of two files into a directory.
func (b besides) pull(t *testing.T, dir, version string, told io.Writer) (*pull, []pulled) {
	t.Helper()
	c, err := client.New(client.Config{Server: b.URL})
	if err != nil {
		t.Fatal(err)
	}
	p := &pull{dir: dir, jobs: 2, client: c, at: client.Coordinates{Project: "p", Name: "tool", Version: version}}
	p.env = Env{Stdout: io.Discard, Stderr: told}
	var files []pulled
	for _, name := range []string{"a", "b"} {
		files = append(files, newPulled(client.File{Path: name, Size: 1, SHA256: sumOfText(t, version)}))
	}
	return p, files
}

// told is what two goroutines may write to and read.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *told) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *told) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// Of two pulls into one directory the second waits, says so, and then leaves its own
// version whole; one that is interrupted while it waits leaves all as it was.
func TestPullBesideAPull(t *testing.T) {
	b, dir := newBesides(t), t.TempDir()
	first, firstFiles := b.pull(t, dir, "1", io.Discard)
	ends := make(chan error, 2)
	go func() { ends <- first.toDirectory(t.Context(), firstFiles) }()
	<-b.asked

	waiting := &told{}
	ended, end := context.WithCancel(t.Context())
	third, thirdFiles := b.pull(t, dir, "3", waiting)
	interrupted := make(chan error, 1)
	go func() { interrupted <- third.toDirectory(ended, thirdFiles) }()
	eventually.Holds(t, "the other tells that it waits", func() bool { return waiting.String() != "" })
	end()
	if err := <-interrupted; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if want := "granary: another pull is running in " + dir + "; waiting for its end\n"; waiting.String() != want {
		t.Errorf("%q, want %q", waiting, want)
	}

	second, secondFiles := b.pull(t, dir, "2", io.Discard)
	go func() { ends <- second.toDirectory(t.Context(), secondFiles) }()
	close(b.answer)
	for range 2 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"a", "b"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != "2" {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	list, err := second.readPullList(root)
	if err != nil || len(list.Files) != 2 || list.Files[0].SHA256 != sumOfText(t, "2") {
		t.Error(list, err)
	}
	if _, err := root.Lstat(client.PullLock); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the lock stays", err)
	}
}

// Where no lock can be had a pull installs all the same, keeps no list, and prunes
// nothing, for nobody knows what another one needs.
func TestPullWithoutALock(t *testing.T) {
	b, dir := newBesides(t), t.TempDir()
	earlier, files := b.pull(t, dir, "2", io.Discard)
	if err := earlier.toDirectory(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, client.PullLock), 0o777); err != nil {
		t.Fatal(err)
	}
	said := &told{}
	p, files := b.pull(t, dir, "3", said)
	if err := p.toDirectory(t.Context(), files[:1]); err != nil || !strings.HasPrefix(said.String(), "granary: the list of pulled files cannot be written in "+dir) {
		t.Errorf("%v %q", err, said)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "a")); err != nil || string(got) != "3" {
		t.Errorf("%q %v", got, err)
	}
	p, files = b.pull(t, dir, "2", io.Discard)
	p.pruning, p.yes, p.listed = true, true, []client.File{files[0].file}
	err := p.toDirectory(t.Context(), files[:1])
	if err == nil || !strings.Contains(err.Error(), "\nthe package is installed; some files of older versions") {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "b")); err != nil {
		t.Error("it is pruned", err)
	}
}
