package client_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/client"
)

// A download that breaks and cannot be taken up is begun anew, as often as any call:
// where the server gives no parts, and where nothing tells that the rest is of the same
// file. What had arrived is taken back.
func TestDownloadTorn(t *testing.T) {
	for name, told := range map[string]bool{"no ranges": true, "no digest": false} {
		for cuts, whole := range map[int]bool{1: true, client.DefaultAttempts - 1: true, client.DefaultAttempts: false} {
			s := &store{data: randomBytes(6 << 20), noRanges: told}
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") == "" && cuts > 0 { // a request for a part is answered with the whole
					cuts--
					s.cuts = []int{3 << 20}
				}
				s.ServeHTTP(w, r)
			})
			d, dir := download(t, s)
			if !told {
				d.File.SHA256 = ""
			}
			moved := int64(0)
			d.Progress = func(n int64) { moved += n }
			verified, err := c.Download(t.Context(), d)
			if whole {
				if err != nil || verified != told || moved != int64(len(s.data)) {
					t.Errorf("%s: verified %v, %d moved, %v", name, verified, moved, err)
				}
				holds(t, dir, s.data)
				continue
			}
			left, _ := os.ReadDir(filepath.Join(dir, "dir"))
			if client.KindOf(err) != client.Broken || moved != 0 || len(left) != 0 {
				t.Errorf("%s: %v, %d moved, left %v", name, err, moved, left)
			}
		}
	}
}

// What is passed on cannot be begun anew: where the source gives no parts a broken
// stream ends, and says why.
func TestStreamTorn(t *testing.T) {
	s := &store{data: randomBytes(3 << 20), noRanges: true, cuts: []int{1 << 20}}
	source := serve(t, s.ServeHTTP)
	to, whole, puts := target(t, nil)
	f := client.File{Size: 3 << 20, SHA256: sumOf(s.data)}
	u := upload(nil)
	u.Size, u.SHA256 = f.Size, f.SHA256
	u.Open = func() (io.ReadCloser, error) { return source.Stream(t.Context(), file(), f), nil }
	_, err := to.Publish(t.Context(), u)
	if err == nil || !strings.Contains(err.Error(), "the connection broke, and the server sends only whole files: tool/1.0.0/dir/a b.txt cannot be resumed, only restarted") ||
		whole.Load() != 0 || puts.Load() != 1 || len(s.ranges) != 2 {
		t.Errorf("%d whole of %d puts, asked %d times, %v", whole.Load(), puts.Load(), len(s.ranges), err)
	}
}
