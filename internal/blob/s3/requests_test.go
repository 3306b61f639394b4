package s3

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/s3/s3test"
)

func isCopy(r *http.Request) bool { return r.Header.Get("X-Amz-Copy-Source") != "" }

// TestShortestWay: a body of one part goes to its digest in one request, one of a
// declared digest is not copied, and any other is, by parts where it is large.
func TestShortestWay(t *testing.T) {
	line := newTap(t)
	s := line.open(t, config(s3test.Start(t), "way"))
	s.copyStep = 6 << 20
	small, declared, staged, large := blobtest.Bytes(1, 1000), blobtest.Bytes(2, 6<<20), blobtest.Bytes(3, 6<<20), blobtest.Bytes(4, 13<<20)
	for _, tc := range []struct {
		name           string
		data           []byte
		declared       bool
		copies, others int
	}{
		{"one part", small, false, 0, 1},
		{"declared", declared, true, 0, 5},   // begin, two parts, look, finish
		{"staged", staged, false, 1, 7},      // those, look at the copy, remove
		{"by parts", large, false, 3, 3 + 7}, // one part more, begin and finish
	} {
		line.asked = nil
		if err := publish(t, s, tc.data, tc.declared); err != nil {
			t.Fatal(err)
		}
		all := line.requests(func(*http.Request) bool { return true })
		if copies := line.requests(isCopy); len(copies) != tc.copies || len(all) != tc.copies+tc.others {
			t.Errorf("%s: %d copies and %d others", tc.name, len(copies), len(all)-len(copies))
			for _, r := range all {
				t.Log(r.Method, r.URL)
			}
		}
		if got, err := blobtest.Read(t.Context(), s, blobtest.Digest(tc.data)); err != nil || !bytes.Equal(got, tc.data) {
			t.Errorf("%s: %d bytes, %v", tc.name, len(got), err)
		}
	}
	wantOnlyBlobs(t, s)
}

// TestSettingsReachTheStore: encryption for every object, the storage class for
// blobs alone, for what is in tmp/ lives seconds, notes hours, and some classes bill
// months.
func TestSettingsReachTheStore(t *testing.T) {
	line := newTap(t)
	cfg := config(s3test.Start(t), "settings")
	cfg.SSE, cfg.KMSKeyID, cfg.StorageClass = "aws:kms", "key-1", "STANDARD_IA"
	s := line.open(t, cfg)
	line.set(func(*http.Request) fault { return broken }) // the server knows no keys: it is enough to ask
	for _, declared := range []bool{false, true} {
		for _, size := range []int{1000, 6 << 20} {
			_ = publish(t, s, blobtest.Bytes(1, size), declared)
		}
	}
	_ = s.client.copyAll(t.Context(), "a", aim{key: s.key(blob.Digest{}), blob: true})
	for _, size := range []int{1000, 6 << 20} {
		_ = s.PutNote(t.Context(), "note", bytes.NewReader(blobtest.Bytes(1, size)), int64(size))
	}
	_ = s.client.copyAll(t.Context(), "a", aim{key: s.prefix + "note"})
	found := 0
	for _, r := range line.requests(func(r *http.Request) bool {
		return r.Method == http.MethodPut && !r.URL.Query().Has("partNumber") || r.URL.Query().Has("uploads") && r.Method == http.MethodPost
	}) {
		found++
		class := "STANDARD_IA"
		if strings.Contains(r.URL.Path, "/"+staging) || strings.HasSuffix(r.URL.Path, "/note") {
			class = ""
		}
		got := [3]string{r.Header.Get("X-Amz-Server-Side-Encryption"), r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"), r.Header.Get("X-Amz-Storage-Class")}
		if want := [3]string{"aws:kms", "key-1", class}; got != want {
			t.Errorf("%s %s: %q, want %q", r.Method, r.URL, got, want)
		}
	}
	if found < 7 {
		t.Errorf("%d requests that make objects", found)
	}
}

// TestRangeOfStore: a reader asks for what is to be read and no more.
func TestRangeOfStore(t *testing.T) {
	line := newTap(t)
	s := line.open(t, config(s3test.Start(t), "range"))
	data := blobtest.Bytes(1, 2<<20)
	blobtest.Put(t, s, data)
	r, err := s.Open(t.Context(), blobtest.Digest(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	line.asked = nil
	for _, step := range []int64{0, 1 << 20, 2<<20 - 10} {
		if _, err := r.Seek(step, io.SeekStart); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data[2<<20-10:]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	all := line.requests(func(*http.Request) bool { return true })
	if len(all) != 1 || all[0].Header.Get("Range") != "bytes=2097142-2097151" {
		t.Errorf("%d requests, the first with Range %q", len(all), all[0].Header.Get("Range"))
	}
}

// TestTidy: what a crash left goes when it is old, and only then. What others
// keep in the bucket stays.
func TestTidy(t *testing.T) {
	srv := s3test.Start(t)
	s, stranger := open(t, config(srv, "tidy")), open(t, config(srv, "tidy/stranger"))
	var left []blob.Upload
	d := blobtest.Digest([]byte("x"))
	for _, said := range []blob.Declared{{Size: -1}, {Size: -1, Digest: &d}} {
		up, err := s.Create(t.Context(), said)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := up.Write(blobtest.Bytes(1, 11<<20)); err != nil {
			t.Fatal(err)
		}
		up.(*upload).sending.Wait()
		left = append(left, up)
	}
	body := bytes.NewReader([]byte("staged"))
	if err := s.client.put(t.Context(), aim{key: s.prefix + staging + "STAGED"}, body, 6, blobtest.Digest([]byte("staged"))); err != nil {
		t.Fatal(err)
	}
	foreign, err := stranger.client.begin(t.Context(), aim{key: "tidy/foreign"})
	if err != nil {
		t.Fatal(err)
	}
	data := blobtest.Bytes(2, 1000)
	blobtest.Put(t, s, data)

	for _, step := range []struct {
		before time.Time
		want   int
	}{{time.Now().Add(-time.Hour), 0}, {time.Now().Add(time.Hour), 3}, {time.Now().Add(time.Hour), 0}} {
		if n, err := s.Left(t.Context(), step.before); n != step.want || err != nil {
			t.Errorf("Left = %d, %v, want %d", n, err, step.want)
		}
		if n, err := s.Tidy(t.Context(), step.before); n != step.want || err != nil {
			t.Errorf("Tidy removed %d, %v, want %d", n, err, step.want)
		}
	}
	if got, err := blobtest.Read(t.Context(), s, blobtest.Digest(data)); err != nil || !bytes.Equal(got, data) {
		t.Errorf("a blob after Tidy: %d bytes, %v", len(got), err)
	}
	found := 0
	for u, err := range s.client.uploads(t.Context(), s.prefix) {
		if found++; err != nil || u.id != foreign {
			t.Errorf("left: %v, %v", u, err)
		}
	}
	if found != 1 {
		t.Error("another's upload is gone")
	}
	for _, up := range left {
		if err := up.Commit(d); err == nil || errors.Is(err, blob.ErrNotFound) {
			t.Errorf("Commit after Tidy: %v", err)
		}
	}
}

// TestLink: a link is enough to read, with a range too, and says what the file is
// called; without its signature, or with another name, it is none.
func TestLink(t *testing.T) {
	s := open(t, config(s3test.Start(t), "link"))
	data := blobtest.Bytes(1, 100_000)
	blobtest.Put(t, s, data)
	link, err := s.Link(t.Context(), blobtest.Digest(data), "application/zip", `attachment; filename="a.zip"`)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		link, rng string
		status    int
		body      []byte
	}{
		{link, "", 200, data},
		{link, "bytes=10-19", 206, data[10:20]},
		{strings.Replace(link, "X-Amz-Signature=", "X-Amz-Signature=0", 1), "", 403, nil},
		{strings.Replace(link, "a.zip", "b.exe", 1), "", 403, nil},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tc.link, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Range", tc.rng)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tc.status || err != nil || tc.body != nil && !bytes.Equal(got, tc.body) {
			t.Errorf("%s: %d bytes, %v, %s", tc.link, len(got), err, resp.Status)
		}
		if h := resp.Header; tc.body != nil && (h.Get("Content-Type") != "application/zip" || h.Get("Content-Disposition") != `attachment; filename="a.zip"`) {
			t.Errorf("the store answers with %v", h)
		}
	}
	if strings.Contains(link, s3test.SecretAccessKey) || !strings.Contains(link, "X-Amz-Expires=3600") {
		t.Error(link)
	}
}

// TestOpenRefuses: a setting that is wrong is told on one line, with what to do.
func TestOpenRefuses(t *testing.T) {
	srv := s3test.Start(t)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for want, change := range map[string]func(*Config){
		`there is no bucket "granary-none" at ` + srv.URL: func(c *Config) { c.Bucket = "granary-none" },
		"No user exists with the provided access key":     func(c *Config) { c.AccessKeyID = "nobody" },
		"refuses the key test-access-key for the bucket":  func(c *Config) { c.SecretAccessKey = "wrong" },
		"no answer from http://127.0.0.1:1":               func(c *Config) { c.Endpoint = "http://127.0.0.1:1" },
		"is in another region":                            func(c *Config) { c.Region = "eu-west-9" },
	} {
		cfg := config(srv, "p")
		change(&cfg)
		s, err := Open(t.Context(), cfg)
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), s3test.SecretAccessKey) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
