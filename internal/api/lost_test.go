package api_test

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"

	"granary/internal/blob"
	"granary/internal/client"
)

// ruin takes bytes away behind the server's back, or puts others in their place,
// more than one part of them, so that no store notices.
func (s *server) ruin(body string, instead int) {
	s.t.Helper()
	d := blob.Digest(sha256.Sum256([]byte(body)))
	err := s.registry.Blobs.Delete(s.t.Context(), d)
	if err == nil && instead > 0 {
		var up blob.Upload
		if up, err = s.registry.Blobs.Create(s.t.Context(), blob.Declared{Size: -1}); err == nil {
			_, err = up.Write(bytes.Repeat([]byte("x"), instead))
		}
		if err == nil {
			err = up.Commit(d)
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// isLost holds that granary push learns whether two/1.0.0/f is lost.
func (s *server) isLost(want bool) {
	s.t.Helper()
	c, err := client.New(client.Config{Server: s.url, Credential: client.PrivateToken(rootToken), Attempts: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	got, err := c.Lost(s.t.Context(), client.Coordinates{Project: "root/tool", Name: "two", Version: "1.0.0", Path: "f"})
	if err != nil || got != want {
		s.t.Errorf("lost: %v, %v, want %v", got, err, want)
	}
}

// TestLostBytesComeBack: whatever the store has lost, or has in another length, is
// there again once it is published again, by any way in.
func TestLostBytesComeBack(t *testing.T) {
	onEachStore(t, func(t *testing.T, s *server) {
		p := s.project("tool", "public")
		for i, instead := range []int{0, 20 << 20} {
			body := strings.Repeat("x", 100_000+i)
			one, two := generic(p, "one/1.0.0/f"), generic(p, "two/1.0.0/f")
			s.root("PUT", one, body).is(t, 201, created)
			s.root("PUT", two, body).is(t, 201, created)
			full := s.upload(rootToken, p, "f", []byte(body)).must(t, 201)["full_path"].(string)
			for name, again := range map[string]func(){
				"by PUT": func() { s.root("PUT", two, body).is(t, 201, created) },
				"with its digest": func() {
					s.do("PUT", two, strings.NewReader(body), "PRIVATE-TOKEN: "+rootToken, "X-Checksum-SHA256: "+sha256Of(body)).is(t, 201, created)
				},
				"with a condition": func() {
					s.do("PUT", two, strings.NewReader(body), "PRIVATE-TOKEN: "+rootToken, "If-Match: *").is(t, 201, created)
				},
				"by an upload": func() { s.upload(rootToken, p, "g", []byte(body)).must(t, 201) },
			} {
				s.ruin(body, instead)
				s.isLost(true)
				again()
				s.isLost(false)
				for _, path := range []string{one, two, full} {
					if got := s.do("GET", path, nil); got.StatusCode != 200 || got.body != body {
						t.Errorf("%s, %d bytes instead: %s: %d, %d bytes", name, instead, path, got.StatusCode, len(got.body))
					}
				}
			}
		}
	})
}

// TestLostBytesOfTheOnlyFile: where a name may be published once, its own bytes are
// taken again while the store has lost them, and nothing else is.
func TestLostBytesOfTheOnlyFile(t *testing.T) {
	const refused = `{"message":"400 Bad request - Duplicate package is not allowed"}`
	onEachStore(t, func(t *testing.T, s *server) {
		p := s.project("tool", "public")
		s.root("PUT", "/api/v4/projects/"+p, map[string]any{"generic_duplicates_allowed": false}).must(t, 200)
		file, body := generic(p, "tool/1.0.0/f"), strings.Repeat("x", 100_000)
		id := s.root("PUT", file+"?select=package_file", body).must(t, 200)["id"]
		s.registry.InlineMax = 1 << 20 // what comes now would ride with its record
		for _, instead := range []int{0, 20 << 20} {
			s.ruin(body, instead)
			s.root("PUT", file, body+"x").is(t, 400, refused)
			s.root("PUT", file, unsized("small")).is(t, 400, refused)
			s.do("PUT", file, strings.NewReader(body), "PRIVATE-TOKEN: "+rootToken, "X-Checksum-SHA256: "+sha256Of("other")).is(t, 400, refused)
			s.do("PUT", file, strings.NewReader(body), "PRIVATE-TOKEN: "+rootToken, "If-None-Match: *").starts(t, 412, "412 Precondition Failed")
			if again := s.root("PUT", file+"?select=package_file", body).must(t, 200)["id"]; again != id {
				t.Errorf("it has the record %v, had %v", again, id)
			}
			s.do("GET", file, nil).is(t, 200, body)
			s.root("PUT", file, body).is(t, 400, refused)
		}
		wantValue(t, "files", s.count("package_files"), 1)
		events := `SELECT COUNT(*) FROM audit_events WHERE name = 'package_registry_package_`
		wantValue(t, "published", ask[int](s, events+`published'`), 1)
		wantValue(t, "restored", ask[int](s, events+`file_restored'`), 2)
	})
}

// TestLostBytesWithMore: what is said beside bytes that are taken again counts as in
// any publish.
func TestLostBytesWithMore(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "public")
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"generic_duplicates_allowed": false}).must(t, 200)
	file, body := generic(p, "tool/1.0.0/f"), strings.Repeat("x", 100_000)
	_, first := s.job(rootToken, p)
	_, second := s.job(rootToken, p)
	put := func(status, job string) {
		t.Helper()
		s.do("PUT", file+status, strings.NewReader(body), "JOB-TOKEN: "+job).is(t, 201, created)
	}
	put("", first)
	packageIs := func(status string, filePipelines, packagePipelines int) {
		t.Helper()
		wantValue(t, "status", ask[string](s, `SELECT status FROM packages`), status)
		wantValue(t, "the file's pipelines", s.count("package_file_pipelines"), filePipelines)
		wantValue(t, "the package's", s.count("package_pipelines"), packagePipelines)
		s.do("GET", file, nil).is(t, 200, body)
	}
	packageIs("default", 1, 1)
	s.ruin(body, 0)
	put("?status=hidden", second)
	packageIs("hidden", 2, 2)
	s.ruin(body, 0)
	put("", first)
	packageIs("hidden", 2, 2)
	s.ruin(body, 0)
	put("?status=default", second)
	packageIs("default", 2, 2)
	events := `SELECT COUNT(*) FROM audit_events WHERE entity_path = 'root/tool' AND name = 'package_registry_package_`
	wantValue(t, "restored", ask[int](s, events+`file_restored'`), 3)
	wantValue(t, "status", ask[int](s, events+`status_updated'`), 2)
	wantValue(t, "files", s.count("package_files"), 1)
}

// TestRottenBytesOfTheOnlyFile: other bytes of the same size are found in a small
// file, and its own take their place; those of a large one nobody has looked at.
func TestRottenBytesOfTheOnlyFile(t *testing.T) {
	t.Run("disk", func(t *testing.T) { testRottenBytesOfTheOnlyFile(t, spoiledDisk(t)) })
	t.Run("s3", func(t *testing.T) { testRottenBytesOfTheOnlyFile(t, spoiledS3(t)) })
}

func testRottenBytesOfTheOnlyFile(t *testing.T, s *spoiled) {
	p := s.project("tool", "public")
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"generic_duplicates_allowed": false}).must(t, 200)
	s.registry.InlineMax = 0
	const refused = `{"message":"400 Bad request - Duplicate package is not allowed"}`
	for i, size := range []int{1, 64 << 10, 64<<10 + 1} {
		body := numbered(size)
		file := generic(p, "tool/1.0."+itoa(int64(i))+"/f")
		s.root("PUT", file, body).is(t, 201, created)
		s.root("PUT", file, body).is(t, 400, refused)
		s.replace(blob.Digest(sha256.Sum256([]byte(body))), flipped(body))
		if size > 64<<10 {
			s.root("PUT", file, body).is(t, 400, refused)
			continue
		}
		s.root("PUT", file, string(flipped(body))).is(t, 400, refused)
		s.do("GET", file, nil).is(t, 500, damaged)
		s.root("PUT", file, body).is(t, 201, created)
		s.do("GET", file, nil).is(t, 200, body)
		s.root("PUT", file, body).is(t, 400, refused)
	}
	wantValue(t, "files", s.count("package_files"), 3)
}

// Those that the database keeps come back in the same way.
func TestRottenRowOfTheOnlyFile(t *testing.T) {
	s := spoiledDisk(t)
	p := s.project("tool", "public")
	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"generic_duplicates_allowed": false}).must(t, 200)
	file := generic(p, "tool/1.0.0/f")
	s.root("PUT", file, "bytes").is(t, 201, created)
	for _, rotten := range []string{"sbyte", "byte", ""} {
		s.exec(`UPDATE blob_contents SET content = $1`, []byte(rotten))
		s.do("GET", file, nil).is(t, 500, damaged)
		s.root("PUT", file, "other").starts(t, 400, "400 Bad request - Duplicate package is not allowed")
		s.registry.InlineMax = 0 // since it was published
		s.root("PUT", file, "bytes").is(t, 201, created)
		s.do("GET", file, nil).is(t, 200, "bytes")
		s.root("PUT", file, "bytes").starts(t, 400, "400 Bad request - Duplicate package is not allowed")
	}
	wantValue(t, "files", s.count("package_files"), 1)
}
