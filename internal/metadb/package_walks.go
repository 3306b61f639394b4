package metadb

import (
	"context"
	"slices"

	"granary/internal/registry"
	"granary/internal/sqldb"
)

// line is in which direction the rows of a list are counted, and how many they are.
type line struct {
	desc  bool
	total int // math.MaxInt if it is not known
}

// walk reads take rows of a line from offset, beginning at its start, its end or a
// bookmark.
func (l *lister) walk(ctx context.Context, on line, offset, take int) ([]registry.Package, error) {
	near := offset <= nearEnough || on.total-offset-take <= nearEnough
	if near || l.p.OrderBy == registry.BySemver { // a bookmark has no version's key
		return l.along(ctx, on, on.wayTo(nil, offset, take))
	}
	state, err := l.state(ctx)
	if err != nil {
		return nil, err
	}
	key := keyOfWalk(l.f, l.p.OrderBy, on.desc)
	way := on.wayTo(l.db.walks.look(key, state, l.began), offset, take)
	var found []bookmark
	if !l.sorts() && !l.merges() {
		if found, err = l.shorten(ctx, on, &way); err != nil {
			return nil, err
		}
	}
	rows, err := l.along(ctx, on, way)
	if err == nil && len(rows) > 0 {
		found = append(found,
			bookmark{offset: offset, key: keyOf(rows[0]), after: on.desc},
			bookmark{offset: offset + len(rows), key: keyOf(rows[len(rows)-1]), after: !on.desc})
		l.db.walks.end(key, state, l.began, found...)
	}
	return rows, err
}

// merges reports whether the list is of several projects, each of which is read by its
// index. A step would read its rows from every project, and many steps each row again
// and again.
func (l *lister) merges() bool { return len(l.f.Projects) > 1 && !l.startsWithNames() }

// state is the state of the packages in the snapshot. On PostgreSQL, where other nodes
// write, too, it is a digest of the rows that count them: each change of a package adds
// one. Those of further files count none. On SQLite bookmarks are dropped with each change, and it is "".
func (l *lister) state(ctx context.Context) (state string, err error) {
	if !l.db.Shared() {
		return "", nil
	}
	var w sqldb.Where
	w.And(within("c.project_id", &w, l.f.Projects) + " AND c.packages <> 0")
	err = l.q.Row(ctx, `SELECT CAST(COUNT(*) AS TEXT) || ' ' || CAST(COALESCE(SUM(hashtextextended(CAST(c.ctid AS TEXT) || ' ' || CAST(c.xmin AS TEXT), 0)), 0) AS TEXT)
		FROM package_counts c`+w.String(), w.Args...).Scan(&state)
	return state, sqldb.Classify(err)
}

// shorten reads on along a long way, and returns bookmarks on it. The way begins at the
// last of them then.
func (l *lister) shorten(ctx context.Context, on line, way *leg) (found []bookmark, err error) {
	step := max(stride, way.skip/mostStrides)
	forward := way.desc == on.desc
	at := 0
	switch {
	case way.from != nil:
		at = way.from.offset
	case !forward:
		at = on.total
	}
	for way.skip > step {
		rows, err := l.rows(ctx, leg{from: way.from, desc: way.desc, skip: step - 1, take: 1})
		if err != nil || len(rows) == 0 {
			return found, err
		}
		if way.skip -= step; forward {
			at += step
		} else {
			at -= step
		}
		m := bookmark{offset: at, key: keyOf(rows[0]), after: !way.desc}
		found = append(found, m)
		way.from = &m
	}
	return found, nil
}

// sorts reports whether the list is sorted. Then it is read as a whole for every page,
// and steps would be as dear as the page.
func (l *lister) sorts() bool {
	if l.startsWithNames() {
		return true
	}
	switch l.p.OrderBy {
	case "name":
		return l.unlisted() || l.f.Version != ""
	case "version":
		return l.unlisted()
	}
	return false
}

// along reads the rows of a leg and returns them in the direction of the line.
func (l *lister) along(ctx context.Context, on line, way leg) ([]registry.Package, error) {
	rows, err := l.rows(ctx, way)
	if way.desc != on.desc {
		slices.Reverse(rows)
	}
	return rows, err
}

// wayTo is the leg to the rows from offset that skips the fewest.
func (on line) wayTo(marks []bookmark, offset, take int) leg {
	way := wayTo(marks, on.total, offset, take)
	way.desc = way.desc != on.desc
	return way
}
