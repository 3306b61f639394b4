package metadb

// wording is what differs between the SQL of the two databases. All other texts are
// the same for both.
type wording struct {
	// firstOfEach joins the projects p of scope with the first packages k of each;
	// rest is the rest of a query over packages o.
	firstOfEach func(rest string) string
	// skipLocked ends a query that claims a row: it skips rows that others have
	// locked.
	skipLocked string
	// listed is the number of listed packages of a name n in package_names.
	listed string
	// bytes and published are columns of package_names, with what publishers appended.
	bytes, published, last string
	// appended is 1 if publishers appended something to a name n, else 0.
	appended string
	// changed selects the ids of a project's names that package_name_orders has not, or
	// not as they are. It takes the project as $1.
	changed string
	// sumName is the text of sumName.
	sumName string
	// grow adds bytes to a name; it takes the project, the name and the bytes.
	grow string
	// addSize adds files and bytes to a project's packages of a status; it takes these four.
	addSize string
}

func sqliteWording() wording {
	return wording{
		firstOfEach: func(rest string) string {
			return `scope p CROSS JOIN packages k ON k.id IN (SELECT o.id FROM packages o` + rest + `)`
		},
		listed: "n.listed", bytes: "n.bytes", published: "n.published_at", last: "n.last_id", appended: "0",
		changed: `SELECT n.id FROM package_names n WHERE n.project_id = $1 AND n.changed = 1`,
		sumName: sumName(""),
		grow:    `UPDATE package_names SET bytes = bytes + $3, changed = 1 WHERE project_id = $1 AND name = $2`,
		addSize: `INSERT INTO package_counts (project_id, status, packages, files, bytes) VALUES ($1, $2, 0, $3, $4)
			ON CONFLICT (project_id, status) DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes`,
	}
}

func postgresWording() wording {
	appended := func(what string) string {
		return `(SELECT ` + what + ` FROM package_name_changes c WHERE c.project_id = n.project_id AND c.name = n.name)`
	}
	bytes := `CAST(COALESCE(` + appended("SUM(c.bytes)") + `, 0) AS BIGINT)`
	return wording{
		firstOfEach: func(rest string) string {
			return `scope p CROSS JOIN LATERAL (SELECT o.* FROM packages o` + rest + `) k`
		},
		skipLocked: ` FOR UPDATE SKIP LOCKED`,
		listed:     `n.listed + CAST(COALESCE(` + appended("SUM(c.listed)") + `, 0) AS BIGINT)`,
		bytes:      `n.bytes + ` + bytes,
		published:  `GREATEST(n.published_at, ` + appended("MAX(c.published_at)") + `)`,
		last: `COALESCE((SELECT c.last_id FROM package_name_changes c WHERE c.project_id = n.project_id AND c.name = n.name
			AND c.published_at >= COALESCE(n.published_at, 0) ORDER BY c.published_at DESC, c.last_id DESC LIMIT 1), n.last_id)`,
		appended: `CASE WHEN ` + appended("COUNT(*)") + ` > 0 THEN 1 ELSE 0 END`,
		changed: `SELECT n.id FROM package_names n WHERE n.project_id = $1 AND n.changed = 1 UNION
			SELECT n.id FROM package_name_changes c JOIN package_names n ON n.project_id = c.project_id AND n.name = c.name WHERE c.project_id = $1`,
		sumName: sumName(` - ` + bytes),
		grow:    `INSERT INTO package_name_changes (project_id, name, listed, bytes) VALUES ($1, $2, 0, $3)`,
		addSize: `INSERT INTO package_counts (project_id, status, packages, files, bytes) VALUES ($1, $2, 0, $3, $4)`,
	}
}
