package client

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"granary/internal/wire"
)

// errNoOrder is a list that cannot be searched by name.
var errNoOrder = errors.New("the order of the names in this list is not known")

// named lists the packages of one name. The server's filter finds every name that
// contains this one, which may be thousands of packages. So the list is ordered by name,
// and only the pages with this name are asked for, and those that lead to them. How a
// database orders names is not known for sure: if the name is not found in this way, or
// the pages do not fit together, all pages are read.
func (c *Client) named(ctx context.Context, path, name string, query url.Values) ([]wire.Package, error) {
	byName := maps.Clone(query)
	byName.Set("order_by", "name")
	byName.Set("sort", "asc")
	s := &search{lister: newLister[wire.Package](c, path, byName, maxPages, maxList), name: name, pages: map[int][]wire.Package{}}
	found, err := s.run(ctx)
	if errors.Is(err, errNoOrder) {
		return List[wire.Package](ctx, c, path, query)
	}
	slices.SortFunc(found, func(a, b wire.Package) int {
		return cmp.Or(time.Time(a.CreatedAt).Compare(time.Time(b.CreatedAt)), cmp.Compare(a.ID, b.ID))
	})
	return found, err
}

// search looks for the rows of one name in a list that is ordered by name.
type search struct {
	*lister[wire.Package]
	name  string
	pages map[int][]wire.Package // that were read, by number
	last  int                    // number of the last page, 0 if unknown: GitLab does not count long lists
}

// run returns errNoOrder if the name is not found.
func (s *search) run(ctx context.Context) ([]wire.Package, error) {
	if err := s.read(ctx, 1, 1); err != nil {
		return nil, err
	}
	if s.last == 1 {
		return s.pages[1], nil
	}
	first, err := s.seek(ctx)
	if err != nil {
		return nil, err
	}
	end := first
	for first > 1 && s.pages[first][0].Name == s.name {
		begin := max(1, first-pagesAtOnce)
		if err := s.read(ctx, begin, first-1); err != nil {
			return nil, err
		}
		first = begin
	}
	for end != s.last && s.endsWithName(end) {
		begin := end + 1
		if end += pagesAtOnce; s.last > 0 {
			end = min(end, s.last)
		}
		if err := s.read(ctx, begin, end); err != nil {
			return nil, err
		}
	}
	return s.rows(first, end)
}

// read asks for pages that are not there yet.
func (s *search) read(ctx context.Context, first, last int) error {
	found, header, err := s.lister.pages(ctx, first, last)
	if err != nil {
		return err
	}
	for i, rows := range found {
		s.pages[first+i] = rows
	}
	switch total := totalPages(header); {
	case len(found[last-first]) > 0 && nextPage(header, last) == 0:
		s.last = last
	case total > 0:
		s.last = total
	}
	return nil
}

// seek finds a page with the name.
func (s *search) seek(ctx context.Context) (int, error) {
	low, high := 1, s.last+1 // it is before high; high is 1 if that is unknown
	for at := 1; ; {
		where, err := s.compare(at)
		switch {
		case err != nil:
			return 0, err
		case where == 0:
			return at, nil
		case where < 0:
			low = at + 1
		default:
			high = at
		}
		if high == 1 && low > 1 {
			at *= 2
		} else if at = (low + high) / 2; low >= high {
			return 0, errNoOrder
		}
		if err := s.read(ctx, at, at); err != nil {
			return 0, err
		}
	}
}

// compare tells whether a page is before the name, has it (0), or is behind it.
func (s *search) compare(page int) (int, error) {
	rows := s.pages[page]
	order := s.order()
	switch {
	case len(rows) == 0:
		return 1, nil
	case slices.ContainsFunc(rows, func(p wire.Package) bool { return p.Name == s.name }):
		return 0, nil
	case order == nil:
		return 0, errNoOrder
	case order(rows[len(rows)-1].Name, s.name) < 0:
		return -1, nil
	case order(rows[0].Name, s.name) > 0:
		return 1, nil
	}
	return 0, errNoOrder
}

func (s *search) endsWithName(page int) bool {
	rows := s.pages[page]
	return len(rows) > 0 && rows[len(rows)-1].Name == s.name
}

// rows are those of the name in some pages that lie one behind the other. GitLab orders
// rows with one name as it pleases, each time: one may be on two pages, and another one
// on none.
func (s *search) rows(first, last int) ([]wire.Package, error) {
	var all []wire.Package
	for number := first; number <= last; number++ {
		all = append(all, s.pages[number]...)
	}
	isNamed := func(p wire.Package) bool { return p.Name == s.name }
	all = all[slices.IndexFunc(all, isNamed):]
	ids := map[int64]bool{}
	for len(ids) < len(all) && isNamed(all[len(ids)]) && !ids[all[len(ids)].ID] {
		ids[all[len(ids)].ID] = true
	}
	if slices.ContainsFunc(all[len(ids):], isNamed) {
		return nil, errNoOrder
	}
	return all[:len(ids)], nil
}

// order is one in which all rows are that were read, nil if none is known.
func (s *search) order() func(a, b string) int {
	for _, order := range []func(a, b string) int{strings.Compare, compareLetters} {
		before, sorted := "", true
		for _, number := range slices.Sorted(maps.Keys(s.pages)) {
			for _, p := range s.pages[number] {
				sorted = sorted && order(before, p.Name) <= 0
				before = p.Name
			}
		}
		if sorted {
			return order
		}
	}
	return nil
}

// compareLetters compares as databases do that order texts as a dictionary: by letters
// and digits, without their case. Names that differ in nothing else are equal.
func compareLetters(a, b string) int {
	plain := func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}
	return strings.Compare(strings.Map(plain, a), strings.Map(plain, b))
}
