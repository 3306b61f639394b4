package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"granary/internal/client"
)

// row is a package in a list of a server.
type row struct {
	ID      int    `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Type    string `json:"package_type"`
}

// shop is the list of packages of a server: as GitLab has it, with a filter that finds
// longer names, too.
type shop struct {
	rows  []row
	order func(a, b string) int // of names
	count bool                  // tells the number of pages
	shake bool                  // gives rows of one name in another order each time, as a database may

	mu    sync.Mutex
	asked int
}

func (s *shop) add(name string, versions int) {
	for i := range versions {
		s.rows = append(s.rows, row{len(s.rows) + 1, name, fmt.Sprintf("1.%d.0", i), "generic"})
	}
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked++
	turn := s.asked
	s.mu.Unlock()
	q := r.URL.Query()
	rows := slices.DeleteFunc(slices.Clone(s.rows), func(p row) bool {
		return !strings.Contains(strings.ToLower(p.Name), strings.ToLower(q.Get("package_name"))) ||
			q.Has("package_version") && p.Version != q.Get("package_version")
	})
	if q.Get("order_by") == "name" {
		if s.shake && turn%2 == 0 {
			slices.Reverse(rows)
		}
		slices.SortStableFunc(rows, func(a, b row) int { return s.order(a.Name, b.Name) })
	}
	page, _ := strconv.Atoi(q.Get("page"))
	size, _ := strconv.Atoi(q.Get("per_page"))
	from := min((page-1)*size, len(rows))
	to := min(from+size, len(rows))
	w.Header().Set("X-Next-Page", map[bool]string{true: strconv.Itoa(page + 1)}[to < len(rows)])
	if s.count {
		w.Header().Set("X-Total-Pages", strconv.Itoa((len(rows)+size-1)/size))
	}
	_ = json.NewEncoder(w).Encode(append([]row{}, rows[from:to]...))
}

// dictionary is how many databases order texts.
func dictionary(a, b string) int {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "")) }
	return strings.Compare(plain(a)+" "+a, plain(b)+" "+b)
}

func backwards(a, b string) int { return strings.Compare(b, a) }

// All versions of a name are found among thousands of names that contain it, in a few
// requests, in whatever order the server has names. What is not found in this way is
// looked for on all pages.
func TestNameAmongLongerOnes(t *testing.T) {
	fill := func(s *shop, own int) {
		for i := range 100 {
			s.add(fmt.Sprintf("a%02d-pkg-77", i), 40)
			s.add(fmt.Sprintf("pkg-77%02d", i), 40)
			s.add(fmt.Sprintf("Pkg-77%02d", i), 1)
		}
		s.add("pkg-77", own)
	}
	for _, tt := range []struct {
		what  string
		order func(a, b string) int
		own   int
		shake bool
		most  int // requests
	}{
		{"bytes", strings.Compare, 30, false, 16},
		{"bytes", strings.Compare, 1000, false, 26},
		{"dictionary", dictionary, 1000, false, 26},
		{"another order", backwards, 150, false, 130},
		{"none of this name", strings.Compare, 0, false, 120},
		{"one page whose rows move", strings.Compare, 20, true, 16},
		{"pages whose rows move", strings.Compare, 450, true, 150},
	} {
		for _, count := range []bool{true, false} {
			s := &shop{order: tt.order, count: count, shake: tt.shake}
			fill(s, tt.own)
			c := serve(t, s.ServeHTTP)
			found, err := c.Packages(t.Context(), "7", "pkg-77", "")
			versions := map[string]bool{}
			for _, p := range found {
				versions[p.Name+p.Version] = true
			}
			if err != nil || len(found) != tt.own || len(versions) != tt.own || s.asked > tt.most {
				t.Errorf("%s, %d versions, pages counted: %v: found %d, %d of them different, in %d requests: %v", tt.what, tt.own, count, len(found), len(versions), s.asked, err)
			}
			if !slices.IsSortedFunc(found, func(a, b client.Package) int { return int(a.ID - b.ID) }) {
				t.Errorf("%s: not the oldest first", tt.what)
			}
		}
	}
}

// A name that is the first of those that contain it costs its own pages alone.
func TestNameBeforeLongerOnes(t *testing.T) {
	s := &shop{order: strings.Compare, count: true}
	for i := range 100 {
		s.add(fmt.Sprintf("pkg-77%02d", i), 100)
	}
	s.add("pkg-77", 60)
	c := serve(t, s.ServeHTTP)
	if found, err := c.Packages(t.Context(), "7", "pkg-77", ""); err != nil || len(found) != 60 || s.asked != 1 {
		t.Errorf("%d found in %d requests: %v", len(found), s.asked, err)
	}
	s.asked = 0
	if found, err := c.Packages(t.Context(), "7", "pkg-77", "1.7.0"); err != nil || len(found) != 1 || s.asked != 1 {
		t.Errorf("one version: %d found in %d requests: %v", len(found), s.asked, err)
	}
}
