package metadb

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/versions"
)

// doomed adds the condition that a package k is of d.
func doomed(w *sqldb.Where, projectID int64, d registry.Doomed) {
	w.And("k.project_id = ? AND k.status <> 'pending_destruction'", projectID)
	if d.Name != "" {
		w.And("k.name = ?", string(d.Name))
		return
	}
	w.In("k.id", false, padded(d.IDs))
}

// DoomedVersions implements registry.Deletions.
func (db *DB) DoomedVersions(ctx context.Context, projectID int64, d registry.Doomed, limit int) ([]registry.VersionRow, error) {
	var w sqldb.Where
	doomed(&w, projectID, d)
	query := `SELECT 0, ` + rowColumns + ` FROM packages k` + w.String() + ` ORDER BY k.id DESC` + w.Bind(` LIMIT ?`, limit)
	return sqldb.ListFixed(ctx, db, scanVersionRow, query, w.Args...)
}

// StoredBy implements registry.Deletions. The counter of a blob spares the look for other
// files of most.
func (db *DB) StoredBy(ctx context.Context, projectID int64, d registry.Doomed, most int) (s registry.Stored, err error) {
	w := sqldb.Where{Args: []any{projectID}}
	chosen := sqldb.Where{Args: w.Args}
	doomed(&chosen, projectID, d)
	file, another := "", `o.package_id NOT IN (SELECT id FROM gone)`
	if d.FileID != 0 {
		file, another = chosen.Bind(" AND f.id = ?", d.FileID), chosen.Bind("o.id <> ?", d.FileID)
	}
	with := `WITH gone AS MATERIALIZED (SELECT k.id FROM packages k` + chosen.String() + `),
		lost AS MATERIALIZED (SELECT f.blob_id, b.size, b.files > COUNT(*) AS more FROM gone CROSS JOIN package_files f JOIN blobs b ON b.id = f.blob_id
			WHERE f.package_id = gone.id AND f.status <> 'pending_destruction'` + file + ` GROUP BY f.blob_id, b.size, b.files) `
	others := `package_files o JOIN packages k ON k.id = o.package_id AND k.project_id = $1 AND k.status <> 'pending_destruction'
		WHERE o.blob_id = l.blob_id AND o.status <> 'pending_destruction' AND ` + another
	named := strings.Replace(others, "WHERE", "WHERE l.more AND k.status <> 'draft' AND", 1)
	query := with + `SELECT CAST(COALESCE(SUM(l.size), 0) AS BIGINT),
			CAST(COALESCE(SUM(CASE WHEN l.more AND EXISTS (SELECT 1 FROM ` + others + `) THEN 0 ELSE l.size END), 0) AS BIGINT), '', '' FROM lost l
		UNION ALL SELECT 0, 0, b.name, b.version FROM (SELECT DISTINCT a.name, a.version FROM (SELECT k.name, k.version FROM lost l CROSS JOIN ` +
		named + chosen.Bind(` LIMIT ?) a LIMIT ?) b`, countLimit, most+1)
	rows, err := sqldb.ListFixed(ctx, db, scanStored, query, chosen.Args...)
	for _, row := range rows {
		if s.Bytes, s.Own = s.Bytes+row.Bytes, s.Own+row.Own; row.Shared != nil {
			s.Shared = append(s.Shared, row.Shared...)
		}
	}
	if s.More = len(s.Shared) > most; s.More {
		s.Shared = s.Shared[:most]
	}
	return s, err
}

// scanStored reads the sums, or a version that shares bytes.
func scanStored(row sqldb.Scanner) (s registry.Stored, err error) {
	var c registry.Coordinates
	if err = row.Scan(&s.Bytes, &s.Own, &c.Name, &c.Version); c.Name != "" {
		s.Shared = []registry.Coordinates{c}
	}
	return s, err
}

// LatestWithout implements registry.Deletions. It reads all versions of a name of which
// some version has no key yet.
func (db *DB) LatestWithout(ctx context.Context, projectID int64, name registry.Name, without []int64) (before, after registry.Version, err error) {
	all := versions.Semantic()
	w := sqldb.Where{Args: []any{projectID, string(name), "latest", all.From, all.Below}}
	w.In("k.id", true, padded(without))
	query := union(append(rangeArms(true, "", 0), rangeArms(true, " AND "+strings.Join(w.Conditions, ""), ranks)...)...)
	found, err := sqldb.ListFixed(ctx, db, scanRanked, query, w.Args...)
	if err != nil {
		return "", "", err
	}
	var rest []rankedVersion
	for _, f := range found {
		if f.rank >= ranks {
			rest = append(rest, rankedVersion{f.rank - ranks, f.PackageVersion})
		}
	}
	if before, err = db.latestAmong(ctx, projectID, name, found, nil); err != nil {
		return "", "", err
	}
	after, err = db.latestAmong(ctx, projectID, name, rest, without)
	return before, after, err
}

// latestAmong is what the selector latest chooses of what was found without some packages; ""
// for none.
func (db *DB) latestAmong(ctx context.Context, projectID int64, name registry.Name, found []rankedVersion, without []int64) (registry.Version, error) {
	v, rank := first(found)
	switch rank {
	case keylessRank:
		v, err := db.selectWithout(ctx, projectID, name, versions.Selector{Latest: true}, without)
		if fault.Is(err, fault.NotFound) {
			return "", nil
		}
		return v.Version, err
	case finalOnlyRank, ranks:
		return "", nil
	}
	return v.Version, nil
}

// newestReleases is how many releases are looked at for links.
const newestReleases = 500

const linksQuery = `SELECT r.tag, l.name, l.url FROM (
		SELECT id, tag, released_at FROM releases WHERE project_id = $1 ORDER BY released_at DESC, id DESC LIMIT $2) r
	JOIN release_links l ON l.release_id = r.id WHERE l.url LIKE '%/packages/generic/%' ESCAPE '\' ORDER BY r.released_at DESC, r.id DESC, l.id DESC`

// ReleaseLinks implements registry.Deletions.
func (db *DB) ReleaseLinks(ctx context.Context, to registry.LinkTarget, limit int) ([]registry.ReleaseLink, error) {
	all, err := sqldb.ListFixed(ctx, db, func(row sqldb.Scanner) (l registry.ReleaseLink, err error) {
		err = row.Scan(&l.Tag, &l.Name, &l.URL)
		return l, err
	},
		linksQuery, to.ProjectID, newestReleases)
	if err != nil {
		return nil, err
	}
	wanted := map[registry.Version]bool{}
	for _, v := range to.Versions {
		wanted[v] = true
	}
	var found []registry.ReleaseLink
	for _, l := range all {
		if leads(l.URL, to, wanted) && len(found) < limit {
			found = append(found, l)
		}
	}
	return found, nil
}

// leads reports whether a link leads to the target, at whatever host: a server has more
// than one name.
func leads(link string, to registry.LinkTarget, wanted map[registry.Version]bool) bool {
	u, err := url.Parse(link)
	if err != nil {
		return false
	}
	before, after, _ := strings.Cut(u.Path, "/packages/generic/")
	_, project, ok := strings.Cut(before, "/projects/")
	if !ok || project != strconv.FormatInt(to.ProjectID, 10) && !strings.EqualFold(project, to.FullPath) {
		return false
	}
	rest, ok := strings.CutPrefix(after, string(to.Name)+"/")
	version, file, more := strings.Cut(rest, "/")
	return ok && more && (to.Versions == nil || wanted[registry.Version(version)]) && (to.File == "" || file == to.File.Path())
}
