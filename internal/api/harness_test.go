package api_test

import (
	"bufio"
	"database/sql"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"granary/internal/metadb/metadbtest"
)

// beside opens the server's database once more; how is for SQLite.
func (s *server) beside(how string) *sql.DB {
	s.t.Helper()
	driver, at := "sqlite", "file:"+s.file+how
	if metadbtest.Wanted() {
		driver, at = "pgx", s.file
	}
	db, err := sql.Open(driver, at)
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

// exec writes to the database behind the server's back, and then has the server
// forget what it remembers.
func (s *server) exec(query string, args ...any) {
	s.t.Helper()
	db := s.beside("?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	defer db.Close()
	if _, err := db.ExecContext(s.t.Context(), query, args...); err != nil {
		s.t.Fatal(err)
	}
	s.root("POST", "/api/v4/features/unused", map[string]any{"value": true}).must(s.t, 201)
}

// ask reads one value from the database.
func ask[T any](s *server, query string, args ...any) (value T) {
	s.t.Helper()
	db := s.beside("?mode=ro")
	defer db.Close()
	if err := db.QueryRowContext(s.t.Context(), query, args...).Scan(&value); err != nil {
		s.t.Fatal(err)
	}
	return value
}

// dial connects to the server, for requests that no HTTP client would send.
func (s *server) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// raw sends the bytes of a request as they stand and reads one answer.
func (s *server) raw(request string) answer {
	s.t.Helper()
	conn := s.dial()
	if _, err := io.WriteString(conn, request); err != nil {
		s.t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	return readAnswer(s.t, bufio.NewReader(conn), method)
}

func readAnswer(t *testing.T, r *bufio.Reader, method string) answer {
	t.Helper()
	req, err := http.NewRequest(method, "http://raw", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(text)}
}

// header checks headers, given as "Name: value" lines; an empty value means
// that the header must not be there.
func (a answer) header(t *testing.T, lines ...string) answer {
	t.Helper()
	for _, line := range lines {
		name, want, _ := strings.Cut(line, ":")
		if got := a.Header.Get(name); got != strings.TrimSpace(want) {
			t.Errorf("%s %s: header %s is %q, want %q", a.Request.Method, a.Request.URL, name, got, strings.TrimSpace(want))
		}
	}
	return a
}

// starts checks the status and how the error or message begins.
func (a answer) starts(t *testing.T, status int, text string) {
	t.Helper()
	object := a.must(t, status)
	got, _ := object["error"].(string)
	if got == "" {
		got, _ = object["message"].(string)
	}
	if !strings.HasPrefix(got, text) {
		t.Errorf("%s %s: %s, want %q first", a.Request.Method, a.Request.URL, a.body, text)
	}
}

// group makes a group, below a parent where it is not 0.
func (s *server) group(name string, parent int64) int64 {
	s.t.Helper()
	form := map[string]any{"name": name, "path": name, "visibility": "public"}
	if parent != 0 {
		form["parent_id"] = parent
	}
	return int64(s.root("POST", "/api/v4/groups", form).must(s.t, 201)["id"].(float64))
}

// projectIn makes a project in a group and returns its id.
func (s *server) projectIn(group int64, name, visibility string) string {
	s.t.Helper()
	made := s.root("POST", "/api/v4/projects", map[string]any{"name": name, "namespace_id": group, "visibility": visibility})
	return itoa(int64(made.must(s.t, 201)["id"].(float64)))
}

// projectID is the id of a project known by its path.
func (s *server) projectID(ref string) string {
	s.t.Helper()
	return itoa(int64(s.root("GET", "/api/v4/projects/"+ref, nil).must(s.t, 200)["id"].(float64)))
}

// deployToken makes a deploy token of "projects/7" or "groups/3".
func (s *server) deployToken(of string, scopes ...string) (id, secret string) {
	s.t.Helper()
	made := s.root("POST", "/api/v4/"+of+"/deploy_tokens", map[string]any{"name": "ci", "scopes": scopes}).must(s.t, 201)
	return itoa(int64(made["id"].(float64))), made["token"].(string)
}

// job starts a job that acts as the owner of the token.
func (s *server) job(token, project string) (id, secret string) {
	s.t.Helper()
	made := s.as(token, "POST", "/api/v4/projects/"+project+"/jobs", map[string]any{"timeout": 600}).must(s.t, 201)
	return itoa(int64(made["id"].(float64))), made["token"].(string)
}
