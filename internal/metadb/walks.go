package metadb

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"

	"granary/internal/registry"
	"granary/internal/sqldb"
)

// listKey is the position of a package in a list, in any order.
type listKey struct {
	name, version        string
	created, id, project int64
}

func keyOf(p registry.Package) listKey {
	return listKey{string(p.Name), string(p.Version), sqldb.Micros(p.CreatedAt), p.ID, p.ProjectID}
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
	for i := range marks {
		m := &marks[i]
		if ahead := offset - m.offset; ahead >= 0 && ahead < best.skip {
			best = leg{from: m, skip: ahead, take: take}
		}
		if back := m.offset - offset - take; back >= 0 && back < best.skip {
			best = leg{from: m, desc: true, skip: back, take: take}
		}
	}
	return best
}

// walkKey names a list: its project, and a digest of its filter and order.
type walkKey struct {
	projectID int64 // severalProjects if there are several
	list      [sha256.Size]byte
}

// severalProjects stands for the project of lists of several. Every project's deeds drop
// their bookmarks.
const severalProjects = 0

// keyOfWalk is the key of a list. Without an exact total, a list in descending order is
// another list: its rows are counted from the other end.
func keyOfWalk(f registry.PackageFilter, order string, desc bool) walkKey {
	key := walkKey{projectID: projectOf(f)}
	text := fmt.Appendf(nil, "%q %q %q %q %t %d", order, f.Status, f.Version, f.Name.Terms, desc, f.Projects)
	key.list = sha256.Sum256(text)
	return key
}

// projectOf is the project whose deeds drop the bookmarks of a list.
func projectOf(f registry.PackageFilter) int64 {
	if len(f.Projects) == 1 {
		return f.Projects[0]
	}
	return severalProjects
}

// walked is the bookmarks of one list, the newest last. It is immutable.
type walked struct {
	list      [sha256.Size]byte
	state     string // the database's state in which they are valid: see lister.state
	bookmarks []bookmark
	texts     int64 // bytes of the bookmarks' texts
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
	bookmarksEach = 1024    // of one list; if there are more, the older half is dropped
	nearEnough    = 2 * 100 // so few rows are skipped without a bookmark
	stride        = 500     // rows between bookmarks on a long way
	mostStrides   = 500     // bookmarks on one way
)

// begin is the stamp for look and end. It is taken before the snapshot that the list is
// read in: what is found in an older snapshot must not be kept.
func (w walks) begin(projectID int64) stamp { return w.lists.stampOf(projectID) }

// look returns the bookmarks of a list that are valid in a state, if nothing was dropped
// since begin.
func (w walks) look(key walkKey, state string, began stamp) []bookmark {
	lists, _, _ := w.lists.look(key.projectID)
	if w.lists.stampOf(key.projectID).drops != began.drops {
		return nil
	}
	return bookmarksOf(lists, key, state)
}

// end adds bookmarks, if nothing was dropped since begin.
func (w walks) end(key walkKey, state string, began stamp, found ...bookmark) {
	lists, _, _ := w.lists.look(key.projectID)
	w.lists.put(key.projectID, with(lists, key, state, found), began)
}

// drop forgets the bookmarks of a project.
func (w walks) drop(projectID int64) {
	w.lists.drop(projectID)
	w.lists.drop(severalProjects)
}

// clear forgets all bookmarks.
func (w walks) clear() { w.lists.clear() }

// bookmarksOf is the bookmarks of one of the lists that are valid in a state.
func bookmarksOf(lists []walked, key walkKey, state string) []bookmark {
	for _, l := range lists {
		if l.list == key.list && l.state == state {
			return l.bookmarks
		}
	}
	return nil
}

// with is the lists with more bookmarks of one of them, which becomes the last.
func with(lists []walked, key walkKey, state string, found []bookmark) []walked {
	more := make([]walked, 0, listsEach)
	for _, l := range lists[max(0, len(lists)-listsEach+1):] {
		if l.list != key.list {
			more = append(more, l)
		}
	}
	at := make(map[int]bool, len(found))
	for _, f := range found {
		at[f.offset] = true
	}
	marks := slices.DeleteFunc(slices.Clone(bookmarksOf(lists, key, state)), func(m bookmark) bool { return at[m.offset] })
	marks = append(marks, found...)
	if len(marks) > bookmarksEach {
		marks = slices.Clone(marks[len(marks)-bookmarksEach/2:])
	}
	l := walked{list: key.list, state: state, bookmarks: marks}
	for _, m := range marks {
		l.texts += texts(m.key.name, m.key.version)
	}
	return append(more, l)
}

// weighWalks is the bytes that the lists of a project point to.
func weighWalks(_ int64, lists []walked) int64 {
	sum := allocated(cap(lists) * int(reflect.TypeFor[walked]().Size()))
	for _, l := range lists {
		sum += texts(l.state) + allocated(cap(l.bookmarks)*int(reflect.TypeFor[bookmark]().Size())) + l.texts
	}
	return sum
}
