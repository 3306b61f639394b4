package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// sha256Of is the digest of a text, as an ETag has it without the quotes.
func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestConditionalPublish: what a publisher requires of the file that is there, in
// every form that RFC 9110 gives it.
func TestConditionalPublish(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	file, none := generic(p, "tool/1.0.0/f"), generic(p, "tool/1.0.0/none")
	large := strings.Repeat("one", 10_000)
	s.root("PUT", file, large).is(t, 201, created)
	is, other := `"`+sha256Of(large)+`"`, `"`+sha256Of("other")+`"`
	there := `{"message":"412 Precondition Failed - the file is there, its SHA-256 is ` + sha256Of(large) + `"}`
	gone := `{"message":"412 Precondition Failed - there is no such file"}`
	for _, c := range []struct {
		file   string
		header []string
		want   string // "" for success
	}{
		{file, []string{"If-None-Match: *"}, there},
		{file, []string{"If-None-Match:  * "}, there},
		{file, []string{"If-None-Match: " + is}, there},
		{file, []string{"If-None-Match: W/" + is}, there},
		{file, []string{"If-None-Match: " + other + " , W/" + is}, there},
		{file, []string{"If-None-Match: " + other, "If-None-Match: " + is}, there},
		{file, []string{"If-None-Match: " + other}, ""},
		{file, []string{`If-None-Match: "a,b", W/"", "é"`}, ""},
		{file, []string{"If-None-Match: " + strings.ToUpper(is)}, ""}, // tags are compared by their bytes
		{file, []string{"If-Match: *"}, ""},
		{file, []string{"If-Match: " + is}, ""},
		{file, []string{"If-Match: ," + other + ",, " + is + ","}, ""},
		{file, []string{"If-Match: " + other}, there},
		{file, []string{"If-Match: W/" + is}, there},
		{file, []string{`If-Match: ""`}, there},
		{file, []string{"If-Match: " + is, "If-None-Match: *"}, there},
		{file, []string{"If-Match: " + is, "If-None-Match: " + other}, ""},
		{none, []string{"If-Match: *"}, gone},
		{none, []string{"If-Match: " + is}, gone},
		{none, []string{"If-Match: " + is, "If-None-Match: *"}, gone},
		{none, []string{"If-None-Match: " + is}, ""},
	} {
		got := s.do("PUT", c.file, strings.NewReader(large), append(c.header, "PRIVATE-TOKEN: "+rootToken)...)
		if c.want == "" {
			got.is(t, 201, created)
		} else {
			got.is(t, 412, c.want)
		}
	}
	for _, bad := range []string{"", ",", "* , *", `*, "x"`, sha256Of(large), `"x`, `x"`, `w/"x"`, `W/ "x"`, `"a b"`, `"a" "b"`, `"a";"b"`, "W/", `""x`} {
		for _, name := range []string{"If-Match", "If-None-Match"} {
			s.do("PUT", generic(p, "tool/1.0.0/bad"), strings.NewReader("x"), "PRIVATE-TOKEN: "+rootToken, name+": "+bad).
				starts(t, 400, "400 Bad request - "+name+" is invalid: want * or entity tags")
		}
	}
	s.root("GET", generic(p, "tool/1.0.0/bad"), nil).is(t, 404, noRow)
}

// TestRefusedConditions change nothing and are refused in their place: after what
// the caller may do, and after what would be refused without them (RFC 9110 13.2.1).
func TestRefusedConditions(t *testing.T) {
	s := newServer(t)
	p, public := s.project("tool", "private"), s.project("public", "public")
	_, stranger := s.user("stranger")
	file := generic(p, "tool/1.0.0/f")
	put := func(token, file, body, condition string) answer {
		return s.do("PUT", file, strings.NewReader(body), "PRIVATE-TOKEN: "+token, condition)
	}
	const create, replace = "If-None-Match: *", "If-Match: *"
	put(stranger, file, "x", create).is(t, 404, notFound)
	put("", file, "x", create).is(t, 401, unauthorized)
	put(stranger, generic(public, "tool/1.0.0/f"), "x", replace).is(t, 403, forbidden)
	put(rootToken, generic(p, "tool/1.0/f"), "x", replace).starts(t, 400, "package_version is invalid")
	put(rootToken, file, strings.Repeat("x", 1<<20+1), replace).is(t, 400, `{"message":"400 Bad request - File is too large"}`)
	put(rootToken, file, strings.Repeat("x", 9<<10), replace).starts(t, 412, "412 Precondition Failed")
	for _, table := range []string{"packages", "package_files", "blobs"} {
		wantValue(t, table, s.count(table), 0)
	}

	put(rootToken, file, "one", create).is(t, 201, created)
	updated := ask[int64](s, `SELECT updated_at FROM packages`)
	events := s.count("audit_events")
	put(rootToken, file+"?status=hidden", "two", create).starts(t, 412, "412 Precondition Failed")
	wantValue(t, "updated_at", ask[int64](s, `SELECT updated_at FROM packages`), updated)
	wantValue(t, "status", ask[string](s, `SELECT status FROM packages`), "default")
	wantValue(t, "events", s.count("audit_events"), events)
	wantValue(t, "files", s.count("package_files"), 1)

	s.root("PUT", "/api/v4/projects/"+p, map[string]any{"generic_duplicates_allowed": false}).must(t, 200)
	put(rootToken, file, "two", create).is(t, 400, `{"message":"400 Bad request - Duplicate package is not allowed"}`)
	put(rootToken, file, "two", replace).is(t, 400, `{"message":"400 Bad request - Duplicate package is not allowed"}`)
	s.root("GET", file, nil).is(t, 200, "one")
}

// TestManyCreators: of sixteen who create one file at once, one is told 201.
func TestManyCreators(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	for round := range 8 {
		file := generic(p, fmt.Sprintf("tool/1.0.%d/f", round))
		var all sync.WaitGroup
		var made, refused atomic.Int64
		for i := range 16 {
			all.Go(func() {
				body := strings.Repeat(fmt.Sprint(i), 1+i*400) // small and large
				switch got := s.do("PUT", file, strings.NewReader(body), "PRIVATE-TOKEN: "+rootToken, "If-None-Match: *"); got.StatusCode {
				case 201:
					made.Add(1)
				case 412:
					refused.Add(1)
				default:
					t.Errorf("%d %s", got.StatusCode, got.body)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 || refused.Load() != 15 {
			t.Errorf("round %d: %d were made, %d refused", round, made.Load(), refused.Load())
		}
	}
	wantValue(t, "files", s.count("package_files"), 8)
}
