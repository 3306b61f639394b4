package api_test

import (
	"archive/tar"
	"archive/zip"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"granary/internal/api"
	"granary/internal/throttle"
)

// packedFiles publishes files of all kinds of sizes in a version, and returns them by path.
func (s *server) packedFiles(p string) map[string]string {
	s.t.Helper()
	files := map[string]string{
		"small": "four", "empty": "", "dir/below it/f~g": "in a directory", strings.Repeat("n", 120): "a long name",
		"medium": numbered(10_000), "large": numbered(300_000),
	}
	for path, body := range files {
		s.root("PUT", generic(p, "app/1.0.0/"+strings.ReplaceAll(path, " ", "%20")), body).is(s.t, 201, created)
	}
	s.root("PUT", generic(p, "app/1.0.0/small"), "newer").is(s.t, 201, created)
	files["small"] = "newer"
	return files
}

func untar(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err != nil || h.Mode != 0o644 {
			t.Fatalf("%s: %v, mode %o", h.Name, err, h.Mode)
		}
		files[h.Name] = string(body)
	}
}

func unzip(t *testing.T, body string) map[string]string {
	t.Helper()
	in, err := zip.NewReader(strings.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range in.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		files[f.Name] = string(all)
	}
	return files
}

func wantFiles(t *testing.T, kind string, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s has %q, want %q", kind, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// TestArchives: each kind has the newest file of each path; those of known bytes have
// ranges, and are found unchanged.
func TestArchives(t *testing.T) { onEachStore(t, testArchives) }

func testArchives(t *testing.T, s *server) {
	p := s.projectID(s.relaxed("tool"))
	files := s.packedFiles(p)
	at := generic(p, "app/1.0.0/")
	var sums strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256([]byte(files[path])), path)
	}
	listing := s.root("GET", at+"@SHA256SUMS", nil)
	listing.header(t, fmt.Sprintf("X-Checksum-SHA256: %x", sha256.Sum256([]byte(listing.body))), "Content-Type: text/plain; charset=utf-8").is(t, 200, sums.String())
	packed := s.root("GET", at+"@all.tar", nil)
	wantFiles(t, "tar", untar(t, strings.NewReader(packed.body)), files)
	zipped := s.root("GET", at+"@all.zip", nil)
	wantFiles(t, "zip", unzip(t, zipped.body), files)
	for kind, whole := range map[string]answer{"@SHA256SUMS": listing, "@all.tar": packed, "@all.zip": zipped} {
		tag := whole.Header.Get("ETag")
		s.root("HEAD", at+kind, nil).header(t, "ETag: "+tag, fmt.Sprint("Content-Length: ", len(whole.body)), "Accept-Ranges: bytes",
			"Content-Disposition: "+whole.Header.Get("Content-Disposition")).is(t, 200, "")
		s.do("GET", at+kind, nil, "PRIVATE-TOKEN: "+rootToken, "If-None-Match: "+tag).is(t, 304, "")
		size := len(whole.body)
		for _, cut := range [][2]int{{0, 1}, {0, size}, {1, size / 2}, {size / 3, size / 2}, {size - 1, size}, {size - size/3, size}, {510, min(1025, size)}} {
			s.do("GET", at+kind, nil, "PRIVATE-TOKEN: "+rootToken, fmt.Sprintf("Range: bytes=%d-%d", cut[0], cut[1]-1)).is(t, 206, whole.body[cut[0]:cut[1]])
		}
		s.do("GET", at+kind, nil, "PRIVATE-TOKEN: "+rootToken, fmt.Sprintf("Range: bytes=%d-", size)).status(t, 416)
	}
	compressed := s.root("GET", at+"@all.tar.zst", nil)
	compressed.header(t, "Accept-Ranges: none", "Content-Length:", "Content-Type: application/zstd").status(t, 200)
	in, err := zstd.NewReader(strings.NewReader(compressed.body))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	wantFiles(t, "tar.zst", untar(t, in), files)
	tag := compressed.Header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) {
		t.Errorf("ETag %s, want a weak one", tag)
	}
	s.do("GET", at+"@all.tar.zst", nil, "PRIVATE-TOKEN: "+rootToken, "If-None-Match: "+tag).is(t, 304, "")
	s.root("HEAD", at+"@all.tar.zst", nil).header(t, "ETag: "+tag, "Accept-Ranges: none").is(t, 200, "")

	s.root("PUT", at+"more", "x").is(t, 201, created)
	for kind, before := range map[string]string{"@SHA256SUMS": listing.Header.Get("ETag"), "@all.tar": packed.Header.Get("ETag"), "@all.zip": zipped.Header.Get("ETag"), "@all.tar.zst": tag} {
		if now := s.root("HEAD", at+kind, nil).Header.Get("ETag"); now == before || now == "" {
			t.Errorf("%s has ETag %s after a file came", kind, now)
		}
	}
}

// TestNamesOfLaterVersions: what begins with @ is no file, and PUT to it stays refused.
func TestNamesOfLaterVersions(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	s.versionsIn(p, "app", "1.0.0")
	for _, name := range []string{"@all.tar", "@all.zip", "@all.tar.zst", "@SHA256SUMS", "@version.tlog-proof", "@release.intoto.json", "@other"} {
		s.root("PUT", generic(p, "app/1.0.0/"+name), "x").starts(t, 400, "file_name is invalid")
	}
	for name, want := range map[string]int{"@version.tlog-proof": 404, "@release.intoto.json": 404, "@other": 400, "@all.tar.gz": 400, "d/@all.tar": 400, "@all.tar?path=d": 400} {
		s.root("GET", generic(p, "app/1.0.0/"+name), nil).status(t, want)
	}
	s.root("GET", generic(p, "app/2.0.0/@all.tar"), nil).is(t, 404, `{"message":"404 Not Found - there is no app 2.0.0"}`)
	file := itoa(ask[int64](s, `SELECT id FROM package_files`))
	pkg := itoa(ask[int64](s, `SELECT id FROM packages`))
	s.root("DELETE", v4+"/projects/"+p+"/packages/"+pkg+"/package_files/"+file, nil).status(t, 204)
	for _, kind := range []string{"@all.tar", "@all.zip", "@all.tar.zst", "@SHA256SUMS"} {
		s.root("GET", generic(p, "app/1.0.0/"+kind), nil).status(t, 404)
	}
}

// TestZipOfOldFiles: the CRC-32 that bytes of older servers lack is computed before the zip
// begins, and kept: its bytes are always the same.
func TestZipOfOldFiles(t *testing.T) { onEachStore(t, testZipOfOldFiles) }

func testZipOfOldFiles(t *testing.T, s *server) {
	p := s.projectID(s.relaxed("tool"))
	files := s.packedFiles(p)
	at := generic(p, "app/1.0.0/@all.zip")
	before := s.root("GET", at, nil)
	s.exec(`UPDATE blobs SET crc32 = NULL WHERE size = 300000 OR size = 5`)
	s.do("GET", at, nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=5-9").is(t, 206, before.body[5:10])
	if n := ask[int](s, `SELECT COUNT(*) FROM blobs WHERE crc32 IS NULL`); n != 0 {
		t.Fatalf("%d without CRC-32", n)
	}
	wantFiles(t, "the zip", unzip(t, before.body), files)
	if got := ask[int64](s, `SELECT crc32 FROM blobs WHERE size = 300000`); uint32(got) != crc32.ChecksumIEEE([]byte(files["large"])) {
		t.Errorf("CRC-32 %x is kept", got)
	}
	after := s.root("GET", at, nil)
	if after.body != before.body || after.Header.Get("ETag") != before.Header.Get("ETag") || after.ContentLength != int64(len(before.body)) {
		t.Errorf("%d bytes, %v; before %d bytes, %v", len(after.body), after.Header, len(before.body), before.Header)
	}
}

// TestCompression: archives of one client that are compressed take a part of the memory
// only, and one whose client reads nothing lets others be compressed.
func TestCompression(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "public"))
	s.versionsIn(p, "app", "1.0.0")
	at := generic(p, "app/latest/@all.tar.zst")
	s.api.Compression, s.api.AnswerWait = throttle.NewBudget(api.CompressionMemory, api.CompressionEach), time.Millisecond
	anonymous := throttle.Address(netip.MustParseAddr(clientAddress))
	if err := s.api.Compression.Take(t.Context(), anonymous, api.CompressionEach); err != nil {
		t.Fatal(err)
	}
	s.do("GET", at, nil).header(t, "Retry-After: 5", "ETag:").starts(t, 503, "503 Service Unavailable")
	s.do("HEAD", at, nil).status(t, 200)
	s.do("GET", generic(p, "app/latest/@all.tar"), nil).status(t, 200)
	s.root("GET", at, nil).status(t, 200)
	s.api.Compression.Give(anonymous, api.CompressionEach)
	s.do("GET", at, nil).status(t, 200)
}

// TestOutOfTurn: while an archive is written to its client, it holds no turn.
func TestOutOfTurn(t *testing.T) {
	turns := make(chan struct{}, 1)
	turns <- struct{}{}
	w := api.OutOfTurn(writerFunc(func(p []byte) (int, error) { return len(p) + len(turns), nil }), turns)
	if n, err := w.Write([]byte("abc")); n != 3 || err != nil || len(turns) != 1 {
		t.Errorf("%d, %v, %d turns", n, err, len(turns))
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
