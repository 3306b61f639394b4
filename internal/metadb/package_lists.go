package metadb

import (
	"context"
	"database/sql"
	"math"
	"slices"
	"strconv"
	"strings"

	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

const packageColumns = `k.id, k.project_id, k.name, k.version, k.status, k.creator_id, k.created_at, k.updated_at, k.last_downloaded_at, k.downloads, k.final_at, k.draft_job_id, k.draft_shared`

// countLimit is how many rows are counted if there is no counter, and how many packages
// of matching names are sorted; more are filtered in the order of an index.
const countLimit = 10000

func scanPackage(row sqldb.Scanner) (registry.Package, error) {
	var s packageScan
	err := row.Scan(s.into()...)
	return s.scanned(), sqldb.Classify(err)
}

// packageScan is where packageColumns are scanned to.
type packageScan struct {
	p                   registry.Package
	creator, downloaded sql.NullInt64
	final, job, shared  sql.NullInt64
	created, updated    int64
}

func (s *packageScan) into() []any {
	return []any{&s.p.ID, &s.p.ProjectID, &s.p.Name, &s.p.Version, &s.p.Status, &s.creator, &s.created, &s.updated, &s.downloaded, &s.p.Downloads, &s.final, &s.job, &s.shared}
}

func (s *packageScan) scanned() registry.Package {
	p := s.p
	p.CreatorID, p.CreatedAt, p.UpdatedAt = s.creator.Int64, sqldb.Moment(s.created), sqldb.Moment(s.updated)
	p.LastDownloadedAt, p.FinalAt = sqldb.OptionalMoment(s.downloaded), sqldb.OptionalMoment(s.final)
	p.JobID, p.JobShared = s.job.Int64, s.shared.Int64 == 1
	return p
}

// ListPackages implements registry.Packages. Counter and rows are read in one
// snapshot. Design note 004 has a picture.
func (db *DB) ListPackages(ctx context.Context, f registry.PackageFilter, p page.Request) (found page.Of[registry.Package], err error) {
	// The texts of other lists vary too much to be prepared.
	fixed := len(f.Projects) == 1 && len(f.Name.Terms) <= 1
	began := db.walks.begin(projectOf(f))
	err = db.Snapshot(ctx, fixed, func(q sqldb.Queries) error {
		l := lister{db: db, q: q, f: f, p: p, began: began}
		if err := l.chooseNames(ctx); err != nil {
			return err
		}
		if found, err = l.list(ctx); err != nil {
			return err
		}
		return lastPipelines(ctx, q, found.Rows)
	})
	if p.InSteps && bytesOfPackages(found.Rows) > page.Large {
		db.readLater(&found)
	}
	return found, err
}

// bytesOfPackages is the bytes of text in packages and their pipelines.
func bytesOfPackages(found []registry.Package) (n int) {
	for _, p := range found {
		n += len(p.Name) + len(p.Version)
		if l := p.Pipeline; l != nil {
			n += len(l.Ref) + len(l.SHA) + len(l.User.Username) + len(l.User.Name)
		}
	}
	return n
}

// readLater keeps the packages that were read, some hundred bytes each, and lets their
// pipelines, which may be larger, be read in steps.
func (db *DB) readLater(found *page.Of[registry.Package]) {
	steps := &page.Steps[registry.Package]{}
	at := make(map[int64]registry.Package, len(found.Rows))
	for _, p := range found.Rows {
		p.Pipeline = nil
		at[p.ID] = p
		steps.IDs = append(steps.IDs, p.ID)
		steps.Sizes = append(steps.Sizes, int64(len(p.Name)+len(p.Version)))
	}
	steps.Read = func(ctx context.Context, ids []int64) ([]registry.Package, error) {
		rows := make([]registry.Package, 0, len(ids))
		for _, id := range ids {
			rows = append(rows, at[id])
		}
		return rows, lastPipelines(ctx, db, rows)
	}
	found.Rows, found.Steps = nil, steps
}

// lister reads one page of packages.
type lister struct {
	db *DB
	q  sqldb.Queries
	f  registry.PackageFilter
	p  page.Request

	began stamp // of the list's bookmarks
	names foundNames
}

// list reads the page. With an exact total its rows are counted from the first in
// ascending order; else from the start of the list, and one row more is read, which
// tells whether another page follows.
func (l *lister) list(ctx context.Context) (page.Of[registry.Package], error) {
	total, exact, err := l.count(ctx)
	if err != nil {
		return page.Of[registry.Package]{}, err
	}
	found := page.Of[registry.Package]{Total: total}
	offset := l.p.Offset()
	take := l.p.Size
	if !exact && l.p.OrderBy == registry.BySemver {
		return found, fault.New(fault.Invalid, "order_by=semver needs a package_name that matches at most "+strconv.Itoa(countLimit)+" packages")
	}
	if !exact {
		found.Rows, err = l.walk(ctx, line{desc: l.p.Desc, total: math.MaxInt}, offset, take+1)
		found.Total = max(total, offset+len(found.Rows))
		found.Rows = found.Rows[:min(len(found.Rows), l.p.Size)]
		return found, err
	}
	take = min(take, total-offset)
	if take <= 0 {
		return found, nil
	}
	if l.p.Desc {
		offset = total - offset - take
	}
	if found.Rows, err = l.walk(ctx, line{total: total}, offset, take); l.p.Desc {
		slices.Reverse(found.Rows)
	}
	return found, err
}

// count is how many rows the list has. It is exact if there is a counter or there are
// at most countLimit; else it is larger than countLimit.
func (l *lister) count(ctx context.Context) (total int, exact bool, err error) {
	var w sqldb.Where
	switch {
	case len(l.f.Name.Terms) > 0 && l.f.Status == "" && l.f.Version == "":
		return l.names.listed, l.names.query != "", nil
	case len(l.f.Name.Terms) == 0 && l.f.Version == "":
		statuses := []registry.Status{l.f.Status}
		if l.f.Status == "" {
			statuses = slices.DeleteFunc(registry.Statuses(), func(s registry.Status) bool { return !s.Listed() })
		}
		w.And(within("c.project_id", &w, l.f.Projects))
		var placeholders []string
		for _, s := range statuses {
			placeholders = append(placeholders, w.Bind("?", string(s)))
		}
		w.And("c.status IN (" + strings.Join(placeholders, ", ") + ")")
		err = l.q.Row(ctx, `SELECT CAST(COALESCE(SUM(c.packages), 0) AS BIGINT) FROM package_counts c`+w.String(), w.Args...).Scan(&total)
		return total, true, sqldb.Classify(err)
	}
	with, from := l.source(&w)
	query := with + `SELECT COUNT(*) FROM (SELECT 1 FROM ` + from + w.String() + w.Bind(" LIMIT ?) few", countLimit+1)
	err = l.q.Row(ctx, query, w.Args...).Scan(&total)
	return total, total <= countLimit, sqldb.Classify(err)
}

// source is the tables and conditions of the list. If it starts with the names, these
// are a CTE, so that they are looked up once.
func (l *lister) source(w *sqldb.Where) (with, from string) {
	if !l.startsWithNames() {
		w.And(within("k.project_id", w, l.f.Projects))
		l.conditions(w, "k.")
		return "", "packages k"
	}
	w.Args = append(w.Args, l.names.args...)
	w.And("k.project_id = m.project_id AND k.name = m.name AND k.status <> 'pending_destruction'")
	l.conditions(w, "k.")
	return `WITH m AS MATERIALIZED (` + l.names.query + `) `, "m CROSS JOIN packages k"
}

// startsWithNames reports whether the list reads the packages of the matching names
// and sorts them. If they are many, filtering the list in the order of an index finds
// them soon.
func (l *lister) startsWithNames() bool { return l.names.query != "" && !l.unlisted() }

// unlisted reports whether the list is of packages that other lists leave out. They have
// an index by status.
func (l *lister) unlisted() bool { return l.f.Status != "" && !l.f.Status.Listed() }

// conditions adds the conditions on a package.
func (l *lister) conditions(w *sqldb.Where, k string) {
	if !l.unlisted() {
		w.And(strings.ReplaceAll(isListed, "k.", k))
	}
	if l.f.Status != "" {
		w.And(k+"status = ?", string(l.f.Status))
	}
	if l.f.Status != "" && l.f.Status != registry.StatusDefault {
		w.And(k + "status <> 'default'") // the condition of the index by status
	}
	if l.f.Version != "" {
		w.And(k+"version = ?", string(l.f.Version))
	}
	if l.p.OrderBy == "name" && l.f.Status != registry.StatusPendingDestruction {
		w.And(k + "status <> 'pending_destruction'") // the condition of the index on names
	}
	if !l.startsWithNames() {
		hasTerms(w, k+"name", l.f.Name.Terms)
	}
}

// within is the condition that a column has one of the ids. Several are written into
// the text: they are integers, and a statement takes a limited number of arguments.
func within(column string, w *sqldb.Where, ids []int64) string {
	if len(ids) == 1 {
		return w.Bind(column+" = ?", ids[0])
	}
	words := make([]string, len(ids))
	for i, n := range ids {
		words[i] = strconv.FormatInt(n, 10)
	}
	return column + " IN (" + strings.Join(words, ", ") + ")"
}
