package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/registry"
)

// wantedBytes reads a Range header by itself, number by number: which of size bytes
// it asks for, and whether it is well formed and names anything. A header of another
// unit names nothing.
func wantedBytes(field string, size int64) (want []bool, named, ok bool) {
	want = make([]bool, size)
	if len(field) < 6 || strings.ToLower(field[:6]) != "bytes=" {
		return want, false, true
	}
	set := field[6:]
	form := regexp.MustCompile(`^([0-9]*)[ \t]*-[ \t]*([0-9]*)$`)
	number := func(text string) *big.Int { n, _ := new(big.Int).SetString(text, 10); return n }
	for text := range strings.SplitSeq(set, ",") {
		if text = strings.Trim(text, " \t"); text == "" {
			continue
		}
		named = true
		m := form.FindStringSubmatch(text)
		if m == nil || m[1]+m[2] == "" {
			return nil, false, false
		}
		first, last := big.NewInt(0), big.NewInt(size-1)
		switch {
		case m[1] == "":
			first.Sub(big.NewInt(size), number(m[2]))
		case m[2] == "":
			first = number(m[1])
		default:
			if first, last = number(m[1]), number(m[2]); first.Cmp(last) > 0 {
				return nil, false, false
			}
		}
		for i := range want {
			at := big.NewInt(int64(i))
			want[i] = want[i] || at.Cmp(first) >= 0 && at.Cmp(last) <= 0
		}
	}
	return want, named, true
}

// sentBytes reads an answer with a body of consecutive bytes: which it has of size.
// No byte comes twice, and each part is where its Content-Range says.
func sentBytes(t *testing.T, got *http.Response, content []byte) []bool {
	t.Helper()
	sent := make([]bool, len(content))
	take := func(contentRange string, body []byte) {
		var first, last, size int
		if _, err := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &size); err != nil || size != len(content) || last >= size || first > last {
			t.Fatalf("Content-Range %q, %v", contentRange, err)
		}
		if !bytes.Equal(body, content[first:last+1]) {
			t.Fatalf("%s: %q", contentRange, body)
		}
		for i := first; i <= last; i++ {
			if sent[i] {
				t.Fatalf("byte %d comes twice", i)
			}
			sent[i] = true
		}
	}
	body, err := io.ReadAll(got.Body)
	if err != nil || fmt.Sprint(len(body)) != got.Header.Get("Content-Length") {
		t.Fatalf("%d bytes, %v, Content-Length %s", len(body), err, got.Header.Get("Content-Length"))
	}
	kind, params, _ := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if kind != "multipart/byteranges" {
		take(got.Header.Get("Content-Range"), body)
		return sent
	}
	if !strings.HasPrefix(string(body), "\r\n--"+params["boundary"]+"\r\n") || got.Header.Get("Content-Range") != "" {
		t.Fatalf("the body begins with %q", body[:min(len(body), 40)])
	}
	n, parts := 0, multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		var text []byte
		if err == nil {
			text, err = io.ReadAll(part)
		}
		if err != nil || part.Header.Get("Content-Type") != "application/zip" {
			t.Fatalf("%v %v", part, err)
		}
		take(part.Header.Get("Content-Range"), text)
		n++
	}
	if n < 2 {
		t.Fatalf("%d parts", n)
	}
	return sent
}

// answerTo is what serveContent answers with about a content of this size.
func answerTo(content []byte, header http.Header) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = header
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/zip")
	serveContent(w, r, time.Unix(1e9, 0), int64(len(content)), bytes.NewReader(content))
	return w.Result()
}

// FuzzRanges: whatever is asked for, the parts of the answer together have the
// bytes that were asked for, each once, or the answer is the whole file or a 416
// for the reason that is true.
func FuzzRanges(f *testing.F) {
	for _, field := range []string{
		"", "bytes=", "bytes=,,", "bytes=0-", "bytes=-1", "bytes=-0", "bytes=-0,3-4", "bytes=-0, - 00,", "BYTES=-0", "bYtEs=1-2,5-6", "bytes", "bytes =1-2", "bytes=0-0,2-3,1-1", "bytes=9-,0-1,5-6", "bytes=5-6,0-1,3-4", "bytes=0-3,2-5,40-",
		"bytes=0-99999999999999999999", "bytes=99999999999999999999-", "bytes=-99999999999999999999", "bytes=5-4", "bytes=+1-+2", "bytes=1 - 2 , 4-", "bytes=- 5",
		"bytes=1-2-3", "bytes=--1", "bytes=x", "lines=1-2", "Bytes=1-2", "bytes=99-98", "bytes=0-1,x", "bytes=0-0,2-2,4-4,6-6,8-8,7-7", "bytes=9223372036854775807-",
	} {
		f.Add(field, byte(10))
		f.Add(field, byte(0))
	}
	f.Fuzz(func(t *testing.T, field string, size byte) {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(i)
		}
		want, named, ok := wantedBytes(field, int64(size))
		found := slices.Contains(want, true)
		if ranges, err := askedRanges(&http.Request{Method: http.MethodGet, Header: http.Header{"Range": {field}}}, int64(size)); err == nil && !disjoint(ranges) {
			t.Fatalf("%q of %d bytes: %v overlap or touch", field, size, ranges)
		}
		got := answerTo(content, http.Header{"Range": {field}})
		switch {
		case ok && size == 0 && named && onlyZeros(field[6:]):
			if got.StatusCode != 416 || got.Header.Get("Content-Range") != "bytes */0" {
				t.Fatalf("%q of an empty file: %s, %q", field, got.Status, got.Header.Get("Content-Range"))
			}
		case ok && !named, ok && size == 0:
			if body, err := io.ReadAll(got.Body); got.StatusCode != 200 || err != nil || !bytes.Equal(body, content) {
				t.Fatalf("%q of %d bytes: %s", field, size, got.Status)
			}
		case !ok:
			if got.StatusCode != 416 || got.Header.Get("Content-Range") != "" {
				t.Fatalf("%q is malformed: %s", field, got.Status)
			}
		case !found:
			if got.StatusCode != 416 || got.Header.Get("Content-Range") != fmt.Sprintf("bytes */%d", size) {
				t.Fatalf("%q of %d bytes: %s, %q", field, size, got.Status, got.Header.Get("Content-Range"))
			}
		default:
			if sent := sentBytes(t, got, content); got.StatusCode != 206 || !slices.Equal(sent, want) {
				t.Fatalf("%q of %d bytes: %s with %v", field, size, got.Status, sent)
			}
		}
	})
}

// onlyZeros reports whether a set of ranges asks for the last 0 bytes and nothing else.
func onlyZeros(set string) bool {
	return regexp.MustCompile(`^[ \t,]*(-[ \t]*0+[ \t]*(,[ \t,]*|$))+$`).MatchString(set)
}

// disjoint reports whether something lies between any two of the ranges, so that
// they sum up to less than the file.
func disjoint(ranges []registry.Range) bool {
	for i, a := range ranges {
		for _, b := range ranges[:i] {
			if a.Start <= b.End && b.Start <= a.End {
				return false
			}
		}
	}
	return true
}

// TestConditionsOfRanges: several ranges have the conditions that one has, in every
// combination, and those are ServeContent's.
func TestConditionsOfRanges(t *testing.T) {
	const tag, other = `"tag"`, `"other"`
	content, changed := []byte("0123456789"), time.Unix(1e9, 0)
	same, old, later := changed.UTC().Format(http.TimeFormat), time.Unix(1, 0).UTC().Format(http.TimeFormat), time.Unix(2e9, 0).UTC().Format(http.TimeFormat)
	ask := func(serve http.HandlerFunc, method, ranges string, header http.Header) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", nil)
		r.Header = header.Clone()
		r.Header.Set("Range", ranges)
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/zip")
		w.Header().Set("Etag", tag)
		serve(w, r)
		if r.Header.Get("Range") != ranges || r.Method != method {
			t.Error("the request was changed")
		}
		return w
	}
	ours := func(w http.ResponseWriter, r *http.Request) {
		serveContent(w, r, changed, int64(len(content)), bytes.NewReader(content))
	}
	theirs := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead { // ServeContent would give it ranges
			r = withRange(r, "")
		}
		http.ServeContent(w, r, "", changed, bytes.NewReader(content))
	}
	seen := map[int]int{}
	for _, header := range conditions(tag, other, same, old, later) {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for _, ranges := range []string{"bytes=0-1", "bytes=0-1,5-6", "bytes=50-", "bytes=x"} {
				want, got := ask(theirs, method, ranges, header), ask(ours, method, ranges, header)
				seen[got.Code]++
				for _, name := range []string{"Content-Type", "Content-Length", "Content-Range", "Etag", "Last-Modified", "Accept-Ranges"} {
					if got.Code == 206 && strings.Contains(ranges, ",") && strings.HasPrefix(name, "Content-") {
						continue // the boundary is random
					}
					if got.Header().Get(name) != want.Header().Get(name) {
						t.Errorf("%s %s %v: %s is %q, want %q", method, ranges, header, name, got.Header().Get(name), want.Header().Get(name))
					}
				}
				if got.Code != want.Code || got.Code != 206 && got.Body.String() != want.Body.String() {
					t.Errorf("%s %s %v: %d, want %d", method, ranges, header, got.Code, want.Code)
				}
			}
		}
	}
	for _, code := range []int{200, 206, 304, 412, 416} {
		if seen[code] == 0 {
			t.Errorf("none of %v is a %d", seen, code)
		}
	}
}

// conditions are all combinations of conditional headers.
func conditions(tag, other, same, old, later string) []http.Header {
	all := []http.Header{{}}
	for name, values := range map[string][]string{
		"If-Match": {tag, other, "*"}, "If-None-Match": {tag, other, "W/" + tag}, "If-Modified-Since": {same, old}, "If-Unmodified-Since": {same, old},
		"If-Range": {tag, "W/" + tag, other, same, later},
	} {
		for _, before := range slices.Clone(all) {
			for _, value := range values {
				header := before.Clone()
				header.Set(name, value)
				all = append(all, header)
			}
		}
	}
	return all
}

// endless is a content of size bytes that costs no memory.
type endless struct{ at, size int64 }

func (e *endless) Read(p []byte) (int, error) {
	n := min(int64(len(p)), e.size-e.at)
	if n <= 0 {
		return 0, io.EOF
	}
	e.at += n
	return int(n), nil
}

func (e *endless) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		offset += e.size
	}
	e.at = offset
	return offset, nil
}

// nowhere counts what is written to it.
type nowhere struct {
	header http.Header
	n      int64
}

func (w *nowhere) Header() http.Header { return w.header }

func (w *nowhere) WriteHeader(int) {}

func (w *nowhere) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	return len(p), nil
}

// TestMemoryOfRanges: what is allocated for an answer depends on the header's
// length, which is bounded, and not on how much is sent.
func TestMemoryOfRanges(t *testing.T) {
	allocated := func(size int64, field string) (bytes uint64, sent int64) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Range", field)
		w := &nowhere{header: http.Header{"Content-Type": {"application/zip"}}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		serveContent(w, r, time.Unix(1e9, 0), size, &endless{size: size})
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc, w.n
	}
	many := func(n, step int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ",%d-%d", i*step, (i+1)*step-2)
		}
		return "bytes=" + b.String()[1:]
	}
	for _, tc := range []struct {
		name, field string
		size        int64
		most        uint64 // bytes of memory
		sent        int64  // at least
	}{
		{"small ones", many(1000, 100), 1e5, 1 << 20, 99_000},
		{"large ones", many(1000, 1<<20), 1 << 30, 1 << 20, 1000<<20 - 1000},
		{"one, again and again", "bytes=" + strings.Repeat("0-0,", 16<<10-2), 1 << 30, 1 << 20, 1},
		{"as many as the header holds", "bytes=" + strings.Repeat("-1,", 21<<10), 1 << 30, 1 << 20, 1},
		{"none", "bytes=" + strings.Repeat(",", 65_000), 1 << 30, 1 << 20, 1 << 30},
		{"too many", many(1001, 9), 1 << 30, 1 << 20, 1 << 30},
		{"far too many", many(5500, 9), 1 << 30, 1 << 20, 1 << 30},
	} {
		if got, sent := allocated(tc.size, tc.field); got > tc.most || sent < tc.sent {
			t.Errorf("%s: %d KiB of memory for %d bytes", tc.name, got>>10, sent)
		} else {
			t.Logf("%s: %d bytes of header, %d KiB of memory, %d bytes sent", tc.name, len(tc.field), got>>10, sent)
		}
	}
}

// planned is content that can take few steps.
type planned struct {
	*bytes.Reader
	steps int
	plan  []registry.Range
}

// Plan takes as many steps as there are ranges that begin before the last ended.
func (p *planned) Plan(ranges []registry.Range) bool {
	p.plan = slices.Clone(ranges)
	steps, end := 0, int64(-1)
	for _, r := range ranges {
		if r.Start < end {
			steps++
		}
		end = r.End
	}
	return steps <= p.steps
}

// TestOrderOfRanges: parts come in the order in which they were asked for, a merged
// one where the first of its members was; where the store could not, in the file's.
func TestOrderOfRanges(t *testing.T) {
	content := []byte("0123456789abcdefghij")
	for _, tc := range []struct {
		field string
		steps int
		want  string
	}{
		{"bytes=15-16,0-1,17-17,5-6,2-2", 9, "[{15 18} {0 3} {5 7}]"},
		{"bytes=15-16,0-1,17-17,5-6,2-2", 0, "[{0 3} {5 7} {15 18}]"},
		{"bytes=15-16,0-1,17-17,5-6,2-2", -1, "whole"},
		{"bytes=15-16", -1, "whole"},
	} {
		p := &planned{Reader: bytes.NewReader(content), steps: tc.steps}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Range", tc.field)
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/zip")
		serveContent(w, r, time.Unix(1e9, 0), int64(len(content)), p)
		got := "whole"
		if w.Code == 206 {
			_ = sentBytes(t, w.Result(), content)
			got = fmt.Sprint(p.plan)
		}
		if got != tc.want {
			t.Errorf("%s in %d steps: %s, want %s", tc.field, tc.steps, got, tc.want)
		}
	}
}

// failing breaks off when it is read behind a place.
type failing struct {
	*bytes.Reader
	at int64
}

func (f *failing) Read(p []byte) (int, error) {
	if at, _ := f.Seek(0, io.SeekCurrent); at >= f.at {
		return 0, errors.New("the store is gone")
	}
	return f.Reader.Read(p)
}

// TestBrokenParts: an answer that breaks off in the middle never looks whole.
func TestBrokenParts(t *testing.T) {
	content := make([]byte, 1000)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/zip")
		serveContent(w, r, time.Unix(1e9, 0), 1000, &failing{bytes.NewReader(content), 500})
	}))
	defer web.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Range", "bytes=0-9,100-199,600-700")
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		t.Errorf("the client was told %v", err)
	}
}
