package registry

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/versions"
)

// NameOrder is an order of a list of names, the highest first.
type NameOrder string

// The orders.
const (
	NamesByPublished NameOrder = "published" // of the newest version
	NamesByName      NameOrder = "name"
	NamesByVersions  NameOrder = "versions"
	NamesByStored    NameOrder = "stored"
)

// NameQuery chooses names of packages, and their order.
type NameQuery struct {
	Search       string     // "sonde", "sonde 2.4" or "sonde ^2": parts of the name, then how a version begins, or a range
	Since, Until *time.Time // when the newest version was published: from Since on, before Until; nil: not limited
	Status       Status     // of some version; "" for any that lists show
	Order        NameOrder  // "": NamesByPublished
	Asc          bool       // the lowest first
}

// NameChoice is a NameQuery as records take it.
type NameChoice struct {
	NameQuery
	Name    NameFilter
	Version Version         // how some version begins; "" for any
	Within  *versions.Range // of some version; nil for any
}

// NamesCounted is how many names are counted: a larger Total says that there are more.
const NamesCounted = 10_000

// NameRow is a package with all its versions. Only those that lists show count.
type NameRow struct {
	Name        Name
	Versions    int
	Stored      int64     // bytes of their files
	PublishedAt time.Time // of the newest
	// Latest is what the selector latest chooses, else the highest, and Last is the newest;
	// nil if lists show none. Their pipelines have only their ids.
	Latest, Last *PackageVersion
	Channels     []Channel
	Keys         []string // of a cursor at this row
}

// FoundNames is what records find of a NameChoice.
type FoundNames struct {
	Rows  []NameRow
	Total int
	// Resume is where to search on if the rows end because the search has read as many
	// names as it may; nil if it has read all.
	Resume *page.Cursor
}

// Names is a page of names.
type Names struct {
	page.Part[NameRow]
	Total  int  // on all pages; more than NamesCounted: not counted any further; -1: not known
	FlagOn bool // feature flag generic_packages
}

// namesPage is how many names a page has.
const namesPage = 20

// Names lists the packages of a project, one row a name. A page may have fewer rows than
// others, or none, and another page after it: a search reads a limited number of names.
// Invalid if the cursor or the order is of no such list.
func (r *Registry) Names(ctx context.Context, a access.Actor, project string, q NameQuery, at *page.Cursor) (Names, error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return Names{}, err
	}
	c, err := q.choice()
	if err != nil {
		return Names{}, err
	}
	if _, err = at.In(q.cursorOrder(), nameKeys); err != nil {
		return Names{}, err
	}
	if q.Status == StatusDraft && !r.may(a, place, access.PublishPackage) {
		return Names{FlagOn: place.FlagOn}, nil
	}
	found, err := r.Records.ListNames(ctx, place.ProjectID, c, at, namesPage+1)
	if err != nil {
		return Names{}, err
	}
	all := Names{page.PartOf(q.cursorOrder(), at, found.Rows, namesPage, nameKeysOf), found.Total, place.FlagOn}
	if on := found.Resume; on != nil && len(found.Rows) <= namesPage {
		on.Order, on.Back = q.cursorOrder(), at != nil && at.Back
		if on.Back {
			all.Newer = on
		} else {
			all.Older = on
		}
	}
	return all, nil
}

// nameKeys is how many keys a cursor of names has.
const nameKeys = 2

func nameKeysOf(row NameRow) []string { return row.Keys }

// cursorOrder names the order in cursors.
func (q NameQuery) cursorOrder() string {
	order := string(cmp.Or(q.Order, NamesByPublished))
	if q.Asc {
		return "names:" + order
	}
	return "names:-" + order
}

// choice reads the search: its last word is a version if it begins with a digit, or is a
// range, and others precede it.
func (q NameQuery) choice() (c NameChoice, err error) {
	c.NameQuery = q
	c.Order = cmp.Or(q.Order, NamesByPublished)
	if !slices.Contains([]NameOrder{NamesByPublished, NamesByName, NamesByVersions, NamesByStored}, c.Order) {
		return c, fault.New(fault.Invalid, "sort is invalid, want published, name, versions or stored")
	}
	search := strings.TrimSpace(q.Search)
	if i := strings.LastIndexAny(search, " \t"); i > 0 {
		last := search[i+1:]
		s, ok := versions.ParseSelector(last)
		switch {
		case ok && s.Range != nil:
			c.Within, search = s.Range, search[:i]
		case '0' <= last[0] && last[0] <= '9':
			c.Version, search = Version(last), search[:i]
		}
	}
	c.Name, err = ParseNameFilter(search)
	return c, err
}
