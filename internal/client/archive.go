package client

import (
	"archive/tar"
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// Formats of archives of a version, as their addresses end.
const (
	FormatTar = "tar"
	FormatZip = "zip"
	FormatZst = "tar.zst"
)

// maxWindow is how much of an archive a .tar.zst may refer back to. Servers use 1 MiB.
const maxWindow = 8 << 20 // bytes

// Archive is an archive of all files of a version.
type Archive struct {
	Coordinates        // without a path
	Files       []File // that the version has
	Format      string
	Progress    func(int64) // bytes that have arrived, negative if they are discarded
}

// StreamArchive writes an archive to w as it arrives. It compares the names, sizes and
// digests of the files in it with those of the version, and ends with Damaged at the
// first difference. A zip is not looked at: its list of files is at its end.
func (c *Client) StreamArchive(ctx context.Context, a Archive, w io.Writer) error {
	at := a.File("@all." + a.Format)
	if a.Format == FormatZip {
		_, err := c.Copy(ctx, at, File{Size: -1}, w, a.Progress)
		return err
	}
	r, in := io.Pipe()
	checked := make(chan error, 1)
	go func() {
		err := a.check(r)
		_ = r.CloseWithError(err) // it never fails
		checked <- err
	}()
	_, err := c.copyPart(ctx, at, part{to: -1, size: -1}, counted{io.MultiWriter(in, w), a.Progress})
	_ = in.CloseWithError(err)
	if wrong := <-checked; wrong != nil && (err == nil || errors.Is(err, wrong)) {
		return wrong
	}
	return err
}

// counted tells how many bytes pass.
type counted struct {
	io.Writer
	progress func(int64)
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.progress(int64(n))
	return n, err
}

// SaveArchive puts an archive in a file below root: whole and checked, also as a zip, or
// not at all.
func (c *Client) SaveArchive(ctx context.Context, a Archive, root *os.Root, name string) (size int64, err error) {
	p, err := newPartial(root, name, 0)
	if err != nil {
		return 0, local(err)
	}
	defer p.close()
	progress := a.Progress
	a.Progress = func(n int64) { size += n; progress(n) }
	for attempt := 0; ; attempt++ {
		err = c.StreamArchive(ctx, a, p.f)
		if _, again := errors.AsType[torn](err); !again || !c.pause(ctx, attempt, err) {
			break
		}
		a.Progress(-size)
		if err = empty(p.f); err != nil {
			break
		}
	}
	if err == nil && a.Format == FormatZip {
		err = a.checkZip(p.f, size)
	}
	if err == nil {
		err = Download{Root: root}.settle(p.f, p.name, name)
	}
	if err != nil {
		_ = root.Remove(p.name) // the error says more
	}
	return size, err
}

// check reads a tar, perhaps compressed, to its end.
func (a Archive) check(r io.Reader) error {
	if a.Format == FormatZst {
		plain, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
		defer plain.Close()
		r = plain
	}
	missing := a.byPath()
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return a.damaged("is no tar: %v", err)
		}
		if err := a.checkFile(missing, h.Name, h.Size, h.Typeflag == tar.TypeReg, in); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // nothing follows, but the sender must not wait
		return a.damaged("is no tar: %v", err)
	}
	return a.complete(missing)
}

// checkZip reads a whole zip.
func (a Archive) checkZip(r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return a.damaged("is no zip: %v", err)
	}
	missing := a.byPath()
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			return a.damaged("cannot be read at %s: %v", f.Name, err)
		}
		err = a.checkFile(missing, f.Name, int64(f.UncompressedSize64), f.Mode().IsRegular(), in) //nolint:gosec // compared with a size
		_ = in.Close()                                                                            // it was only read
		if err != nil {
			return err
		}
	}
	return a.complete(missing)
}

// byPath are the files that have not been seen in the archive.
func (a Archive) byPath() map[string]File {
	files := map[string]File{}
	for _, f := range a.Files {
		files[f.Path] = f
	}
	return files
}

// checkFile compares a file of the archive with the version's.
func (a Archive) checkFile(missing map[string]File, name string, size int64, regular bool, r io.Reader) error {
	want, known := missing[name]
	switch {
	case !known || !regular:
		return a.damaged("has a file %q that the version has not, or has it twice", name)
	case size != want.Size:
		return a.damaged("has %d bytes of %s, want %d", size, name, want.Size)
	}
	delete(missing, name)
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return a.damaged("cannot be read at %s: %v", name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); want.SHA256 != "" && got != want.SHA256 {
		return a.damaged("arrived damaged: %s has SHA-256 %s, want %s", name, got, want.SHA256)
	}
	return nil
}

func (a Archive) complete(missing map[string]File) error {
	for name := range missing {
		return a.damaged("lacks %s", name)
	}
	return nil
}

// damaged is one failure of the archive.
func (a Archive) damaged(format string, args ...any) error {
	return &failure{Damaged, fmt.Errorf("the archive of %s %s %s", a.Name, a.Version, printable(fmt.Sprintf(format, args...)))}
}
