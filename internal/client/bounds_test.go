package client_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/client"
)

// endless answers without a length, and goes on until nobody listens.
func endless(w http.ResponseWriter, sent *atomic.Int64) {
	chunk := bytes.Repeat([]byte("x"), 1<<10)
	for {
		n, err := w.Write(chunk)
		sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// A body that goes on behind the size in the list is cut with its first byte too
// many, and nothing of it stays: small files and large ones, with a length and
// without.
func TestDownloadLongerThanListed(t *testing.T) {
	for _, size := range []int64{0, 10, 5 << 20} {
		for _, length := range []bool{true, false} {
			var sent atomic.Int64
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if length {
					w.Header().Set("Content-Length", strconv.FormatInt(1<<40, 10))
				}
				endless(w, &sent)
			})
			d, dir := download(t, &store{})
			d.File.Size, d.File.SHA256 = size, sumOf(make([]byte, size))
			_, err := c.Download(t.Context(), d)
			if client.KindOf(err) != client.Damaged {
				t.Errorf("%d bytes, length %v: %v", size, length, err)
			}
			if got := sent.Load(); got > size+64<<20 { // what the sockets hold
				t.Errorf("%d bytes, length %v: %d were sent", size, length, got)
			}
			if left, _ := os.ReadDir(filepath.Join(dir, "dir")); len(left) > 0 {
				t.Errorf("%d bytes: left behind: %v", size, left)
			}
		}
	}
}

// A body that ends with the size in the list, though nobody told its length, is
// whole.
func TestCopyWithoutLength(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "four")
	})
	for size, fails := range map[int64]bool{4: false, 3: true, -1: false} {
		var got bytes.Buffer
		_, err := c.Copy(t.Context(), file(), client.File{Size: size}, &got, nil)
		if (client.KindOf(err) == client.Damaged) != fails || !fails && got.String() != "four" {
			t.Errorf("%d bytes: %q %v", size, got.String(), err)
		}
	}
}

// What came before a broken connection and what comes after it are joined only if
// something shows that both are of one file.
func TestPartsAreOfOneFile(t *testing.T) {
	for name, said := range map[string]func(http.Header){
		"nothing": func(http.Header) {},
		"digest":  func(h http.Header) { h.Set("X-Checksum-SHA256", sumOf([]byte("AAAABBBB"))) },
		"tag":     func(h http.Header) { h.Set("ETag", `"x"`) },
	} {
		asked := 0
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			said(w.Header())
			if asked > 1 {
				w.Header().Set("Content-Range", "bytes 4-7/8")
				w.WriteHeader(http.StatusPartialContent)
				_, _ = io.WriteString(w, "BBBB")
				return
			}
			w.Header().Set("Content-Length", "8")
			_, _ = io.WriteString(w, "AAAA")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
		var got bytes.Buffer
		_, err := c.Copy(t.Context(), file(), client.File{Size: 8}, &got, nil)
		if (err != nil) != (name == "nothing") || err != nil && (asked != 1 || !strings.Contains(err.Error(), "no digest and no ETag")) {
			t.Errorf("%s: asked %d times, %q %v", name, asked, got.String(), err)
		}
	}
}

// All transfers of a client share its rate.
func TestLimitRate(t *testing.T) {
	data := randomBytes(300 << 10)
	s := &store{data: data}
	server := httptest.NewServer(s)
	defer server.Close()
	c := newClient(t, client.Config{Server: server.URL, Rate: 1 << 20})
	begun := time.Now()
	for range 2 {
		var got bytes.Buffer
		if _, err := c.Copy(t.Context(), file(), client.File{Size: -1}, &got, nil); err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Fatal(err)
		}
	}
	if took, least := time.Since(begun), 600*time.Second/1024; took < least {
		t.Errorf("600 KiB at 1 MiB/s took %v, want at least %v", took, least)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Copy(ctx, file(), client.File{Size: -1}, io.Discard, nil); err == nil || ctx.Err() == nil {
		t.Errorf("it does not end with its context: %v", err)
	}
}

// Only names that a download makes are taken for its own.
func TestIsOwn(t *testing.T) {
	for name, want := range map[string]bool{
		".a.granary-0123456789abcdef.part":           true,
		"lib/.a b.txt.granary-ABCDEFGHIJKLMN23.part": true,
		client.PullListName("tool-0a"):               true,
		"x/" + client.PullListName("tool-0a"):        true,
		"a.granary-0123456789abcdef.part":            false,
		".a.part":                                    false,
		".a.granary-0123456789abcdeg.part":           false,
		".a.granary-0123456789ABCDEF.part":           false,
		".granary-0123456789abcdef.part":             false,
		".scan.2026112907300001.part":                false,
		".a.granary0123456789abcdef.part":            false,
		"part":                                       false,
		"":                                           false,
		".part":                                      false,
		".a.granary-0123456789abcdef.part/file":      false,
		".granary-pull":                              false,
		client.PullLock:                              true,
	} {
		if got := client.IsOwn(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A sweep takes what a killed download left, and leaves what a later download takes
// up, and what only looks alike.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	const mine, scan, taken, whole, dead = "mine.part", ".scan.2026112907300001.part", ".big.granary-1111111111111111.part", ".listed.granary-2222222222222222.part", ".dead.granary-ABCDEFGHIJKLMN23.part"
	for _, name := range []string{mine, scan, taken, whole, dead} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".dir.granary-0000000000000000.part"), 0o777); err != nil {
		t.Fatal(err)
	}
	keep := []client.File{{Path: "big", SHA256: strings.Repeat("1", 64)}, {Path: whole}}
	if gone, err := client.Sweep(root, ".", keep); !slices.Equal(gone, []string{dead}) || err != nil {
		t.Errorf("%q removed, %v", gone, err)
	}
	var left []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{taken, ".dir.granary-0000000000000000.part", whole, scan, mine}; !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
	if gone, err := client.Sweep(root, "nowhere", keep); len(gone) != 0 || err != nil {
		t.Errorf("%q removed, %v", gone, err)
	}
}

// A sweep leaves what a download holds right now, small or large.
func TestSweepLeavesWhatIsHeld(t *testing.T) {
	for _, size := range []int{10, 5 << 20} {
		begun, swept := make(chan struct{}, 1), make(chan struct{})
		s := &store{data: randomBytes(size)}
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			begun <- struct{}{}
			<-swept
			s.ServeHTTP(w, r)
		})
		d, dir := download(t, s)
		ended := make(chan error, 1)
		go func() {
			_, err := c.Download(t.Context(), d)
			ended <- err
		}()
		<-begun
		gone, err := client.Sweep(d.Root, "dir", nil)
		close(swept)
		if len(gone) != 0 || err != nil {
			t.Errorf("%d bytes: %q removed, %v", size, gone, err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		holds(t, dir, s.data)
	}
}

// Downloads and sweeps of one directory at once do not harm each other.
func TestSweepBesideDownloads(t *testing.T) {
	s := &store{data: randomBytes(10 << 10)}
	c := serve(t, s.ServeHTTP)
	d, dir := download(t, s)
	if err := d.Root.Mkdir("dir", 0o777); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	swept := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				swept <- nil
				return
			default:
			}
			if _, err := client.Sweep(d.Root, "dir", nil); err != nil {
				swept <- err
				return
			}
		}
	}()
	for range 100 {
		if verified, err := c.Download(t.Context(), d); err != nil || !verified {
			t.Error(verified, err)
		}
	}
	close(stop)
	if err := <-swept; err != nil {
		t.Error(err)
	}
	holds(t, dir, s.data)
}
