package metadb

import (
	"reflect"
	"slices"
	"strings"

	"granary/internal/registry"
	"granary/internal/sqldb"
)

// listKey is the position of a package in a list, in any order.
type listKey struct {
	name, version string
	created, id   int64
}

func keyOf(p registry.Package) listKey {
	return listKey{string(p.Name), string(p.Version), sqldb.Micros(p.CreatedAt), p.ID}
}

// bookmark says that offset rows of a list in ascending order precede it. key is of
// the last of these (after), or of the first row that follows.
type bookmark struct {
	offset int
	key    listKey
	after  bool
}

// leg is how to read a page: from a bookmark, or if from is nil, from an end of the
// list; in one direction; skipping some rows, and taking the next.
type leg struct {
	from *bookmark
	desc bool
	skip int
	take int
}

// wayTo is the leg to the rows from offset, in ascending order, that skips the fewest.
func wayTo(marks []bookmark, total, offset, take int) leg {
	best := leg{skip: offset, take: take}
	if back := total - offset - take; back < best.skip {
		best = leg{desc: true, skip: back, take: take}
	}
	for _, m := range marks {
		if ahead := offset - m.offset; ahead >= 0 && ahead < best.skip {
			best = leg{from: &m, skip: ahead, take: take}
		}
		if back := m.offset - offset - take; back >= 0 && back < best.skip {
			best = leg{from: &m, desc: true, skip: back, take: take}
		}
	}
	return best
}

// walkKey names a list that has bookmarks: the whole list of one project.
type walkKey struct {
	projectID int64
	order     string
	status    registry.Status
}

// walked is the bookmarks of one list, the newest last. It is immutable.
type walked struct {
	order     string
	status    registry.Status
	bookmarks []bookmark
}

// walks keeps the bookmarks at which pages of long lists began and ended, so that
// reading a list page by page does not skip rows from its end each time. A deed that
// adds or removes packages drops the project's bookmarks before it returns, and
// bookmarks found before the deed cannot be put in afterwards.
type walks struct {
	lists *cache[int64, []walked] // by project; the list that was read last is the last
}

const (
	listsEach     = 8       // lists of one project
	bookmarksEach = 256     // of one list; if there are more, the older half is dropped
	nearEnough    = 2 * 100 // so few rows are skipped without a bookmark
)

// begin returns the bookmarks of a list, and the stamp for end.
func (w walks) begin(key walkKey) ([]bookmark, stamp) {
	began := w.lists.stampOf(key.projectID)
	lists, _, _ := w.lists.look(key.projectID)
	return bookmarksOf(lists, key), began
}

// end adds bookmarks, if nothing was dropped since begin.
func (w walks) end(key walkKey, began stamp, found ...bookmark) {
	lists, _, _ := w.lists.look(key.projectID)
	w.lists.put(key.projectID, with(lists, key, found), began)
}

// drop forgets the bookmarks of a project.
func (w walks) drop(projectID int64) { w.lists.drop(projectID) }

// clear forgets all bookmarks.
func (w walks) clear() { w.lists.clear() }

func (l walked) is(key walkKey) bool { return l.order == key.order && l.status == key.status }

// bookmarksOf is the bookmarks of one of the lists.
func bookmarksOf(lists []walked, key walkKey) []bookmark {
	for _, l := range lists {
		if l.is(key) {
			return l.bookmarks
		}
	}
	return nil
}

// with is the lists with more bookmarks of one of them, which becomes the last.
func with(lists []walked, key walkKey, found []bookmark) []walked {
	more := make([]walked, 0, listsEach)
	for _, l := range lists[max(0, len(lists)-listsEach+1):] {
		if !l.is(key) {
			more = append(more, l)
		}
	}
	marks := slices.DeleteFunc(slices.Clone(bookmarksOf(lists, key)), func(m bookmark) bool {
		return slices.ContainsFunc(found, func(f bookmark) bool { return f.offset == m.offset })
	})
	marks = append(marks, found...)
	if len(marks) > bookmarksEach {
		marks = slices.Clone(marks[len(marks)-bookmarksEach/2:])
	}
	return append(more, walked{strings.Clone(key.order), registry.Status(strings.Clone(string(key.status))), marks})
}

// weighWalks is the bytes that the lists of a project point to.
func weighWalks(_ int64, lists []walked) int64 {
	sum := allocated(cap(lists) * int(reflect.TypeFor[walked]().Size()))
	for _, l := range lists {
		sum += texts(l.order, string(l.status)) + allocated(cap(l.bookmarks)*int(reflect.TypeFor[bookmark]().Size()))
		for _, m := range l.bookmarks {
			sum += texts(m.key.name, m.key.version)
		}
	}
	return sum
}
