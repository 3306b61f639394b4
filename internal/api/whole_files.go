package api

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"strings"
	"time"

	"granary/internal/archive"
	"granary/internal/fault"
	"granary/internal/registry"
)

// wholeFile is a kind of file that is made of a whole version. Its name begins with @, as
// no published file's does.
type wholeFile struct {
	contentType string
	extension   string // of the name under which it is saved
	send        func(*call, packed) error
}

const sumsExtension = ".SHA256SUMS"

// wholeFileOf is the kind that an address names; nil for none. The last two are of later
// versions of granary: they are no files of a package either.
func wholeFileOf(raw registry.Raw) *wholeFile {
	if raw.Dir != "" {
		return nil
	}
	switch raw.File {
	case "@SHA256SUMS":
		return &wholeFile{"text/plain; charset=utf-8", sumsExtension, sendSums}
	case "@all.tar":
		return &wholeFile{"application/x-tar", ".tar", sendTar}
	case "@all.zip":
		return &wholeFile{"application/zip", ".zip", sendZip}
	case "@all.tar.zst":
		return &wholeFile{"application/zstd", ".tar.zst", sendZstd}
	case "@version.tlog-proof", "@release.intoto.json":
		return &wholeFile{send: func(*call, packed) error { return fault.New(fault.Absent, "") }}
	}
	return nil
}

// packed is a version that is sent as one file.
type packed struct {
	registry.WholeVersion
	kind *wholeFile
	at   string // the exact address of the file
}

// sendWhole answers with a file that is made of a whole version.
func (c *call) sendWhole(kind *wholeFile) error {
	v, err := c.findVersion()
	if err != nil {
		return err
	}
	if len(v.Files) == 0 {
		return fault.New(fault.Absent, "404 Not Found - "+string(v.Name)+" "+string(v.Version)+" has no files")
	}
	c.noteDownload(registry.File{PackageID: v.ID, Draft: v.Status == registry.StatusDraft, Yanked: v.YankedAt != nil})
	return kind.send(c, packed{v, kind, c.versionURL(v.PackageVersion) + "/" + c.raw.File})
}

// opener opens the files of a version, which are being packed.
func (c *call) opener(p packed) archive.Opener {
	return c.s.Registry.OpenEach(c.r.Context(), p.WholeVersion, false)
}

// sendSums answers with the manifest.
func sendSums(c *call, p packed) error {
	text := p.Manifest()
	return c.sendRanges(p, sha256.Sum256(text), int64(len(text)), bytes.NewReader(text))
}

// sendTar answers with a tar of all files.
func sendTar(c *call, p packed) error {
	tar, err := archive.NewTar(p.Entries(), c.opener(p))
	if err != nil {
		return err
	}
	defer func() { _ = tar.Close() }() // it was only read
	return c.sendRanges(p, p.PackedDigest("tar"), tar.Size(), tar)
}

// sendZip answers with a zip of all files, which begins with their CRC-32.
func sendZip(c *call, p packed) error {
	if err := c.s.Registry.Sum(c.r.Context(), p.WholeVersion); err != nil {
		return err
	}
	zip, err := archive.NewZip(p.Entries(), c.opener(p))
	if err != nil {
		return err
	}
	defer func() { _ = zip.Close() }() // it was only read
	return c.sendRanges(p, p.PackedDigest("zip"), zip.Size(), zip)
}

// sendRanges answers with a whole file of known bytes, or parts of it.
func (c *call) sendRanges(p packed, digest registry.Digest, size int64, content io.ReadSeeker) error {
	tag := `"` + digest.String() + `"`
	if p.Selected {
		if err := c.underSelector(tag, string(p.Version), p.at, p.at, func() bool { return !matches(c.r, tag) }); err != nil {
			return err
		}
	}
	c.wholeHeaders(p, tag)
	serveContent(c.w, c.r, time.Time{}, size, content)
	return nil
}

// sendStream answers with a whole file whose bytes are not known before they are sent.
// Precondition if the client continues a download: some clients add the end of a whole
// answer to the part that they have.
func (c *call) sendStream(p packed, write func(io.Writer) error) error {
	tag := `W/"` + p.PackedDigest(p.kind.extension).String() + `"`
	if p.Selected {
		if err := c.underSelector(tag, string(p.Version), p.at, "", func() bool { return !matches(c.r, tag) }); err != nil {
			return err
		}
	} else if set := byteRange(c.r); set != "" && set != "0-" && c.r.Header.Get("If-Range") == "" && !matches(c.r, tag) {
		return fault.New(fault.Precondition, c.raw.File+" is made while it is sent and cannot be continued; start over, or ask for @all.tar")
	}
	c.wholeHeaders(p, tag)
	h := c.w.Header()
	h["Accept-Ranges"] = []string{"none"}
	if lines := c.r.Header["If-Match"]; len(lines) > 0 && lines[0] != "*" { // the comparison is strong
		c.w.WriteHeader(http.StatusPreconditionFailed)
		return nil
	}
	if matches(c.r, tag) {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	if err := write(c.w); err != nil {
		c.s.Note(c.r.Context(), err)
		panic(http.ErrAbortHandler) // the client must not take a part for the whole
	}
	return nil
}

// matches reports whether If-None-Match has the tag; the comparison is weak.
func matches(r *http.Request, tag string) bool {
	lines, strong := r.Header["If-None-Match"], strings.TrimPrefix(tag, "W/")
	return len(lines) > 0 && (lines[0] == "*" || names(lines, strong) || names(lines, "W/"+strong))
}

// wholeHeaders sets the headers of a file that is made of a version.
func (c *call) wholeHeaders(p packed, tag string) {
	h := c.w.Header()
	contentHeaders(h, registry.File{
		Name: registry.FileName(string(p.Name) + "-" + string(p.Version) + p.kind.extension), Public: p.Public,
	}, p.kind.contentType)
	h["Etag"] = []string{tag}
	h.Del("X-Checksum-Sha256")
	if p.kind.extension == sumsExtension { // its digest is the version's
		h["X-Checksum-Sha256"] = []string{strings.Trim(tag, `"`)}
	}
}
