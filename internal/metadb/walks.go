package metadb

import (
	"sync"

	"granary/internal/registry"
)

// listKey is where a package stands in a list: what all orders sort by.
type listKey struct {
	name, version string
	created, id   int64
}

func keyOf(p registry.Package) listKey {
	return listKey{string(p.Name), string(p.Version), micros(p.CreatedAt), p.ID}
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

// route is the shortest leg to take rows of the total, ascending, from offset.
func route(marks map[int]mark, total, offset, take int) leg {
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

// walkKey names a list that marks are kept for: whole lists of one project.
type walkKey struct {
	projectID int64
	order     string
	status    registry.Status
}

// walks remembers where pages of long lists began and ended, so that whoever
// goes through a list page by page does not count from its end each time. What
// changes which packages there are drops a project's marks before it returns.
// Marks found before such a change cannot be put in after it.
type walks struct {
	mu         sync.Mutex
	generation map[int64]uint64 // by project
	cleared    uint64
	lists      map[walkKey]map[int]mark // by offset
}

const (
	walkedLists = 256 // remembered at most; all start over when there are more
	marksEach   = 256
	nearEnough  = 2 * 100 // rows that need no mark
)

// stamp is what a walk began under.
type stamp struct{ project, cleared uint64 }

// begin returns a copy of the marks of a list.
func (w *walks) begin(key walkKey) (map[int]mark, stamp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := make(map[int]mark, len(w.lists[key]))
	for offset, m := range w.lists[key] {
		known[offset] = m
	}
	return known, stamp{w.generation[key.projectID], w.cleared}
}

// end puts in the marks that a walk found, if nothing has changed since.
func (w *walks) end(key walkKey, began stamp, found ...mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if began != (stamp{w.generation[key.projectID], w.cleared}) {
		return
	}
	if w.lists == nil || len(w.lists) >= walkedLists && w.lists[key] == nil {
		w.lists = map[walkKey]map[int]mark{}
	}
	if w.lists[key] == nil || len(w.lists[key])+len(found) > marksEach {
		w.lists[key] = map[int]mark{}
	}
	for _, m := range found {
		w.lists[key][m.offset] = m
	}
}

// drop forgets the marks of a project.
func (w *walks) drop(projectID int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.generation == nil || len(w.generation) > lookupLimit {
		w.generation = map[int64]uint64{}
		w.cleared++
	}
	w.generation[projectID]++
	for key := range w.lists {
		if key.projectID == projectID {
			delete(w.lists, key)
		}
	}
}

// clear forgets all marks.
func (w *walks) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cleared++
	w.lists = nil
}
