package metadb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"granary/internal/audit"
	"granary/internal/records"
	"granary/internal/sqldb"
)

const (
	mostDeltaEvents = 20_000
	idsAtOnce       = 500
	namesOfVersions = 100 // coordinates in a query
)

// Delta implements records.Changes.
func (db *DB) Delta(ctx context.Context, w *records.Writer, since records.Since) (c records.Changed, err error) {
	err = db.LongSnapshot(ctx, func(q sqldb.Queries) error {
		d := &delta{db: db, q: q, ctx: ctx, w: w, since: since}
		err := d.run()
		c = d.done
		return err
	})
	return c, err
}

// delta is a delta that is being written.
type delta struct {
	db    *DB
	q     sqldb.Queries
	ctx   context.Context //nolint:containedctx // of one call of Delta
	w     *records.Writer
	since records.Since
	done  records.Changed

	fresh       []int64 // events
	packages    ids     // that events name, with all their files
	files       ids     // that events name
	uploads     ids
	releases    ids
	jobs        ids
	channelGone bool // a channel was removed
	other       bool // an event names something else
}

// ids is a set of ids.
type ids map[int64]struct{}

func (s *ids) add(id int64) {
	if *s == nil {
		*s = ids{}
	}
	(*s)[id] = struct{}{}
}

func (s ids) sorted() []int64 {
	all := make([]int64, 0, len(s))
	for id := range s {
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}

func (d *delta) run() error {
	if err := d.readEvents(); err != nil || len(d.fresh) == 0 || d.done.Anew {
		return err
	}
	if d.other && d.since.NoSmall && !d.done.More { // else all of them would be read again at once
		d.done.Waits = true
		return nil
	}
	h := records.Header{Kind: records.KindDelta}
	if err := d.db.describe(d.ctx, d.q, &h); err != nil {
		return err
	}
	h.From, h.To = d.since.To, max(d.since.Ends, d.fresh[len(d.fresh)-1])
	if err := d.w.Begin(h); err != nil {
		return err
	}
	if d.other {
		if err := d.smallTables(); err != nil {
			return err
		}
	}
	if err := d.entities(); err != nil {
		return err
	}
	return d.db.writeLast(d.ctx, d.q, d.w, exported(records.ExportOptions{Kind: records.KindBase}))
}

// readEvents reads the events that are new, and what they name.
func (d *delta) readEvents() error {
	late, err := d.late()
	if err != nil {
		return err
	}
	after, limit := d.since.Look, len(d.since.Seen)+mostDeltaEvents+1
	if !late {
		after, limit = d.since.To, mostDeltaEvents+1
		d.done.Events = slices.Clone(d.since.Seen)
	}
	rows, err := d.q.Rows(d.ctx, `SELECT id, name, target_type, target_id FROM audit_events WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return sqldb.Classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, target int64
		var name, kind string
		if err := rows.Scan(&id, &name, &kind, &target); err != nil {
			return sqldb.Classify(err)
		}
		if _, seen := slices.BinarySearch(d.since.Seen, id); !seen {
			if len(d.fresh) == mostDeltaEvents {
				d.done.More = true
				break
			}
			d.fresh = append(d.fresh, id)
			d.names(id, audit.Name(name), kind, target)
		}
		d.done.Events = append(d.done.Events, id)
	}
	d.done.New = len(d.fresh)
	return sqldb.Classify(rows.Err())
}

// late reports whether there are other events up to since.To than those that were seen. To
// count them takes a tenth of the time of reading them again.
func (d *delta) late() (bool, error) {
	first, _ := slices.BinarySearch(d.since.Seen, d.since.Look+1)
	end, _ := slices.BinarySearch(d.since.Seen, d.since.To+1)
	if end < len(d.since.Seen) {
		return true, nil
	}
	var n int
	err := d.q.Row(d.ctx, `SELECT COUNT(*) FROM audit_events WHERE id > $1 AND id <= $2`, d.since.Look, d.since.To).Scan(&n)
	return n != end-first, sqldb.Classify(err)
}

// written are the events that the delta has. The last one of the earlier files is repeated if it
// is later: a delta of late events ends where no event is, and this is how it tells the last that
// the database had.
func (d *delta) written() []int64 {
	if d.since.Last > d.fresh[len(d.fresh)-1] {
		return append(slices.Clone(d.fresh), d.since.Last)
	}
	return d.fresh
}

// names notes what an event names.
func (d *delta) names(id int64, name audit.Name, kind string, target int64) {
	switch {
	case name == audit.DatabaseRebuilt:
		d.done.Anew = d.done.Anew || id > d.since.Base
	case name == audit.PackageChannelRemoved:
		d.channelGone = true
	case kind == "Package":
		d.packages.add(target)
	case kind == "PackageFile":
		d.files.add(target)
	case kind == "Upload":
		d.uploads.add(target)
	case kind == "Job":
		d.jobs.add(target)
	case kind == "Release":
		d.releases.add(target)
		d.other = true // its links
	default:
		d.other = true
	}
}

// smallTables writes the small tables that have changed, each whole.
func (d *delta) smallTables() error {
	d.done.Small = map[string]records.Checksum{}
	for _, t := range recordTables() {
		if t.class != small {
			continue
		}
		query := `SELECT * FROM ` + t.name + ` ORDER BY ` + t.key
		sum, err := d.sum(query)
		if err != nil {
			return inTable(t.name, err)
		}
		d.done.Small[t.name] = sum
		if before, known := d.since.Small[t.name]; known && before.Equal(&sum) {
			continue
		}
		if err := d.whole(t); err != nil {
			return err
		}
	}
	return nil
}

// whole writes all rows of a table, and that they are all.
func (d *delta) whole(t recordTable) error {
	if err := d.w.All(t.name); err != nil {
		return err
	}
	if err := writeTable(d.ctx, d.q, d.w, t); err != nil {
		return inTable(t.name, err)
	}
	return nil
}

func (d *delta) sum(query string) (sum records.Checksum, err error) {
	rows, err := d.q.Rows(d.ctx, query)
	if err != nil {
		return sum, sqldb.Classify(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return sum, sqldb.Classify(err)
	}
	return sum, sqldb.Classify(eachRow(rows, len(columns), sum.Add))
}

// entities writes the rows of what events name, and of what belongs to it.
func (d *delta) entities() error {
	owners, err := d.owners()
	if err != nil {
		return err
	}
	files, blobs, err := d.filesAndBlobs()
	if err != nil {
		return err
	}
	pipelines, err := d.pipelines(owners, files)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		table, column string
		ids           ids
	}{
		{"pipelines", "id", pipelines}, {"jobs", "id", d.jobs}, {"blobs", "id", blobs}, {"packages", "id", owners}, {"package_files", "id", files},
		{"package_pipelines", "package_id", owners}, {"package_file_pipelines", "package_file_id", files}, {"uploads", "id", d.uploads},
		{"releases", "id", d.releases},
	} {
		if err := d.rows(part.table, part.column, part.ids.sorted()); err != nil {
			return err
		}
	}
	for table, named := range map[string]ids{"packages": d.packages, "package_files": d.files, "uploads": d.uploads, "releases": d.releases} {
		if err := d.gone(table, named); err != nil {
			return err
		}
	}
	if err := d.rows("audit_events", "id", d.written()); err != nil {
		return err
	}
	return d.ofVersions(owners)
}

// rows writes the rows of a table with these ids in a column.
func (d *delta) rows(table, column string, all []int64) error {
	return d.chunks(table, `SELECT * FROM `+table+` WHERE `+column+` IN (`, all)
}

// chunks writes the rows of a query that ends in a list of ids, of some at a time.
func (d *delta) chunks(table, query string, all []int64) error {
	begun := false
	for chunk := range slices.Chunk(all, idsAtOnce) {
		texts, args := idList(chunk)
		if err := d.append(table, &begun, query+texts+`)`, args); err != nil {
			return inTable(table, err)
		}
	}
	return nil
}

// append writes the rows of a query, which stand together with those before.
func (d *delta) append(table string, begun *bool, query string, args []any) error {
	rows, err := d.q.Rows(d.ctx, query, args...)
	if err != nil {
		return sqldb.Classify(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return sqldb.Classify(err)
	}
	if !*begun {
		*begun = true
		if err := d.w.Table(table, columns); err != nil {
			return err
		}
	}
	return sqldb.Classify(eachRow(rows, len(columns), d.w.Row))
}

// idList is "$1, $2", and the ids as arguments.
func idList(all []int64) (texts string, args []any) {
	parts := make([]string, len(all))
	for i, id := range all {
		parts[i] = fmt.Sprint("$", i+1)
		args = append(args, id)
	}
	return strings.Join(parts, ", "), args
}

// each reads numbers with a query that ends in a list of ids.
func (d *delta) each(query string, columns int, all []int64, do func(values []int64)) error {
	for chunk := range slices.Chunk(all, idsAtOnce) {
		texts, args := idList(chunk)
		rows, err := d.q.Rows(d.ctx, query+texts+`)`, args...)
		if err != nil {
			return sqldb.Classify(err)
		}
		values, into := make([]int64, columns), make([]any, columns)
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() && err == nil {
			if err = rows.Scan(into...); err == nil {
				do(values)
			}
		}
		if err == nil {
			err = rows.Err()
		}
		_ = rows.Close() // Err has said what there is to say
		if err != nil {
			return sqldb.Classify(err)
		}
	}
	return nil
}
