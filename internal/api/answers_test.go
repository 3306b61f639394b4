package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/api"
	"granary/internal/eventually"
	"granary/internal/httpd"
	"granary/internal/throttle"
)

// serveAnswers serves the API behind the chain, which believes the addresses
// that the test names, with the memory that the daemon gives it.
func serveAnswers(t *testing.T, wait, patience time.Duration, set ...func(*api.Server)) *server {
	t.Helper()
	s := newServer(t)
	s.api.ClientIP, s.api.Note = httpd.ClientIP, httpd.Note
	s.api.Answers = throttle.NewBudget(api.AnswersMemory, api.AnswersEach)
	s.api.AnswerWait, s.api.AnswerPatience = wait, patience
	for _, f := range set {
		f(s.api)
	}
	s.serve(s.api)
	return s
}

func (s *server) serve(a *api.Server) {
	s.t.Helper()
	web := httptest.NewServer(httpd.Chain(a.Handler(), httpd.Options{
		Log: slog.New(slog.DiscardHandler), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}))
	s.t.Cleanup(web.Close)
	s.url = web.URL
}

// hurried is another door of the same server, where nobody waits long for memory.
func (s *server) hurried() *server {
	s.t.Helper()
	door, other := *s.api, *s
	door.AnswerWait = 50 * time.Millisecond
	other.serve(&door)
	return &other
}

// releases makes so many releases of a project with descriptions of that text.
func (s *server) releases(project string, count int, description string) {
	s.t.Helper()
	s.rows(count, `INSERT INTO releases (project_id, tag, name, description, ref, milestones, author_id, created_at, updated_at, released_at)
		VALUES ($1, $2, $2, $3, '', '', 1, $4, $4, $4)`, func(i int) []any {
		return []any{project, fmt.Sprintf("v%d", i), description, 1_700_000_000_000_000 + i}
	})
}

// rows inserts rows behind the server's back.
func (s *server) rows(count int, query string, values func(i int) []any) {
	s.t.Helper()
	db := s.beside("?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	defer db.Close()
	tx, err := db.BeginTx(s.t.Context(), nil)
	for i := 0; err == nil && i < count; i++ {
		_, err = tx.ExecContext(s.t.Context(), query, values(i)...)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
}

// slow asks for a list and takes nothing of the answer.
func (s *server) slow(path, from string) net.Conn {
	s.t.Helper()
	conn := s.dial()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\n\r\n", path, from); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// heap is the memory in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSlowReaders is 200 clients that ask for 95 MiB and take nothing: half of
// them from addresses of their own, half from one. Beside them an ordinary list
// waits for nothing, though there are more of them than connections to the
// database; another large one is put off. They are cut off in the end.
func TestSlowReaders(t *testing.T) {
	s := serveAnswers(t, time.Minute, time.Minute)
	project := s.projectID(s.project("tool", "public"))
	s.releases(project, 100, strings.Repeat("a", 1_000_000))
	large := "/api/v4/projects/" + project + "/releases?per_page=100"
	before := heap()
	var conns []net.Conn
	for i := range 200 {
		from := "198.51.100.1"
		if i%2 == 0 {
			from = fmt.Sprintf("203.0.113.%d", i/2)
		}
		conns = append(conns, s.slow(large, from))
	}
	eventually.Holds(t, "the memory is taken", func() bool {
		taken, waiting := s.api.Answers.Held()
		return taken == api.AnswersMemory && waiting == 200-int(taken>>20)
	})
	eventually.Holds(t, "200 slow readers take less than 32 MiB", func() bool { return heap()-before < 32<<20 })

	for _, path := range []string{"/api/v4/projects", "/api/v4/projects/" + project + "/packages?per_page=100", "/api/v4/projects/" + project} {
		s.do("GET", path, nil, "X-Forwarded-For: 192.0.2.9").must(t, 200)
		if taken, waiting := s.api.Answers.Held(); taken != api.AnswersMemory || waiting == 0 {
			t.Errorf("%s was answered when there was room again", path)
		}
	}
	s.hurried().do("GET", large, nil, "X-Forwarded-For: 192.0.2.9").header(t, "Retry-After: 5").
		starts(t, 503, "503 Service Unavailable - too many large answers are being sent")

	for _, conn := range conns {
		_ = conn.Close()
	}
	eventually.Holds(t, "all is given back", func() bool {
		taken, waiting := s.api.Answers.Held()
		return taken == 0 && waiting == 0
	})
}

// TestSlowReadersAreCutOff: a client that takes nothing loses its connection,
// its memory is given back, and what it has does not look whole. One that takes
// its answer slowly gets it all, and its connection goes on.
func TestSlowReadersAreCutOff(t *testing.T) {
	const patience = 1500 * time.Millisecond // a client that decodes with the race detector pauses, too
	s := serveAnswers(t, 0, patience)
	project := s.projectID(s.project("tool", "public"))
	s.releases(project, 20, strings.Repeat("a", 1_000_000))
	large := "/api/v4/projects/" + project + "/releases?per_page=100"

	conn := s.slow(large, "203.0.113.1")
	eventually.Holds(t, "it reads", func() bool { taken, _ := s.api.Answers.Held(); return taken > 0 })
	eventually.Holds(t, "it is cut off", func() bool { taken, _ := s.api.Answers.Held(); return taken == 0 })
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil || n >= 20_000_000 {
		t.Errorf("who was cut off has %d bytes, %v", n, err)
	}

	conn = s.dial()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil { // 20 MB, with the race detector, on a busy machine
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET "+large+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err = http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct{ Description string }
	if err := json.NewDecoder(&sleepy{resp.Body, 0}).Decode(&rows); err != nil || len(rows) != 20 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	time.Sleep(2 * patience) // the deadline of the answer is not the connection's
	if _, err := io.WriteString(conn, "GET /api/v4/projects HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	readAnswer(t, r, "GET").must(t, 200)
}

// sleepy pauses at each 4 MiB.
type sleepy struct {
	io.Reader
	read int
}

func (s *sleepy) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if (s.read+n)>>22 != s.read>>22 {
		time.Sleep(100 * time.Millisecond)
	}
	s.read += n
	return n, err
}

// TestOneKeyHasItsPart: who has 4 MiB waits, and others do not wait for it.
func TestOneKeyHasItsPart(t *testing.T) {
	s := serveAnswers(t, time.Minute, time.Minute)
	project := s.projectID(s.project("tool", "public"))
	s.releases(project, 20, strings.Repeat("a", 1_000_000))
	large := "/api/v4/projects/" + project + "/releases?per_page=100"
	_, ann := s.user("ann")
	for range 6 {
		s.slow(large, "203.0.113.1")
	}
	eventually.Holds(t, "two wait", func() bool {
		taken, waiting := s.api.Answers.Held()
		return taken == api.AnswersEach && waiting == 2
	})
	s.hurried().do("GET", large, nil, "X-Forwarded-For: 203.0.113.1").must(t, 503)
	s.do("GET", large, nil, "X-Forwarded-For: 203.0.113.1", "PRIVATE-TOKEN: "+ann).must(t, 200)
	s.do("GET", large, nil, "X-Forwarded-For: 203.0.113.2").must(t, 200)
	s.do("HEAD", large, nil, "X-Forwarded-For: 203.0.113.2").header(t, "X-Total: 20").must(t, 200)
}

// TestLargeReleasesAreWritten: one in parts is the same as one that is held
// whole, whatever is in its text, and whichever way it is asked for.
func TestLargeReleasesAreWritten(t *testing.T) {
	s := serveAnswers(t, 0, 0)
	at := "/api/v4/projects/" + s.project("tool", "public") + "/releases"
	text := strings.Repeat("\x01é𝔵\u2028\"\\<&> \",\"links\":[\"description\":\"\n", 8000)
	links := []map[string]string{{"name": `"links":[`, "url": "https://example.com/1"}, {"name": "b", "url": "https://example.com/2", "filepath": "/b"}}
	small := s.root("POST", at, map[string]any{"tag_name": "small", "description": text[:2000], "assets": map[string]any{"links": links}}).must(t, 201)
	wantValue(t, "a small description", small["description"].(string), text[:2000])
	for i, got := range []answer{
		s.root("POST", at+"?include_html_description=1", map[string]any{"tag_name": "large", "description": text, "assets": map[string]any{"links": links}}),
		s.root("PUT", at+"/large?include_html_description=1", map[string]any{"name": "one"}),
		s.root("GET", at+"/large?include_html_description=1", nil),
		s.root("DELETE", at+"/large?include_html_description=1", nil),
	} {
		var r struct {
			Description, DescriptionHTML string
			HTML                         string `json:"description_html"`
			Assets                       struct {
				Count int
				Links []struct{ Name string }
			}
			Links map[string]string `json:"_links"`
		}
		if err := json.Unmarshal([]byte(got.body), &r); err != nil || got.StatusCode/100 != 2 {
			t.Fatalf("%d: %d %v", i, got.StatusCode, err)
		}
		wantValue(t, "description", r.Description == text, true)
		wantValue(t, "description_html", r.HTML == "<p>"+html.EscapeString(text)+"</p>", true)
		if r.Assets.Count != 2 || len(r.Assets.Links) != 2 || r.Assets.Links[1].Name != `"links":[` || r.Links["self"] == "" {
			t.Errorf("%d: %+v", i, r.Assets)
		}
	}
	s.root("GET", at+"/large", nil).must(t, 404)
}

// TestATornAnswerDoesNotLookWhole: what fails once the header is out cuts the
// connection, and nothing is held after it.
func TestATornAnswerDoesNotLookWhole(t *testing.T) {
	var s *server
	var once sync.Once
	s = serveAnswers(t, 0, 0, func(a *api.Server) {
		a.OnStep(func(n int) {
			if n > 10_000 {
				once.Do(func() { s.rows(1, `ALTER TABLE release_links RENAME TO gone`, func(int) []any { return nil }) })
			}
		})
	})
	project := s.projectID(s.project("tool", "public"))
	s.releases(project, 3, strings.Repeat("a", 1_000_000))
	resp, err := http.Get(s.url + "/api/v4/projects/" + project + "/releases")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil || resp.StatusCode != 200 || n == 0 || n > 2_000_000 {
		t.Errorf("status %d, %d bytes, then %v; want a part of the answer and an error", resp.StatusCode, n, err)
	}
	eventually.Holds(t, "it is given back", func() bool { taken, _ := s.api.Answers.Held(); return taken == 0 })
}
