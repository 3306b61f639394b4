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
}

func sqliteWording() wording {
	return wording{
		firstOfEach: func(rest string) string {
			return `scope p CROSS JOIN packages k ON k.id IN (SELECT o.id FROM packages o` + rest + `)`
		},
		listed: "n.listed",
	}
}

func postgresWording() wording {
	return wording{
		firstOfEach: func(rest string) string {
			return `scope p CROSS JOIN LATERAL (SELECT o.* FROM packages o` + rest + `) k`
		},
		skipLocked: ` FOR UPDATE SKIP LOCKED`,
		listed: `n.listed + CAST(COALESCE((SELECT SUM(c.listed) FROM package_name_changes c
			WHERE c.project_id = n.project_id AND c.name = n.name), 0) AS BIGINT)`,
	}
}
