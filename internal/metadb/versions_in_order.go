package metadb

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/versions"
)

// ListInOrder implements registry.Versions.
func (db *DB) ListInOrder(ctx context.Context, projectID int64, name registry.Name, f registry.VersionFilter, after *registry.VersionCursor, limit int) ([]registry.VersionRow, error) {
	found, err := orderedVersions{db, projectID, name, f}.list(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	return found, rowPipelines(ctx, db, found)
}

// orderedVersions are versions of a name that a filter lets through.
type orderedVersions struct {
	q         sqldb.Queries
	projectID int64
	name      registry.Name
	registry.VersionFilter
}

// list is ListInOrder without the pipelines: one statement. Stable versions, pre-releases
// and versions without a key are three ranges of the index: of each the first rows are
// read, and merged. Versions that the upkeep has not given a key yet come last.
func (o orderedVersions) list(ctx context.Context, after *registry.VersionCursor, limit int) ([]registry.VersionRow, error) {
	if o.ByDate {
		return o.byDate(ctx, after, limit)
	}
	w := o.where()
	beyond, within := o.keyBeyond(&w, after), ""
	if o.Within != nil {
		within = w.Bind(" AND k.version_key >= ? AND k.version_key < ?", o.Within.From, o.Within.Below)
	}
	by, most := sqldb.Direction(!o.Asc), w.Bind(" LIMIT ?", limit)
	ranged := func(rank int, condition string) string {
		return `SELECT ` + strconv.Itoa(rank) + `, ` + o.columns() + ` FROM packages k` + w.String() + condition + ` ORDER BY k.prerelease` + by + `, k.version_key` + by + `, k.id` + by + most
	}
	arms := []string{ranged(keyedRow, " AND k.prerelease = 0"+within+beyond)}
	if o.Within == nil && !o.Stable {
		arms = append(arms, ranged(keyedRow, " AND k.prerelease = 1"+beyond))
	}
	if o.Within == nil {
		arms = append(arms, ranged(keylessRow, " AND k.prerelease IS NULL"+o.idBeyond(&w, after)))
	}
	found, err := listOf(ctx, o, scanOrderedRow, union(arms...), w.Args)
	return o.merged(found, limit), err
}

// listOf reads rows. The texts of lists that are filtered by more than kinds of versions
// are too many to be prepared.
func listOf[T any](ctx context.Context, o orderedVersions, scan func(sqldb.Scanner) (T, error), query string, args []any) ([]T, error) {
	if o.Text != "" || o.Status != "" || o.Yanked {
		return sqldb.List(ctx, o.q, scan, query, args...)
	}
	return sqldb.ListFixed(ctx, o.q, scan, query, args...)
}

// Ranks of the rows of a list.
const (
	keyedRow = iota
	keylessRow
)

// keyBeyond is the condition that a version with a key is after the cursor: they all are
// above a cursor at a version without one.
func (o orderedVersions) keyBeyond(w *sqldb.Where, after *registry.VersionCursor) string {
	if after == nil {
		return ""
	}
	return w.Bind(` AND (k.version_key, k.id)`+o.beyond()+`(COALESCE((SELECT COALESCE(c.version_key, ?) FROM packages c WHERE c.id = ? AND c.project_id = $1 AND c.name = $2), ?), ?)`,
		[]byte{}, after.ID, versions.Key(string(after.Version)), after.ID)
}

// idBeyond is the condition that a version without a key is after the cursor. The + keeps
// SQLite from reading all packages with such ids.
func (o orderedVersions) idBeyond(w *sqldb.Where, after *registry.VersionCursor) string {
	if after == nil {
		return ""
	}
	return w.Bind(` AND +k.id`+o.beyond()+`CASE WHEN EXISTS (SELECT 1 FROM packages c WHERE c.id = ? AND c.project_id = $1 AND c.name = $2 AND c.prerelease IS NULL)
		THEN CAST(? AS BIGINT) ELSE CAST(? AS BIGINT) END`, after.ID, after.ID, int64(math.MaxInt64))
}

// byDate reads versions by the time they were published. No index has it: all versions of
// the name are sorted.
func (o orderedVersions) byDate(ctx context.Context, after *registry.VersionCursor, limit int) ([]registry.VersionRow, error) {
	w := o.where()
	if o.Stable || o.Within != nil {
		w.And("k.prerelease = 0")
	}
	if o.Within != nil {
		w.And("k.version_key >= ? AND k.version_key < ?", o.Within.From, o.Within.Below)
	}
	if after != nil {
		w.And("(k.created_at, k.id)"+o.beyond()+"(?, ?)", sqldb.Micros(after.CreatedAt), after.ID)
	}
	return o.rows(ctx, &w, "k.created_at"+sqldb.Direction(!o.Asc)+", k.id"+sqldb.Direction(!o.Asc), limit)
}

func (o orderedVersions) beyond() string {
	if o.Asc {
		return " > "
	}
	return " < "
}

// where is the condition that a version is of the name, and not filtered out.
func (o orderedVersions) where() (w sqldb.Where) {
	w.And("k.project_id = ? AND k.name = ? AND k.status <> 'pending_destruction'", o.projectID, string(o.name))
	if o.Status == "" {
		w.And(isListed)
	} else {
		w.And("k.status = ?", string(o.Status))
	}
	if o.Yanked {
		w.And("k.yanked_at IS NOT NULL")
	}
	if o.Text != "" {
		w.And(w.Matching(o.Text, "k.version"))
	}
	return w
}

// rowColumns are the columns of a version in lists. The files of versions of older servers
// are counted here until the upkeep has done it.
const rowColumns = versionColumns + `, COALESCE(k.files, ` + filesOf + `), COALESCE(k.bytes, ` + bytesOf + `)`

func scanVersionRow(row sqldb.Scanner) (r registry.VersionRow, err error) {
	r.PackageVersion, err = scanVersion(withLast{row, []any{&r.Files, &r.Size}})
	return r, err
}

// withLast is a row with more columns after those that are scanned.
type withLast struct {
	sqldb.Scanner
	last []any
}

func (b withLast) Scan(dest ...any) error { return b.Scanner.Scan(append(dest, b.last...)...) }

func (o orderedVersions) rows(ctx context.Context, w *sqldb.Where, order string, limit int) ([]registry.VersionRow, error) {
	query := `SELECT 0, ` + o.columns() + ` FROM packages k` + w.String() + ` ORDER BY ` + order + w.Bind(" LIMIT ?", limit)
	return listOf(ctx, o, scanVersionRow, query, w.Args)
}

// columns are rowColumns, without files and bytes if nobody needs them.
func (o orderedVersions) columns() string {
	if o.Uncounted {
		return versionColumns + `, 0, 0`
	}
	return rowColumns
}

// orderedRow is a row of a list and its rank.
type orderedRow struct {
	rank int
	registry.VersionRow
}

func scanOrderedRow(row sqldb.Scanner) (r orderedRow, err error) {
	v, err := scanRanked(withLast{row, []any{&r.Files, &r.Size}})
	r.rank, r.PackageVersion = v.rank, v.PackageVersion
	return r, err
}

// merged puts versions in the order of the list, and returns up to limit of them.
func (o orderedVersions) merged(all []orderedRow, limit int) []registry.VersionRow {
	keys := make(map[int64][]byte, len(all))
	for _, v := range all {
		if v.rank == keyedRow {
			keys[v.ID] = versions.Key(string(v.Version))
		}
	}
	slices.SortFunc(all, func(a, b orderedRow) int {
		by := cmp.Or(cmp.Compare(a.rank, b.rank), bytes.Compare(keys[b.ID], keys[a.ID]), cmp.Compare(b.ID, a.ID))
		if o.Asc {
			return -by
		}
		return by
	})
	found := make([]registry.VersionRow, min(len(all), limit))
	for i := range found {
		found[i] = all[i].VersionRow
	}
	return found
}

// rowPipelines fills in the last pipeline of each version.
func rowPipelines(ctx context.Context, q sqldb.Queries, rows []registry.VersionRow) error {
	all := make([]registry.PackageVersion, len(rows))
	for i, r := range rows {
		all[i] = r.PackageVersion
	}
	err := versionPipelines(ctx, q, all)
	for i, v := range all {
		rows[i].PackageVersion = v
	}
	return err
}

// selectKeyless makes the choice of a selector in Go, for a name of which some version
// has no key yet. It reads all versions of the name and keeps the best.
func (db *DB) selectKeyless(ctx context.Context, projectID int64, name registry.Name, s versions.Selector) (registry.PackageVersion, error) {
	return db.selectWithout(ctx, projectID, name, s, nil)
}

// selectWithout is selectKeyless as if some packages, by id, were not there.
func (db *DB) selectWithout(ctx context.Context, projectID int64, name registry.Name, s versions.Selector, without []int64) (registry.PackageVersion, error) {
	within := versions.Semantic()
	if s.Range != nil {
		within = *s.Range
	}
	var best candidate
	anyFinal := false
	_, err := sqldb.List(ctx, db, func(row sqldb.Scanner) (none struct{}, err error) {
		var c candidate
		var version string
		var shown, final bool
		if err := row.Scan(&c.id, &version, &shown, &final); err != nil {
			return none, err
		}
		if slices.Contains(without, c.id) {
			return none, nil
		}
		anyFinal = anyFinal || final
		key, pre := versions.KeyAndKind(version)
		c.key, c.stable, c.final = key, !pre, final
		if shown && within.Has(c.key) && (c.stable || s.Latest) && best.below(c) {
			best = c
		}
		return none, nil
	}, `SELECT k.id, k.version, CASE WHEN k.status IN `+shown+` AND k.yanked_at IS NULL THEN 1 ELSE 0 END,
		CASE WHEN k.final_at IS NULL THEN 0 ELSE 1 END FROM packages k WHERE `+ofName, projectID, string(name))
	if err != nil {
		return registry.PackageVersion{}, err
	}
	if best.id == 0 || anyFinal && !best.final {
		return registry.PackageVersion{}, fault.New(fault.NotFound, "")
	}
	return scanVersion(db.Row(ctx, `SELECT 0, `+versionColumns+` FROM packages k WHERE k.id = $1`, best.id))
}

// candidate is a version that a selector may choose.
type candidate struct {
	id            int64
	key           []byte
	stable, final bool
}

// below reports whether another candidate is better: a final one, then a stable one,
// then the higher one, then the later one.
func (c candidate) below(other candidate) bool {
	switch {
	case c.id == 0:
		return true
	case c.final != other.final:
		return other.final
	case c.stable != other.stable:
		return other.stable
	}
	return cmp.Or(bytes.Compare(c.key, other.key), cmp.Compare(c.id, other.id)) < 0
}

// KeyVersions implements registry.Versions.
func (db *DB) KeyVersions(ctx context.Context, limit int) (int, error) {
	var keyless bool
	if err := db.Row(ctx, `SELECT EXISTS (SELECT 1 FROM packages WHERE version_key IS NULL)`).Scan(&keyless); err != nil || !keyless {
		return 0, sqldb.Classify(err)
	}
	defer db.holdChoices()()
	return write(ctx, db, func(t tx) (int, error) {
		type keyless struct {
			id      int64
			version string
		}
		found, err := sqldb.List(ctx, t, func(row sqldb.Scanner) (k keyless, err error) { err = row.Scan(&k.id, &k.version); return k, err },
			`SELECT id, version FROM packages WHERE version_key IS NULL ORDER BY id LIMIT $1`, limit)
		if err != nil {
			return 0, err
		}
		for _, k := range found {
			key, pre := versions.KeyAndKind(k.version)
			err := t.Exec(`UPDATE packages SET version_key = $1, prerelease = $2 WHERE id = $3`, key, sqldb.Bool(pre), k.id)
			if err != nil {
				return 0, err
			}
		}
		return len(found), nil
	})
}
