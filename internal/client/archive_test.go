package client_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/archive"
	"granary/internal/client"
)

// content is the files of a version in an archive.
type content map[string]string

func (c content) entries() (entries []archive.Entry, open archive.Opener) {
	for path, text := range c {
		entries = append(entries, archive.Entry{Path: path, Size: int64(len(text)), CRC32: crc32.ChecksumIEEE([]byte(text)), Changed: time.Unix(1e9, 0)})
	}
	return entries, func(i int) (io.ReadSeekCloser, error) {
		return struct {
			io.ReadSeeker
			io.Closer
		}{strings.NewReader(c[entries[i].Path]), io.NopCloser(nil)}, nil
	}
}

// pack makes the archive as the server does.
func (c content) pack(t *testing.T, format string) []byte {
	t.Helper()
	entries, open := c.entries()
	made, err := archive.NewTar(entries, open)
	if format == client.FormatZip {
		made, err = archive.NewZip(entries, open)
	}
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if format == client.FormatZst {
		err = archive.StreamZstd(&b, made)
	} else {
		_, err = io.Copy(&b, made)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (c content) files() (files []client.File) {
	for path, text := range c {
		files = append(files, client.File{Path: path, Size: int64(len(text)), SHA256: sumOf([]byte(text))})
	}
	return files
}

func whole() content {
	return content{"a": "", "dir/" + strings.Repeat("long", 60): "b", "ü": strings.Repeat("0123456789", 100_000)}
}

func archived(format string, of content) client.Archive {
	return client.Archive{Coordinates: client.Coordinates{Project: "7", Name: "tool", Version: "1.0.0"}, Format: format, Files: of.files(), Progress: func(int64) {}}
}

// What arrives is compared with the version's files; what differs does not pass for the
// whole, and is put in no file.
func TestArchives(t *testing.T) {
	changed, more, less, longer := whole(), whole(), whole(), whole()
	changed["ü"] = strings.Repeat("0123456789", 99_999) + "012345678x"
	more["b"] = "more"
	delete(less, "a")
	longer["a"] = "longer"
	for _, format := range []string{client.FormatTar, client.FormatZst, client.FormatZip} {
		for _, tt := range []struct {
			there content
			want  string // words of the error
		}{
			{whole(), ""},
			{changed, "ü has SHA-256 "},
			{more, `has a file "b" that the version has not`},
			{less, "lacks a"},
			{longer, "has 6 bytes of a, want 0"},
		} {
			packed := tt.there.pack(t, format)
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if want := "/api/v4/projects/7/packages/generic/tool/1.0.0/@all." + format; r.URL.Path != want {
					t.Errorf("asked for %s", r.URL.Path)
				}
				_, _ = w.Write(packed)
			})
			a := archived(format, whole())
			fits := func(err error) bool {
				return tt.want == "" && err == nil || err != nil && client.KindOf(err) == client.Damaged && strings.Contains(err.Error(), tt.want)
			}
			var out bytes.Buffer
			if err := c.StreamArchive(t.Context(), a, &out); format != client.FormatZip && !fits(err) || err == nil && !bytes.Equal(out.Bytes(), packed) {
				t.Errorf("%s, %q: %v, %d bytes of %d", format, tt.want, err, out.Len(), len(packed))
			}
			root := openRoot(t, t.TempDir())
			size, err := c.SaveArchive(t.Context(), a, root, "all")
			got, readErr := root.ReadFile("all")
			if !fits(err) || err == nil && (size != int64(len(packed)) || !bytes.Equal(got, packed)) || err != nil && readErr == nil {
				t.Errorf("%s, %q: %v, a file of %d bytes", format, tt.want, err, len(got))
			}
			if entries, err := os.ReadDir(root.Name()); err != nil || len(entries) > 1 || tt.want != "" && len(entries) > 0 {
				t.Errorf("%s, %q: left behind: %v %v", format, tt.want, entries, err)
			}
		}
	}
}

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() }) // it was only read
	return root
}

// What is no file, or no archive, is not taken for one.
func TestStrangeArchives(t *testing.T) {
	var links bytes.Buffer
	w := tar.NewWriter(&links)
	err := w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"})
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	for format, body := range map[string]string{client.FormatTar: links.String(), client.FormatZst: "no zstd", client.FormatZip: "no zip"} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		if _, err := c.SaveArchive(t.Context(), archived(format, content{"a": ""}), openRoot(t, t.TempDir()), "all"); client.KindOf(err) != client.Damaged {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// A tar goes on where the connection broke. A stream that cannot go on is begun again if
// it goes to a file, and is an error if half of it is out.
func TestArchiveThatBreaks(t *testing.T) {
	for _, format := range []string{client.FormatTar, client.FormatZst} {
		packed := whole().pack(t, format)
		var asked atomic.Int64
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			resumes := format == client.FormatTar
			if resumes {
				w.Header().Set("ETag", `"tag"`)
			}
			if asked.Add(1) == 1 {
				if resumes {
					w.Header().Set("Content-Length", strconv.Itoa(len(packed))) // more than comes
				}
				_, _ = w.Write(packed[:len(packed)/2])
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			if resumes {
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(packed))
				return
			}
			_, _ = w.Write(packed)
		})
		root := openRoot(t, t.TempDir())
		_, err := c.SaveArchive(t.Context(), archived(format, whole()), root, "all")
		if got, _ := root.ReadFile("all"); err != nil || !bytes.Equal(got, packed) || asked.Load() != 2 {
			t.Errorf("%s, to a file: %v, %d bytes of %d, %d requests", format, err, len(got), len(packed), asked.Load())
		}
		asked.Store(0)
		var out bytes.Buffer
		err = c.StreamArchive(t.Context(), archived(format, whole()), &out)
		if resumed := err == nil && bytes.Equal(out.Bytes(), packed); resumed != (format == client.FormatTar) {
			t.Errorf("%s, streamed: %v, %d bytes of %d", format, err, out.Len(), len(packed))
		}
	}
}
