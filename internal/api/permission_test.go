package api_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/access/accesstest"
)

// TestEveryDoorIsListed: a door that is not in doors would be held to nothing by
// TestPermissionOfDoors.
func TestEveryDoorIsListed(t *testing.T) {
	listed := map[string]bool{}
	for _, d := range doors() {
		listed[d.pattern()] = true
	}
	there := map[string]bool{}
	for _, door := range newServer(t).api.Doors() {
		d := door.Method + " " + strings.TrimPrefix(door.Path, v4)
		there[d] = true
		if !listed[d] {
			t.Errorf("%s needs a line in doors: the right that GitLab documents for it", d)
		}
	}
	for d := range listed {
		if !there[d] {
			t.Errorf("%s is in doors, and no route", d)
		}
	}
}

// TestEveryRightIsAskedFor: a right that no door asks for is held to the
// documentation in access alone.
func TestEveryRightIsAskedFor(t *testing.T) {
	asked := map[access.Action]bool{}
	for _, d := range doors() {
		asked[d.right] = true
	}
	for _, right := range rightsOfPages() {
		if asked[right] {
			t.Errorf("right %d is asked for by a door of the API, too", right)
		}
		asked[right] = true
	}
	for _, right := range accesstest.Documented() {
		if !asked[right.Action] {
			t.Errorf("no line of doors asks to %s", right.What)
		}
	}
}

// rightsOfPages are the rights for which only pages and granary admin ask. Tests of auth hold
// their deeds to them.
func rightsOfPages() []access.Action {
	return []access.Action{access.MakeSignInLink, access.ReadSessions, access.EndSessions, access.IssueTokenInPerson}
}

// TestPermissionOfDoors asks at every door with every credential, in a private, an
// internal and a public project and in some of other settings, and compares the class of the answer (401,
// insufficient scope, 403, hidden, or let through) with what GitLab documents.
// It takes one cell in eight by chance; GRANARY_TEST_PERMISSION=all takes every
// cell, and a number there repeats the choice of a run.
func TestPermissionOfDoors(t *testing.T) {
	s := newServer(t)
	places := permissionPlaces()
	for i, p := range places {
		places[i] = s.furnish(p)
	}
	everybody := s.newCrowd(places)
	take, cells, asked := choice(t), 0, 0
	for _, p := range places {
		credentials := everybody.in(p)
		s.settle(p)
		for _, c := range credentials {
			for _, d := range doors() {
				if !p.has(d) || d.note == noBots && c.actor.Bot {
					continue
				}
				if cells++; take() {
					asked++
					s.tryDoor(t, d, c, p)
				}
			}
		}
	}
	t.Logf("%d of %d cells", asked, cells)
}

// choice says whether to take a cell.
func choice(t *testing.T) func() bool {
	how := os.Getenv("GRANARY_TEST_PERMISSION")
	if how == "all" {
		return func() bool { return true }
	}
	seed, err := strconv.ParseUint(how, 10, 64)
	if how == "" {
		seed, err = rand.Uint64(), nil
	}
	if err != nil {
		t.Fatalf(`GRANARY_TEST_PERMISSION is %q, want "all" or a number`, how)
	}
	t.Logf("GRANARY_TEST_PERMISSION=%d makes the same choice", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	return func() bool { return chance.IntN(8) == 0 }
}

// tryDoor asks once, and mends what that broke.
func (s *server) tryDoor(t *testing.T, d door, c credential, p permissionPlace) {
	t.Helper()
	got := s.knock(d, c, p)
	class, want := classOf(d, got), d.expect(t, c, p)
	if class != want || got.StatusCode >= 500 {
		t.Errorf("%s by %s, %s: %s, want %s\n%d %s", d, c.name, p.name, class, want, got.StatusCode, got.body)
	}
	if got.StatusCode < 300 {
		s.mend(t, d, c, p)
	}
}

// knock sends the request of a door. Links that sign in are made only if there are pages.
func (s *server) knock(d door, c credential, p permissionPlace) answer {
	if d.route == "POST /user/sign_in_links" {
		s.api.Pages = http.NotFoundHandler()
		defer func() { s.api.Pages = nil }()
	}
	method, path := d.address(p, c)
	var header []string
	if c.header != "" {
		header = append(header, c.header)
	}
	switch {
	case d.right == access.PublishPackage && d.body == nil && method == "PUT":
		return s.do(method, path, strings.NewReader("x"), header...)
	case d.body == nil:
		return s.do(method, path, nil, header...)
	}
	body, err := json.Marshal(d.params(p))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(method, path, bytes.NewReader(body), append(header, "Content-Type: application/json")...)
}

// The classes of answers.
const (
	letThrough   = "let through"
	askedToLogIn = "401"
	outOfScope   = "403, insufficient scope"
	denied       = "403"
	hidden       = "404, hidden"
)

// expect is the class of the answer that GitLab documents.
func (d door) expect(t *testing.T, c credential, p permissionPlace) string {
	t.Helper()
	switch c.dead {
	case 401:
		return askedToLogIn
	case 403:
		return denied
	}
	a := c.asSeenBy(d)
	rules := access.Rules{GuestsReadPackages: true, AnyonePulls: true}
	class := map[access.Verdict]string{access.Allowed: letThrough, access.Unauthenticated: askedToLogIn, access.OutOfScope: outOfScope,
		access.Hidden: hidden, access.Denied: denied}[documented(t, d.right).Expect(rules, a, c.standing(d, p))]
	return d.inTheWordsOf(class, a)
}

// inTheWordsOf is the class as this door tells it.
func (d door) inTheWordsOf(class string, a access.Actor) string {
	anonymous := a.Kind == access.Anonymous
	switch {
	case d.note == asksToLogIn && anonymous && class == hidden, d.note == unknownToken && class == denied, d.note == anyLogin && anonymous:
		return askedToLogIn
	case d.note == anyLogin && class != outOfScope:
		return letThrough // it is about the job, wherever that is
	case d.note == namespace && (class == denied || class == hidden):
		return "400, namespace is not valid"
	case strings.HasPrefix(d.route, "HEAD ") && class == outOfScope:
		return denied // there is no body to tell
	}
	return class
}

func documented(t *testing.T, action access.Action) accesstest.Right {
	t.Helper()
	rights := accesstest.Documented()
	i := slices.IndexFunc(rights, func(r accesstest.Right) bool { return r.Action == action })
	if i < 0 {
		t.Fatalf("action %d has no row in accesstest.Documented", action)
	}
	return rights[i]
}

// classOf tells what an answer says about permission. A 404 that names the
// project or the group, or nothing, hides it; one that names something in it, or
// says "Not found", came from behind the door.
func classOf(d door, got answer) string {
	says := func(text string) bool { return strings.Contains(got.body, text) }
	whole := strings.HasPrefix(d.route, "HEAD ") || d.right == access.ReadNamespace && says(`"404 Namespace Not Found"`) || d.note == asksToLogIn && says(`"404 Not Found"`)
	switch {
	case got.StatusCode == 401:
		return askedToLogIn
	case got.StatusCode == 403 && says("insufficient_scope"):
		return outOfScope
	case got.StatusCode == 403:
		return denied
	case got.StatusCode == 404 && (whole || says(`"404 Project Not Found"`) || says(`"404 Group Not Found"`)):
		return hidden
	case got.StatusCode == 400 && d.note == namespace && says(`"namespace":["is not valid`):
		return "400, namespace is not valid"
	}
	return letThrough
}

// TestTokenBeforeParameters: a request without its parameters is told first that
// nobody is logged in, or that the token does not reach that far.
func TestTokenBeforeParameters(t *testing.T) {
	s := newServer(t)
	p := s.furnish(permissionPlace{name: "tools", visibility: access.Public, packages: access.PackagesEnabled})
	ownerID, _ := s.user("owner")
	s.memberAt("/groups/"+p.group, ownerID, int(access.Owner))
	narrow := credential{name: "owner with read_api", header: "PRIVATE-TOKEN: " + s.token(ownerID, "read_api"),
		actor: access.Actor{Kind: access.User, UserID: ownerID, Scopes: []access.Scope{access.ScopeReadAPI}}, inProject: access.Owner, inGroup: access.Owner}
	for _, d := range doors() {
		method, _, _ := strings.Cut(d.route, " ")
		if method == "GET" || method == "HEAD" || d.right == access.AdminProtections {
			continue // GitLab validates protection rules before it asks who is there
		}
		d.body = nil
		for _, c := range []credential{narrow, {name: "anonymous"}} {
			want := d.expect(t, c, p)
			if got := s.knock(d, c, p); classOf(d, got) != want {
				t.Errorf("%s by %s without parameters: %d %s, want %s", d, c.name, got.StatusCode, got.body, want)
			}
		}
	}
}
