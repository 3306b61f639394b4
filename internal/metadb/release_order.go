package metadb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/releases"
	"granary/internal/sqldb"
)

// tagPattern is the LIKE pattern of a search for tags (releases.TagFilter).
func tagPattern(search string) string {
	from, to := "%", "%"
	if rest, ok := strings.CutPrefix(search, "^"); ok {
		search, from = rest, ""
	}
	if rest, ok := strings.CutSuffix(search, "$"); ok {
		search, to = rest, ""
	}
	return from + strings.ReplaceAll(sqldb.Literal(search), "*", "%") + to
}

// isPart reports whether a search is for any part of a tag.
func isPart(search string) bool { return search != "" && !strings.ContainsAny(search, "^$*") }

// releaseOrder is the ORDER BY of a list of releases. A found tag of the same length
// as the search equals it.
func releaseOrder(f releases.Filter, p page.Request) string {
	order := ""
	if f.ExactFirst && isPart(f.Search) {
		order = fmt.Sprintf("(length(e.tag) = %d) DESC, ", utf8.RuneCountInString(f.Search))
	}
	switch p.OrderBy {
	case releases.ByTag:
		return order + "e.tag" + sqldb.Direction(p.Desc)
	case releases.ByCreation:
		order += "e.created_at"
	default:
		order += "e.released_at"
	}
	return order + sqldb.Direction(p.Desc) + ", e.id" + sqldb.Direction(p.Desc)
}

// afterRelease adds the condition that a release follows last in the list's order.
// Versions are compared later.
func afterRelease(w *sqldb.Where, last releases.Release, p page.Request) {
	than := " > "
	if p.Desc {
		than = " < "
	}
	switch p.OrderBy {
	case releases.ByVersion:
	case releases.ByTag:
		w.And("e.tag"+than+"?", last.Tag)
	case releases.ByCreation:
		w.And("(e.created_at, e.id)"+than+"(?, ?)", sqldb.Micros(last.CreatedAt), last.ID)
	default:
		w.And("(e.released_at, e.id)"+than+"(?, ?)", sqldb.Micros(last.ReleasedAt), last.ID)
	}
}

// named is a release's id and tag.
type named struct {
	id  int64
	tag string
}

// byVersion reads a page of releases in the order of their versions. The databases
// cannot sort versions, so that the tags of the project are sorted here. The largest
// list, of 20,000 tags of 255 bytes, takes 9 MB and 40 to 150 ms, so one list is
// sorted at a time; a request that waits longer than sortWait gets Unavailable. The
// rows of the page are read later.
func (db *DB) byVersion(ctx context.Context, w sqldb.Where, f releases.Filter, p page.Request, l listing[releases.Release]) (page.Of[releases.Release], error) {
	var found page.Of[releases.Release]
	if err := db.lockSort(ctx); err != nil {
		return found, err
	}
	defer func() { <-db.sorts }()
	tags, err := sqldb.List(ctx, direct{db}, func(row sqldb.Scanner) (n named, err error) {
		err = row.Scan(&n.id, &n.tag)
		return n, err
	}, `SELECT e.id, e.tag FROM releases e`+w.String(), w.Args...)
	if err != nil {
		return found, err
	}
	compare := versionOrder(f, p)
	slices.SortFunc(tags, compare)
	if f.After != nil {
		at, there := slices.BinarySearchFunc(tags, named{f.After.ID, f.After.Tag}, compare)
		if there {
			at++
		}
		tags = tags[at:]
	}
	found.Total = len(tags)
	from := min(p.Offset(), len(tags))
	var ids []int64
	for _, n := range tags[from:min(from+p.Size, len(tags))] {
		ids = append(ids, n.id)
	}
	found.Steps, err = l.stepsOf(ctx, direct{db}, w, ids)
	return found, err
}

// lockSort takes the lock of sorting.
func (db *DB) lockSort(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, db.sortWait)
	defer cancel()
	select {
	case db.sorts <- struct{}{}:
		return nil
	case <-waiting.Done():
	}
	if err := ctx.Err(); err != nil {
		return sqldb.Classify(err)
	}
	return fault.New(fault.Unavailable, "too many lists are being sorted by version; try again later, or order by name")
}

func versionOrder(f releases.Filter, p page.Request) func(a, b named) int {
	exact := f.ExactFirst && isPart(f.Search)
	return func(a, b named) int {
		if x, y := exact && strings.EqualFold(a.tag, f.Search), exact && strings.EqualFold(b.tag, f.Search); x != y {
			if x {
				return -1
			}
			return 1
		}
		if p.Desc {
			a, b = b, a
		}
		return releases.CompareVersions(a.tag, b.tag)
	}
}
