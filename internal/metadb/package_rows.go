package metadb

import (
	"context"
	"database/sql"
	"math"
	"strings"

	"granary/internal/registry"
	"granary/internal/sqldb"
)

// byProjectPath is the order of a list of several projects by their paths.
const byProjectPath = "project_path"

// columns are the sort columns. An index has them after the project, so that no page
// is sorted, except by registry.BySemver. The contract names no second column; the id is always the last.
func (l *lister) columns() []string {
	switch l.p.OrderBy {
	case "name":
		return []string{"name", "version", "id"}
	case "version":
		return []string{"version", "created_at", "id"}
	case registry.BySemver:
		return []string{"version_key", "id"}
	}
	return []string{"created_at", "id"} // also for type, of which there is one
}

// ordered is the columns of an ORDER BY, each with the alias before it.
func (l *lister) ordered(alias string, desc bool) string {
	var parts []string
	for _, column := range l.columns() {
		part := alias + column + sqldb.Direction(desc)
		switch {
		case column != "version_key":
		case desc: // a version without a key is lower than any other
			part += " NULLS LAST"
		default:
			part += " NULLS FIRST"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// rows reads the rows of a leg, in its direction.
func (l *lister) rows(ctx context.Context, way leg) ([]registry.Package, error) {
	if l.merges() {
		return l.merged(ctx, way)
	}
	var w sqldb.Where
	with, from := l.source(&w)
	l.beyond(&w, way, "k.")
	order := l.ordered("k.", way.desc)
	paths := ""
	if l.p.OrderBy == byProjectPath {
		paths = " JOIN projects p ON p.id = k.project_id"
		order = "p.path" + sqldb.Direction(way.desc) + ", p.id" + sqldb.Direction(way.desc) + ", " + order
	}
	chosen := from + paths + w.String() + ` ORDER BY ` + order + w.Bind(" LIMIT ? OFFSET ?", way.take, way.skip)
	if l.startsWithNames() { // only ids are sorted
		chosen = `packages k` + paths + ` WHERE k.id IN (SELECT k.id FROM ` + chosen + `) ORDER BY ` + order
	}
	return sqldb.List(ctx, l.q, scanPackage, with+`SELECT `+packageColumns+` FROM `+chosen, w.Args...)
}

// beyond adds the condition that a row is on the leg's side of its bookmark.
func (l *lister) beyond(w *sqldb.Where, way leg, k string) {
	if way.from == nil {
		return
	}
	compare := " >"
	switch {
	case way.desc && way.from.after:
		compare = " <="
	case way.desc:
		compare = " <"
	case !way.from.after:
		compare = " >="
	}
	key := way.from.key
	values := map[string]any{"name": key.name, "version": key.version, "created_at": key.created, "id": key.id}
	var columns, placeholders []string
	if l.p.OrderBy == byProjectPath {
		columns = []string{"p.path", "p.id"}
		placeholders = []string{w.Bind("(SELECT q.path FROM projects q WHERE q.id = ?)", key.project), w.Bind("?", key.project)}
	}
	for _, column := range l.columns() {
		columns = append(columns, k+column)
		placeholders = append(placeholders, w.Bind("?", values[column]))
	}
	w.And("(" + strings.Join(columns, ", ") + ")" + compare + " (" + strings.Join(placeholders, ", ") + ")")
	if l.p.OrderBy == byProjectPath {
		l.beyondPath(w, way, k)
	}
}

// beyondPath bounds the index of each project p: those on the other side of the bookmark
// have no rows on the leg's side, and its own project has some.
func (l *lister) beyondPath(w *sqldb.Where, way leg, k string) {
	key := way.from.key
	from, compare, all, none := " >= ", " > ", int64(math.MinInt64), int64(math.MaxInt64)
	if way.desc {
		from, compare, all, none = " <= ", " < ", none, all
	}
	w.And(k+"created_at"+from+"CASE WHEN p.id = ? THEN CAST(? AS BIGINT) WHEN (p.path, p.id)"+compare+
		"((SELECT q.path FROM projects q WHERE q.id = ?), ?) THEN CAST(? AS BIGINT) ELSE CAST(? AS BIGINT) END",
		key.project, key.created, key.project, key.project, all, none)
}

// merged reads a leg of a list of several projects. Of each project it reads only the
// rows that may be on the page, by an index.
func (l *lister) merged(ctx context.Context, way leg) ([]registry.Package, error) {
	query, args := l.merging(packageColumns, way)
	return sqldb.List(ctx, l.q, scanPackage, query, args...)
}

// merging is the query of merged for columns of packages k.
func (l *lister) merging(columns string, way leg) (query string, args []any) {
	var w sqldb.Where
	inner := sqldb.Where{Args: w.Args}
	inner.And("o.project_id = p.id")
	l.conditions(&inner, "o.")
	l.beyond(&inner, way, "o.")
	rest := inner.String() + ` ORDER BY ` + l.ordered("o.", way.desc) + inner.Bind(" LIMIT ?", way.skip+way.take)
	w.Args = inner.Args
	order := l.ordered("k.", way.desc)
	if l.p.OrderBy == byProjectPath {
		order = "p.path" + sqldb.Direction(way.desc) + ", p.id" + sqldb.Direction(way.desc) + ", " + order
	}
	query = `WITH scope AS MATERIALIZED (SELECT s.id, s.path FROM projects s WHERE ` + within("s.id", &w, l.f.Projects) + `)
		SELECT ` + columns + ` FROM ` + l.db.wording.firstOfEach(rest) + ` ORDER BY ` + order +
		w.Bind(" LIMIT ? OFFSET ?", way.take, way.skip)
	return query, w.Args
}

// LatestPackages implements registry.Packages.
func (db *DB) LatestPackages(ctx context.Context, projects []int64, limit int) ([]registry.Package, error) {
	l := lister{db: db, f: registry.PackageFilter{Projects: projects}}
	query, args := l.merging(packageColumns+lastPipeline, leg{desc: true, take: limit})
	return sqldb.List(ctx, direct{db}, func(row sqldb.Scanner) (registry.Package, error) {
		var s packageScan
		var pipeline sql.NullInt64
		err := row.Scan(append(s.into(), &pipeline)...)
		p := s.scanned()
		p.Pipeline = pipelineOf(pipeline)
		return p, sqldb.Classify(err)
	}, query, args...)
}

// pipelineOf is a pipeline by its id alone; nil for none.
func pipelineOf(id sql.NullInt64) *registry.Pipeline {
	if !id.Valid {
		return nil
	}
	return &registry.Pipeline{ID: id.Int64}
}

// lastPipeline is the column of the last pipeline of a package k, by id.
const lastPipeline = `, (SELECT MAX(s.pipeline_id) FROM package_pipelines s WHERE s.package_id = k.id)`
