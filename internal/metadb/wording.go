package metadb

// wording is what differs between the texts of the two databases. All other texts
// are the same for both.
type wording struct {
	// firstOfEach joins scope p with the first packages of each project in it,
	// as k; rest is what follows in a query over packages o.
	firstOfEach func(rest string) string
	// skipLocked ends a query that claims a row, so that two claim two.
	skipLocked string
	// listed is how many listed packages have a name of package_names, n.
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
