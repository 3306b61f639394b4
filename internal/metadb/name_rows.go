package metadb

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/versions"
)

// fill completes the rows of names: their latest and newest versions, and their channels.
func (l *nameLister) fill(ctx context.Context, projectID int64, ids []int64, rows []registry.NameRow) error {
	if len(rows) == 0 {
		return nil
	}
	all := versions.Semantic()
	w := sqldb.Where{Args: []any{all.From, all.Below}}
	w.In("n.id", false, padded(ids))
	found, err := sqldb.ListFixed(ctx, l.q, scanShown, l.db.shownQuery(w.String()), w.Args...)
	if err != nil {
		return err
	}
	keyless := map[int]bool{}
	for i, f := range found {
		row := slices.Index(ids, int64(f.rank/kinds))
		switch kind := f.rank % kinds; kind {
		case keylessKind:
			keyless[row] = true
		default:
			if kind != lastKind {
				rows[row].Latest = &found[i].PackageVersion
			}
			if kind != latestKind {
				rows[row].Last, rows[row].PublishedAt = &found[i].PackageVersion, f.CreatedAt
			}
		}
	}
	for row := range keyless {
		v, err := l.db.selectKeyless(ctx, projectID, rows[row].Name, versions.Selector{Latest: true})
		if err == nil {
			rows[row].Latest = &v
		} else if !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return l.channels(ctx, projectID, rows)
}

// scanShown reads a version with the id of its last pipeline.
func scanShown(row sqldb.Scanner) (rankedVersion, error) {
	var pipeline sql.NullInt64
	v, err := scanRanked(withLast{row, []any{&pipeline}})
	v.Pipeline = pipelineOf(pipeline)
	return v, err
}

// channels fills in the channels of names.
func (l *nameLister) channels(ctx context.Context, projectID int64, rows []registry.NameRow) error {
	w := sqldb.Where{Args: []any{projectID}}
	at := map[registry.Name]*registry.NameRow{}
	var names []string
	for i := range rows {
		at[rows[i].Name] = &rows[i]
	}
	for _, row := range padded(rows) {
		names = append(names, w.Bind("?", string(row.Name)))
	}
	found, err := sqldb.ListFixed(ctx, l.q, scanChannel, `SELECT `+channelColumns+` FROM package_channels WHERE project_id = $1 AND name IN (`+strings.Join(names, ", ")+`) ORDER BY name, channel`, w.Args...)
	for _, c := range found {
		at[c.Package].Channels = append(at[c.Package].Channels, c)
	}
	return err
}

// latestOf is the version of a name n that the selector latest chooses, else the highest
// that lists show. It takes the range of all semantic versions, as $1 and $2.
func latestOf() string {
	const of = `k.project_id = n.project_id AND k.name = n.name AND k.status <> 'pending_destruction'`
	one := func(condition string) string {
		return `(SELECT k.id FROM packages k WHERE ` + of + condition + ` LIMIT 1)`
	}
	best := func(final, prerelease string) string {
		return one(final + ` AND k.prerelease = ` + prerelease + ` AND k.version_key >= $1 AND k.version_key < $2` + selectable + ` ORDER BY k.version_key DESC, k.id DESC`)
	}
	highest := func(prerelease string) string {
		return one(` AND k.prerelease = ` + prerelease + ` AND ` + isListed + ` ORDER BY k.version_key DESC, k.id DESC`)
	}
	const final = ` AND k.final_at IS NOT NULL`
	return `COALESCE(` + strings.Join([]string{
		one(` AND k.version = 'latest' AND ` + isListed),
		`CASE WHEN ` + one(final+inOrder) + ` IS NULL THEN COALESCE(` + best("", "0") + `, ` + best("", "1") + `) ELSE COALESCE(` + best(final, "0") + `, ` + best(final, "1") + `) END`,
		highest("0"), highest("1"), one(` AND k.prerelease IS NULL AND ` + isListed),
	}, ", ") + `)`
}

// Kinds of versions that the row of a name shows.
const (
	latestKind = iota
	lastKind
	bothKind
	keylessKind // a version without a key: the latest is chosen in Go
	kinds
)

// shownQuery is the versions that the rows of names show. Their rank is the id of the name
// times kinds, and the kind. where is the WHERE clause of the names n, after $1 and $2. If
// lists show one version of a name, nothing has to be looked up to choose it.
func (db *DB) shownQuery(where string) string {
	last := `COALESCE((SELECT k.id FROM packages k WHERE k.id = ` + db.wording.last + ` AND ` + isListed + `), ` + newestOf("id") + `)`
	keyless := `(SELECT k.id FROM packages k WHERE k.project_id = n.project_id AND k.name = n.name AND k.status <> 'pending_destruction' AND k.prerelease IS NULL` + inOrder + ` LIMIT 1)`
	unlessOne := func(one, several string) string {
		return `CASE WHEN ` + db.wording.listed + ` = 1 THEN ` + one + ` ELSE ` + several + ` END`
	}
	arm := func(kind, of string) string {
		return `SELECT p.id * ` + strconv.Itoa(kinds) + ` + ` + kind + `, ` + versionColumns + lastPipeline + ` FROM page p CROSS JOIN packages k WHERE k.id = p.` + of
	}
	return `WITH page (id, latest, last, keyless) AS MATERIALIZED (SELECT n.id, ` + unlessOne(last, latestOf()) + `, ` + last + `, ` + unlessOne("NULL", keyless) + ` FROM package_names n` + where + `) ` +
		arm(`CASE WHEN p.last = p.latest THEN `+strconv.Itoa(bothKind)+` ELSE `+strconv.Itoa(latestKind)+` END`, "latest") +
		` UNION ALL ` + arm(strconv.Itoa(lastKind), "last") + ` AND p.last IS DISTINCT FROM p.latest` +
		` UNION ALL ` + arm(strconv.Itoa(keylessKind), "keyless")
}

// FindName implements registry.NameLists.
func (db *DB) FindName(ctx context.Context, projectID int64, name registry.Name) (f registry.NameFacts, err error) {
	ofIt := func(what string) string {
		return `COALESCE((SELECT ` + what + ` FROM package_names n WHERE n.project_id = $1 AND n.name = $2), 0)`
	}
	_, err = sqldb.ListFixed(ctx, db, func(row sqldb.Scanner) (none struct{}, err error) {
		var moved sql.NullInt64
		var channel, version sql.NullString
		err = row.Scan(&f.Versions, &f.Stored, &f.Keyless, &channel, &version, &moved)
		if channel.Valid {
			f.Channels = append(f.Channels, registry.Channel{ProjectID: projectID, Package: name, Name: channel.String, Version: registry.Version(version.String), MovedAt: sqldb.Moment(moved.Int64)})
		}
		return none, err
	}, `SELECT `+ofIt(db.wording.listed)+`, `+ofIt(`COALESCE(`+db.wording.bytes+`, -1)`)+`, EXISTS (SELECT 1 FROM packages k WHERE `+ofName+` AND k.prerelease IS NULL`+inOrder+`), c.channel, c.version, c.moved_at
		FROM (SELECT 1) one LEFT JOIN package_channels c ON c.project_id = $1 AND c.name = $2 ORDER BY c.channel`, projectID, string(name))
	return f, err
}
