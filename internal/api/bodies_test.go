package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"granary/internal/api"
	"granary/internal/eventually"
	"granary/internal/throttle"
)

// serveBodies is serveAnswers with the memory that the daemon gives to bodies.
func serveBodies(t *testing.T, wait time.Duration) *server {
	t.Helper()
	return serveAnswers(t, wait, 0, func(a *api.Server) { a.Bodies = throttle.NewBudget(api.BodiesMemory, api.BodiesEach) })
}

// TestLargeBodiesNeedALogin: routes that judge parameters before the login take
// nothing large from somebody who has none, and the body is not read.
func TestLargeBodiesNeedALogin(t *testing.T) {
	s := serveBodies(t, 0)
	rules := "/api/v4/projects/" + s.projectID(s.project("tool", "public")) + "/packages/protection/rules"
	pattern := `{"package_name_pattern":"` + strings.Repeat("a", 20_000) + `"}`
	s.do("POST", rules, strings.NewReader(pattern)).must(t, 401)
	s.do("POST", rules, strings.NewReader(pattern[:100]+`"}`)).must(t, 400)
	s.root("POST", rules, pattern).must(t, 400)
	conn := s.dial()
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{", rules); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 12)
	if _, err := conn.Read(head); err != nil || string(head) != "HTTP/1.1 401" {
		t.Errorf("a large body that does not come: %q %v", head, err)
	}
}

// TestBodiesShareMemory: one user's large bodies take their part and no more, and
// give it back.
func TestBodiesShareMemory(t *testing.T) {
	s := serveBodies(t, time.Minute)
	project := s.projectID(s.project("tool", "public"))
	releases := "/api/v4/projects/" + project + "/releases"
	id, ann := s.user("ann")
	s.member(project, id, 30)
	for range 3 {
		conn := s.dial()
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nPRIVATE-TOKEN: %s\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{", releases, ann); err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	eventually.Holds(t, "two are read, the third waits", func() bool {
		taken, waiting := s.api.Bodies.Held()
		return taken == 6_000_000 && waiting == 1
	})
	large := `{"tag_name":"%s","description":"` + strings.Repeat("a", 900_000) + `"}`
	s.hurried().as(ann, "POST", releases, fmt.Sprintf(large, "v1")).header(t, "Retry-After: 5").must(t, 503)
	s.as(ann, "POST", releases, `{"tag_name":"v2"}`).must(t, 201)
	s.root("POST", releases, fmt.Sprintf(large, "v3")).must(t, 201)
	s.as(s.token(1, "api", "sudo"), "POST", releases, fmt.Sprintf(`{"sudo":"ann",`+large[1:], "v4")).must(t, 201)
	eventually.Holds(t, "what was taken is given back", func() bool {
		taken, _ := s.api.Bodies.Held()
		return taken == 6_000_000
	})
}

// TestManySmallValues: a body of very many values is refused before they are made.
func TestManySmallValues(t *testing.T) {
	s := serveBodies(t, 0)
	many := `{"name":"a","list":[` + strings.Repeat("0,", 400_000) + `0]}`
	s.root("POST", "/api/v4/projects", many).
		is(t, 400, `{"error":"the body has too many values (maximum is 10000 with names and brackets)"}`)
}
