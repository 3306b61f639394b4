package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"granary/internal/api"
	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/blob/s3"
	"granary/internal/blob/s3/s3test"
	"granary/internal/registry"
)

// spoiled is a server whose store is written to behind its back.
type spoiled struct {
	*server
	replace func(d blob.Digest, content []byte) // nil removes the blob

	mu   sync.Mutex
	told []registry.Damage // since it was looked at last
}

func (s *spoiled) listen() *spoiled {
	s.registry.Damaged = func(_ context.Context, d registry.Damage) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.told = append(s.told, d)
	}
	return s
}

func spoiledDisk(t *testing.T) *spoiled {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "blobs")
	store, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &spoiled{server: newServerOn(t, store)}
	s.replace = func(d blob.Digest, content []byte) {
		t.Helper()
		path := filepath.Join(dir, d.String()[:2], d.String())
		err := os.Remove(path)
		if content != nil {
			err = os.WriteFile(path, content, 0o600)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return s.listen()
}

func spoiledS3(t *testing.T) *spoiled {
	t.Helper()
	srv := s3test.Start(t)
	store, err := s3.Open(t.Context(), s3.Config{Bucket: s3test.Bucket, Endpoint: srv.URL, AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	client, err := minio.New(strings.TrimPrefix(srv.URL, "http://"), &minio.Options{Creds: credentials.NewStaticV4(s3test.AccessKeyID, s3test.SecretAccessKey, ""), Region: s3test.Region})
	if err != nil {
		t.Fatal(err)
	}
	s := &spoiled{server: newServerOn(t, store)}
	s.registry.InlineMax, s.registry.Links = 0, store
	s.replace = func(d blob.Digest, content []byte) {
		t.Helper()
		key := d.String()[:2] + "/" + d.String()
		err := client.RemoveObject(t.Context(), s3test.Bucket, key, minio.RemoveObjectOptions{})
		if content != nil {
			_, err = client.PutObject(t.Context(), s3test.Bucket, key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return s.listen()
}

// saw checks what was told since it was looked at last.
func (s *spoiled) saw(t *testing.T, kind blob.Damage, file string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.told) != 1 || s.told[0].Kind != kind || s.told[0].Project != "root/tool" || string(s.told[0].File) != file || s.told[0].Err == nil {
		t.Errorf("told of %+v, want once of %s: %s", s.told, file, kind)
	}
	if file == "f" && len(s.told) == 1 && (s.told[0].Package != "tool" || s.told[0].Version != "1.0.0") {
		t.Errorf("told of %+v", s.told)
	}
	s.told = nil
}

// fileDoors are all addresses of a published file, by its name.
func (s *server) fileDoors(t *testing.T, body string) map[string][]string {
	t.Helper()
	project := s.projectID(s.project("tool", "private"))
	s.root("PUT", generic(project, "tool/1.0.0/f"), body).is(t, 201, created)
	up := s.upload(rootToken, project, "up", []byte(body)).must(t, 201)
	packageID, fileID := itoa(ask[int64](s, `SELECT id FROM packages`)), itoa(ask[int64](s, `SELECT id FROM package_files`))
	return map[string][]string{
		"f": {
			generic(project, "tool/1.0.0/f"),
			v4 + "/projects/" + project + "/packages/" + packageID + "/package_files/" + fileID + "/download",
			"/root/tool/-/package_files/" + fileID + "/download",
		},
		"up": {
			v4 + "/projects/" + project + "/uploads/" + id(up), v4 + "/projects/" + project + up["url"].(string),
			"/root/tool" + up["url"].(string), up["full_path"].(string),
		},
	}
}

func flipped(body string) []byte {
	other := []byte(body)
	other[len(other)/2] ^= 1
	return other
}

// TestDamagedSmallFiles: of up to 64 KiB no wrong byte leaves by any door, in whole or
// in part, whatever has become of the blob; when it is right again, it is served.
func TestDamagedSmallFiles(t *testing.T) {
	t.Run("disk", func(t *testing.T) { testDamagedSmallFiles(t, spoiledDisk(t), 64<<10) })
	t.Run("s3", func(t *testing.T) { testDamagedSmallFiles(t, spoiledS3(t), 10_000) })
}

func testDamagedSmallFiles(t *testing.T, s *spoiled, size int) {
	body := numbered(size)
	d := blob.Digest(sha256.Sum256([]byte(body)))
	doors := s.fileDoors(t, body)
	for kind, content := range map[blob.Damage][]byte{blob.Missing: nil, blob.OtherSize: []byte(body[1:]), blob.OtherBytes: flipped(body)} {
		s.replace(d, content)
		for name, addresses := range doors {
			for _, at := range addresses {
				for _, ranges := range []string{"", "bytes=0-1", "bytes=-1", "bytes=0-1,5-6"} {
					s.do("GET", at, nil, "PRIVATE-TOKEN: "+rootToken, "Range: "+ranges).
						header(t, "ETag:", "Content-Disposition:", "X-Checksum-Sha256:").is(t, 500, damaged)
					s.saw(t, kind, name)
				}
				if kind == blob.OtherBytes { // HEAD reads none
					s.do("HEAD", at, nil, "PRIVATE-TOKEN: "+rootToken).is(t, 200, "")
					continue
				}
				s.do("HEAD", at, nil, "PRIVATE-TOKEN: "+rootToken).is(t, 500, "")
				s.saw(t, kind, name)
			}
		}
	}
	s.conditions(t, d, []byte(body), doors)
	s.replace(d, []byte(body))
	for _, addresses := range doors {
		for _, at := range addresses {
			s.root("GET", at, nil).is(t, 200, body)
			s.do("GET", at, nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=0-1").is(t, 206, body[:2])
		}
	}
	if len(s.told) != 0 {
		t.Errorf("told of %+v", s.told)
	}
}

// conditions holds that a request whose conditions want no bytes has its answer
// without a look at them: what is wrong with them is not found. Where the bytes are
// wanted after all, it is.
func (s *spoiled) conditions(t *testing.T, d blob.Digest, body []byte, doors map[string][]string) {
	t.Helper()
	s.replace(d, flipped(string(body)))
	const old = "Sat, 01 Jan 2000 00:00:00 GMT"
	for name, addresses := range doors {
		for _, at := range addresses {
			date := s.do("HEAD", at, nil, "PRIVATE-TOKEN: "+rootToken).Header.Get("Last-Modified")
			for header, status := range map[string]int{
				"If-None-Match: *": 304, `If-None-Match: "` + d.String() + `"`: 304, "If-Modified-Since: " + date: 304,
				`If-Match: "other"`: 412, "If-Unmodified-Since: " + old: 412,
				`If-None-Match: "other"`: 500, "If-Modified-Since: " + old: 500, "If-Match: *": 500, "If-Unmodified-Since: " + date: 500,
			} {
				for _, ranges := range []string{"", "bytes=0-1"} {
					got := s.do("GET", at, nil, "PRIVATE-TOKEN: "+rootToken, "Range: "+ranges, header)
					if got.StatusCode != status {
						t.Errorf("%s %s %s: %d, want %d", at, header, ranges, got.StatusCode, status)
					}
					if status == 500 {
						s.saw(t, blob.OtherBytes, name)
					}
				}
			}
		}
	}
}

// TestDamagedLargeFiles: what is known without reading is told at once; wrong bytes
// that pass through the server break off before the last of them.
func TestDamagedLargeFiles(t *testing.T) {
	body := numbered(300_000)
	d := blob.Digest(sha256.Sum256([]byte(body)))
	for where, s := range map[string]*spoiled{"disk": spoiledDisk(t), "s3": spoiledS3(t)} {
		doors := s.fileDoors(t, body)
		for kind, content := range map[blob.Damage][]byte{blob.Missing: nil, blob.OtherSize: []byte(body[:200_000])} {
			s.replace(d, content)
			for name, addresses := range doors {
				for _, at := range addresses {
					for _, mode := range []api.Redirect{api.RedirectNone, api.RedirectAll} {
						s.api.Redirect = mode
						s.root("GET", at, nil).is(t, 500, damaged)
						s.saw(t, kind, name)
					}
					s.do("GET", at, nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=0-1,5-6").is(t, 500, damaged)
					s.saw(t, kind, name)
					s.do("HEAD", at, nil, "PRIVATE-TOKEN: "+rootToken).is(t, 500, "")
					s.saw(t, kind, name)
				}
			}
		}
		s.api.Redirect = api.RedirectNone
		if where == "s3" {
			s.replace(d, flipped(body))
			for name, addresses := range doors {
				for _, at := range addresses {
					for _, ranges := range []string{"", "bytes=0-", "bytes=10-,0-9"} {
						s.torn(t, at, ranges, len(body))
						s.saw(t, blob.OtherBytes, name)
					}
				}
			}
		}
		s.replace(d, []byte(body))
		for _, addresses := range doors {
			for _, at := range addresses {
				s.root("GET", at, nil).is(t, 200, body)
				s.do("GET", at, nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=100-").is(t, 206, body[100:])
				s.do("GET", at, nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=0-1,299999-").status(t, 206)
			}
		}
		if len(s.told) != 0 {
			t.Errorf("%s: told of %+v", where, s.told)
		}
	}
}

// torn fetches something that ends before it is whole.
func (s *server) torn(t *testing.T, at, ranges string, size int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+at, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Private-Token", rootToken)
	if ranges != "" {
		req.Header.Set("Range", ranges)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if resp.ContentLength != int64(size) || !errors.Is(err, io.ErrUnexpectedEOF) || len(got) >= size {
		t.Errorf("%s %q: %s, %d bytes of %d, %v", at, ranges, resp.Status, len(got), resp.ContentLength, err)
	}
}

// TestDamagedRows: bytes that the database keeps are no better.
func TestDamagedRows(t *testing.T) {
	s := spoiledDisk(t)
	doors := s.fileDoors(t, "four")
	for _, other := range []string{"fuor", "for", ""} {
		s.exec(`UPDATE blob_contents SET content = $1`, []byte(other))
		for name, addresses := range doors {
			for _, at := range addresses {
				s.root("GET", at, nil).is(t, 500, damaged)
				s.saw(t, blob.OtherBytes, name)
				s.do("GET", at, nil, "PRIVATE-TOKEN: "+rootToken, "Range: bytes=0-0").is(t, 500, damaged)
				s.saw(t, blob.OtherBytes, name)
				s.do("HEAD", at, nil, "PRIVATE-TOKEN: "+rootToken).is(t, 500, "")
				s.saw(t, blob.OtherBytes, name)
			}
		}
	}
	elsewhere := s.projectID(s.project("other", "private"))
	file := itoa(ask[int64](s.server, `SELECT id FROM package_files`))
	s.root("GET", "/root/other/-/package_files/"+file+"/download", nil).starts(t, 404, "404 Not")
	s.root("GET", v4+"/projects/"+elsewhere+"/packages/1/package_files/"+file+"/download", nil).starts(t, 404, "404 Not")
	s.root("PUT", v4+"/projects/"+elsewhere+"/packages/generic/other/1.0.0/same", "four").status(t, 201) // mends them
	for _, addresses := range doors {
		for _, at := range addresses {
			s.root("GET", at, nil).is(t, 200, "four")
		}
	}
}
