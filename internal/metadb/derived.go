package metadb

// Derived rows and columns repeat what the records say, so that lists need not count. The
// texts here are what they should hold: derive fills them, and CheckDerived compares them.

// longestName is how many characters a name has at most: positions are 1 to this.
const longestName = 255

const fillPositions = `INSERT INTO positions (n) WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT s.n + 1 FROM s WHERE s.n < 255) SELECT n FROM s`

const (
	// filesOf and bytesOf are of a package k.
	filesOf = `(SELECT COUNT(*) FROM package_files f WHERE f.package_id = k.id AND f.status <> 'pending_destruction')`
	bytesOf = `(SELECT CAST(COALESCE(SUM(b.size), 0) AS BIGINT) FROM package_files f JOIN blobs b ON b.id = f.blob_id
		WHERE f.package_id = k.id AND f.status <> 'pending_destruction')`

	// usesOf is how many files and uploads have a blob b. Removed files have it until they
	// are purged.
	usesOf = `((SELECT COUNT(*) FROM package_files f WHERE f.blob_id = b.id) + (SELECT COUNT(*) FROM uploads u WHERE u.blob_id = b.id))`

	// partsOf are the parts of names n, some of them more than once.
	partsOf = `SELECT n.project_id, substr(lower(n.name), CAST(p.n AS INTEGER), 32) AS part, n.id AS name_id
		FROM package_names n JOIN positions p ON p.n <= length(n.name)`

	// ordersOf are the rows of names n in the orders of lists.
	ordersOf = `SELECT n.id AS name_id, n.project_id, n.name, n.listed AS versions, n.bytes, COALESCE(n.published_at, 0) AS published_at
		FROM package_names n WHERE n.listed > 0`
)

// countsOf counts the packages k of projects by their status, with their files and bytes; of
// is a condition on k. Removed files of a package that stays are a row of their own. The first
// halves read an index in its order: SQLite would sort all packages in memory.
func countsOf(of string) string {
	const sums = `COALESCE(SUM(k.files), 0) AS BIGINT) AS files, CAST(COALESCE(SUM(k.bytes), 0) AS BIGINT) AS bytes FROM packages k`
	return `SELECT k.project_id, 'default' AS status, COUNT(*) AS packages, CAST(` + sums + `
			WHERE k.status = 'default' AND k.status <> 'pending_destruction' AND ` + of + ` GROUP BY k.project_id
		UNION ALL SELECT k.project_id, k.status, COUNT(*), CAST(` + sums + ` WHERE k.status <> 'default' AND ` + of + ` GROUP BY k.project_id, k.status
		UNION ALL SELECT k.project_id, 'pending_destruction', 0, 1, b.size FROM ` + removedFiles + ` AND ` + of
}

// removedFiles are files f that wait for the purge, with their packages k and blobs b: few.
const removedFiles = `package_files f CROSS JOIN packages k CROSS JOIN blobs b
	WHERE f.status = 'pending_destruction' AND k.id = f.package_id AND b.id = f.blob_id`

// namesOf sums the listed packages k of names; of is a condition on k. A name whose packages
// are not listed has zeros, and published_at NULL.
func namesOf(of string) string {
	listed := func(what, otherwise string) string {
		return `CASE WHEN ` + isListed + ` THEN ` + what + otherwise + ` END`
	}
	return `SELECT k.project_id, k.name, CAST(SUM(` + listed(`1`, ` ELSE 0`) + `) AS BIGINT) AS listed,
			CAST(COALESCE(SUM(` + listed(`k.bytes`, ``) + `), 0) AS BIGINT) AS bytes, MAX(` + listed(`k.created_at`, ``) + `) AS published_at
		FROM packages k WHERE k.status <> 'pending_destruction' AND ` + of + ` GROUP BY k.project_id, k.name`
}

// totalsOf counts the names o of projects in the orders of lists; of is a condition on o.
func totalsOf(of string) string {
	return `SELECT o.project_id, COUNT(*) AS names FROM package_name_orders o WHERE ` + of + ` GROUP BY o.project_id`
}

// derive makes all derived rows and columns anew from the records, whether triggers run or
// not. Nothing else may write meanwhile, and no server may have bytes in memory that it
// would add to names afterwards. Keys of versions that are NULL are left to the upkeep, and
// so is pipeline_numbers, which no record tells.
func (db *DB) derive(t tx) error {
	texts := []string{
		`UPDATE blobs AS b SET files = ` + usesOf + ` WHERE b.files <> ` + usesOf,
		countFiles + `, counted = 1 WHERE k.counted IS NULL OR k.files IS DISTINCT FROM ` + filesOf + ` OR k.bytes IS DISTINCT FROM ` + bytesOf,
		`DELETE FROM package_name_orders`, `DELETE FROM package_name_parts`, `DELETE FROM package_names`,
		`DELETE FROM package_counts`, `DELETE FROM positions`,
		fillPositions,
		`INSERT INTO package_counts (project_id, status, packages, files, bytes)
			SELECT c.project_id, c.status, SUM(c.packages), SUM(c.files), SUM(c.bytes) FROM (` + countsOf(`TRUE`) + `) c GROUP BY c.project_id, c.status`,
		allSized,
		`INSERT INTO package_names (project_id, name, listed, bytes, published_at, last_id, changed)
			SELECT n.project_id, n.name, n.listed, n.bytes, n.published_at, ` + newestOf("id") + `, 0 FROM (` + namesOf(`TRUE`) + `) n`,
		`INSERT INTO package_name_parts (project_id, part, name_id) ` + partsOf + ` WHERE TRUE ON CONFLICT DO NOTHING`,
		`INSERT INTO package_name_orders (name_id, project_id, name, versions, bytes, published_at) ` + ordersOf,
		`DELETE FROM package_name_totals`,
		`INSERT INTO package_name_totals (project_id, names) ` + totalsOf(`TRUE`),
	}
	if db.Shared() {
		texts = append(texts, `DELETE FROM package_name_changes`)
	}
	for _, text := range texts {
		if err := t.Exec(text); err != nil {
			return err
		}
	}
	return nil
}
