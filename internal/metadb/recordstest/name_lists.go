package recordstest

import (
	"strings"
	"testing"
	"time"

	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/versions"
)

func nameLists() []promise {
	return []promise{
		{"ListNames", "returns one row a name, in every order", testListNames},
		{"ListNames", "leaves out what was not looked for", testFilteredNames},
		{"FindName", "returns versions, bytes and channels, also of what no list shows", testFindName},
		{"CountVersions", "finds nothing to do: a publish counts", testCountVersions},
		{"OrderNames", "changes no list", testOrderNames},
	}
}

// listedNames are the names of a list, joined by spaces.
func (s *suite) listedNames(t *testing.T, projectID int64, c registry.NameChoice, at *page.Cursor, limit int) string {
	t.Helper()
	if c.Order == "" {
		c.Order = registry.NamesByName
	}
	found, err := s.ListNames(t.Context(), projectID, c, at, limit)
	must(t, 0, err)
	var all []string
	for _, r := range found.Rows {
		all = append(all, string(r.Name))
	}
	return strings.Join(all, " ")
}

// manyNames publishes a (2 versions), b (one, with two files) and c (one).
func (s *suite) manyNames(t *testing.T) int64 {
	t.Helper()
	_, _, p := s.home(t)
	s.version(t, p.ID, "b", "2.0.0", registry.StatusDefault)
	s.publish(t, publication(p.ID, "b", "2.1.0-rc.1", "a-much-longer-file"))
	s.version(t, p.ID, "a", "1.0.0", registry.StatusDefault)
	s.version(t, p.ID, "a", "1.1.0", registry.StatusDeprecated)
	s.version(t, p.ID, "c", "1.0.0-rc.1", registry.StatusError)
	s.version(t, p.ID, "c", "9.0.0", registry.StatusHidden)
	s.version(t, p.ID, "hidden", "1.0.0", registry.StatusHidden)
	return p.ID
}

// ordersOfManyNames are the names, the lowest first.
func ordersOfManyNames() map[registry.NameOrder]string {
	return map[registry.NameOrder]string{registry.NamesByName: "a b c", registry.NamesByPublished: "b a c", registry.NamesByStored: "c a b"}
}

func testListNames(t *testing.T, s *suite) {
	p := s.manyNames(t)
	for order, want := range ordersOfManyNames() {
		c := registry.NameChoice{NameQuery: registry.NameQuery{Order: order, Asc: true}}
		wantSame(t, "by "+string(order), s.listedNames(t, p, c, nil, 10), want)
		found, err := s.ListNames(t.Context(), p, c, nil, 2)
		must(t, 0, err)
		wantSame(t, "total", found.Total, 3)
		after := &page.Cursor{Keys: found.Rows[1].Keys}
		wantSame(t, "after", s.listedNames(t, p, c, after, 2), want[4:])
		after.Back = true
		wantSame(t, "before", s.listedNames(t, p, c, after, 2), want[:1])
	}
	found, err := s.ListNames(t.Context(), p, registry.NameChoice{NameQuery: registry.NameQuery{Order: registry.NamesByVersions}}, nil, 10)
	must(t, 0, err)
	a := found.Rows[0]
	if a.Name != "a" || a.Versions != 2 || a.Stored != 8 || a.Latest.Version != "1.1.0" || a.Latest.Status != registry.StatusDeprecated || a.Last.Version != "1.1.0" {
		t.Errorf("%+v", a)
	}
}

func testFilteredNames(t *testing.T, s *suite) {
	p := s.manyNames(t)
	soon, within := now().Add(time.Hour), func(text string) *versions.Range { return selector(t, text).Range }
	for want, c := range map[string]registry.NameChoice{
		"b":      {Name: registry.NameFilter{Terms: []string{"B"}}},
		"":       {Name: registry.NameFilter{Terms: []string{"B", "c"}}},
		"a":      {Version: "1.1"},
		"a c":    {Version: "1."},
		"a b":    {NameQuery: registry.NameQuery{Status: registry.StatusDefault, Until: &soon}},
		"c":      {NameQuery: registry.NameQuery{Status: registry.StatusError}},
		"b ":     {Within: within("^2")},
		" ":      {NameQuery: registry.NameQuery{Since: &soon}},
		"a b c":  {NameQuery: registry.NameQuery{Until: &soon}},
		"hidden": {Name: registry.NameFilter{Terms: []string{"hid"}}, NameQuery: registry.NameQuery{Status: registry.StatusHidden}},
	} {
		c.Asc = true
		wantSame(t, "found", s.listedNames(t, p, c, nil, 10), strings.TrimSpace(want))
	}
}

func testFindName(t *testing.T, s *suite) {
	p := s.manyNames(t)
	s.published(t, p, "1.0.0")
	stable := s.channel(t, p, "stable", "1.0.0")
	beta := s.channel(t, p, "beta", "1.0.0")
	for name, want := range map[registry.Name]registry.NameFacts{
		"a": {Versions: 2, Stored: 8}, "b": {Versions: 2, Stored: 22}, "c": {Versions: 1, Stored: 4},
		"hidden": {}, "none": {}, "tool": {Versions: 1, Stored: 4, Channels: []registry.Channel{beta, stable}},
	} {
		facts, err := s.FindName(t.Context(), p, name)
		wantSame(t, string(name), must(t, facts, err), want)
	}
}

func testCountVersions(t *testing.T, s *suite) {
	s.manyNames(t)
	n, err := s.CountVersions(t.Context(), 10)
	wantSame(t, "versions that are not counted", must(t, n, err), 0)
}

func testOrderNames(t *testing.T, s *suite) {
	p := s.manyNames(t)
	for left := 1; left > 0; {
		n, err := s.OrderNames(t.Context(), 2)
		if left = must(t, n, err); n > 2 {
			t.Errorf("%d names, want 2 at most", n)
		}
		for order, want := range ordersOfManyNames() {
			wantSame(t, "by "+string(order), s.listedNames(t, p, registry.NameChoice{NameQuery: registry.NameQuery{Order: order, Asc: true}}, nil, 10), want)
		}
	}
}
