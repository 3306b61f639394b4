package metadb

import (
	"reflect"
	"slices"
	"strings"

	"granary/internal/registry"
	"granary/internal/sqldb"
)

// listKey is where a package stands in a list: what all orders sort by.
type listKey struct {
	name, version string
	created, id   int64
}

func keyOf(p registry.Package) listKey {
	return listKey{string(p.Name), string(p.Version), sqldb.Micros(p.CreatedAt), p.ID}
}

// mark is a known place in a list in ascending order: offset rows come before
// it, and key is the last of them (after), or the first behind it.
type mark struct {
	offset int
	key    listKey
	after  bool
}

// leg is how to reach a page: from a mark, or from the list's end where it is
// nil, in one direction, over so many rows.
type leg struct {
	from *mark
	desc bool
	skip int
	take int
}

// wayTo is the shortest leg to take rows of the total, ascending, from offset.
func wayTo(marks []mark, total, offset, take int) leg {
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

// walkKey names a list that marks are kept for: the whole list of one project.
type walkKey struct {
	projectID int64
	order     string
	status    registry.Status
}

// walked is the marks of one list, the latest last. It is never changed.
type walked struct {
	order  string
	status registry.Status
	marks  []mark
}

// walks remembers where pages of long lists began and ended, so that whoever
// goes through a list page by page does not count from its end each time. What
// changes which packages there are drops a project's marks before it returns.
// Marks found before such a change cannot be put in after it.
type walks struct {
	lists *cache[int64, []walked] // by project, the list walked last at the end
}

const (
	listsEach  = 8       // of one project that are remembered
	marksEach  = 256     // of one list; half of them are forgotten when there are more
	nearEnough = 2 * 100 // rows that need no mark
)

// begin returns the marks of a list, and the stamp for end.
func (w walks) begin(key walkKey) ([]mark, stamp) {
	began := w.lists.stampOf(key.projectID)
	lists, _, _ := w.lists.look(key.projectID)
	return marksOf(lists, key), began
}

// end puts in the marks that a walk found, if nothing has changed since.
func (w walks) end(key walkKey, began stamp, found ...mark) {
	lists, _, _ := w.lists.look(key.projectID)
	w.lists.put(key.projectID, with(lists, key, found), began)
}

// drop forgets the marks of a project.
func (w walks) drop(projectID int64) { w.lists.drop(projectID) }

// clear forgets all marks.
func (w walks) clear() { w.lists.clear() }

func (l walked) is(key walkKey) bool { return l.order == key.order && l.status == key.status }

// marksOf is the marks of one of the lists.
func marksOf(lists []walked, key walkKey) []mark {
	for _, l := range lists {
		if l.is(key) {
			return l.marks
		}
	}
	return nil
}

// with is the lists with more marks of one of them.
func with(lists []walked, key walkKey, found []mark) []walked {
	more := make([]walked, 0, listsEach)
	for _, l := range lists[max(0, len(lists)-listsEach+1):] {
		if !l.is(key) {
			more = append(more, l)
		}
	}
	marks := slices.DeleteFunc(slices.Clone(marksOf(lists, key)), func(m mark) bool {
		return slices.ContainsFunc(found, func(f mark) bool { return f.offset == m.offset })
	})
	marks = append(marks, found...)
	if len(marks) > marksEach {
		marks = slices.Clone(marks[len(marks)-marksEach/2:])
	}
	return append(more, walked{strings.Clone(key.order), registry.Status(strings.Clone(string(key.status))), marks})
}

// weighWalks is what the lists of a project lead to.
func weighWalks(_ int64, lists []walked) int64 {
	sum := allocated(cap(lists) * int(reflect.TypeFor[walked]().Size()))
	for _, l := range lists {
		sum += texts(l.order, string(l.status)) + allocated(cap(l.marks)*int(reflect.TypeFor[mark]().Size()))
		for _, m := range l.marks {
			sum += texts(m.key.name, m.key.version)
		}
	}
	return sum
}
