package api_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/registry"
)

// TestArchivesOfDamagedFiles: an archive ends where a byte would be wrong or missing, and
// nothing stands in its place.
func TestArchivesOfDamagedFiles(t *testing.T) {
	for where, s := range map[string]*spoiled{"disk": spoiledDisk(t), "s3": spoiledS3(t)} {
		p := s.projectID(s.project("tool", "public"))
		for _, body := range []string{"a", numbered(20_000), numbered(300_000)} {
			s.root("PUT", generic(p, fmt.Sprint("tool/1.0.0/f", len(body))), body).is(t, 201, created)
		}
		s.root("PUT", generic(p, "tool/1.0.0/z"), "the last").is(t, 201, created)
		at := generic(p, "tool/1.0.0/")
		whole := map[string]string{"@all.tar": s.root("GET", at+"@all.tar", nil).body, "@all.zip": s.root("GET", at+"@all.zip", nil).body}
		for _, size := range []int{20_000, 300_000} {
			body := numbered(size)
			d := blob.Digest(sha256.Sum256([]byte(body)))
			for damage, content := range map[blob.Damage][]byte{blob.Missing: nil, blob.OtherSize: []byte(body[1:]), blob.OtherBytes: flipped(body)} {
				s.replace(d, content)
				for kind, right := range whole {
					if where == "disk" && size == 300_000 && damage == blob.OtherBytes {
						continue // as with the file itself: the kernel sends it
					}
					if got, err := s.cut(at + kind); err == nil || len(got) >= len(right) || !strings.HasPrefix(right, got) && (size < 64<<10 || damage != blob.OtherBytes) {
						t.Errorf("%s, %s, %s of %d: %d bytes of %d, %v", where, kind, damage, size, len(got), len(right), err)
					}
					s.saw(t, damage, fmt.Sprint("f", size))
				}
				s.exec(`UPDATE blobs SET crc32 = NULL WHERE size = $1`, size)
				s.root("GET", at+"@all.zip", nil).starts(t, 500, "500 Internal Server Error - the bytes of this file are lost or damaged")
				s.saw(t, damage, fmt.Sprint("f", size))
				if where != "disk" || size != 300_000 || damage != blob.OtherBytes {
					if _, err := s.cut(at + "@all.tar.zst"); err == nil {
						t.Errorf("%s, @all.tar.zst, %s of %d: the end came", where, damage, size)
					}
					s.saw(t, damage, fmt.Sprint("f", size))
				}
				if n := ask[int](s.server, `SELECT COUNT(*) FROM blobs WHERE crc32 IS NULL`); n != 1 {
					t.Errorf("a CRC-32 of damaged bytes is kept")
				}
				s.replace(d, []byte(body))
				s.root("GET", at+"@all.zip", nil).status(t, 200) // and keeps the CRC-32
				s.root("GET", at+"@all.zip", nil).is(t, 200, whole["@all.zip"])
			}
		}
	}
}

// cut fetches what may end too early.
func (s *server) cut(at string) (string, error) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+at, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	// On a connection that was used before, the client would ask again.
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return string(got), err
}

// slowly asks over a connection that holds few bytes, and reads none but the header.
func (s *server) slowly(at string) *http.Response {
	s.t.Helper()
	conn := s.dial()
	err := conn.(*net.TCPConn).SetReadBuffer(256 << 10)
	if err == nil {
		_, err = io.WriteString(conn, "GET "+at+" HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 4<<10), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp
}

// TestArchiveOfRemovedVersion: a version that is deleted and purged while it is packed
// stays whole as long as the grace period keeps its bytes, and is cut short after that.
func TestArchiveOfRemovedVersion(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "public"))
	var want bytes.Buffer
	for _, late := range []time.Duration{0, 48 * time.Hour} {
		for i := range 24 {
			s.root("PUT", generic(p, fmt.Sprintf("app/1.0.0/f%02d", i)), fmt.Sprint(late)+strings.Repeat(string(rune('a'+i)), 1<<20-10)).is(t, 201, created)
		}
		want.Reset()
		want.WriteString(s.root("GET", generic(p, "app/1.0.0/@all.tar"), nil).body)
		resp := s.slowly(generic(p, "app/1.0.0/@all.tar"))
		got := make([]byte, 1000)
		if _, err := io.ReadFull(resp.Body, got); err != nil {
			t.Fatal(err)
		}
		s.root("DELETE", generic(p, "app/1.0.0"), nil).status(t, 204)
		s.root("GET", generic(p, "app/1.0.0/@all.tar"), nil).status(t, 404)
		for range 2 { // the first purges: the grace period begins
			swept, err := s.registry.Sweep(t.Context(), registry.Grace)
			if err != nil || swept.Blobs > 0 && late == 0 || s.count("packages") != 0 {
				t.Errorf("%+v, %v; %d packages are left", swept, err, s.count("packages"))
			}
			s.skew += late
		}
		rest, err := io.ReadAll(resp.Body)
		whole := bytes.Equal(append(got, rest...), want.Bytes())
		if late == 0 && (err != nil || !whole) {
			t.Errorf("%d bytes of %d, %v", len(got)+len(rest), want.Len(), err)
		}
		if late != 0 && (err == nil || whole) {
			t.Errorf("%d bytes of %d came, though they were swept", len(got)+len(rest), want.Len())
		}
	}
}
