package metadb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"granary/internal/registry"
	"granary/internal/sqldb"
)

const (
	touchPackage = `UPDATE packages SET downloads = downloads + $1,
			last_downloaded_at = CASE WHEN last_downloaded_at > $2 THEN last_downloaded_at ELSE $2 END
		WHERE id = $3 RETURNING project_id, name`
	addPackageDay = `INSERT INTO package_downloads AS d (package_id, day, downloads) VALUES ($1, $2, $3)
		ON CONFLICT (package_id, day) DO UPDATE SET downloads = d.downloads + excluded.downloads`
	addNameDay = `INSERT INTO name_downloads AS d (project_id, name, day, downloads) VALUES ($1, $2, $3, $4)
		ON CONFLICT (project_id, name, day) DO UPDATE SET downloads = d.downloads + excluded.downloads`
)

// nameDay is a name on a day.
type nameDay struct {
	nameKey
	day registry.Day
}

// TouchDownloads implements registry.Publishing. It takes rows in one order, so that two nodes
// cannot deadlock: packages, which keeps the purge away from their days, then names.
func (db *DB) TouchDownloads(ctx context.Context, all map[registry.PackageDay]registry.Downloads) error {
	order := slices.SortedFunc(maps.Keys(all), func(a, b registry.PackageDay) int {
		return cmp.Or(cmp.Compare(a.PackageID, b.PackageID), cmp.Compare(a.Day, b.Day))
	})
	return db.do(ctx, func(t tx) error {
		names := map[nameDay]int64{}
		for _, of := range order {
			n, name := all[of], nameDay{day: of.Day}
			err := t.Row(ctx, touchPackage, n.Count, sqldb.Micros(n.Last), of.PackageID).Scan(&name.projectID, &name.name)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err == nil {
				err = t.Exec(addPackageDay, of.PackageID, int64(of.Day), n.Count)
			}
			if err != nil {
				return sqldb.Classify(err)
			}
			names[name] += n.Count
		}
		for _, name := range slices.SortedFunc(maps.Keys(names), func(a, b nameDay) int {
			return cmp.Or(cmp.Compare(a.projectID, b.projectID), cmp.Compare(a.name, b.name), cmp.Compare(a.day, b.day))
		}) {
			if err := t.Exec(addNameDay, name.projectID, name.name, int64(name.day), names[name]); err != nil {
				return err
			}
		}
		return nil
	})
}

// NameDownloads implements registry.Counting.
func (db *DB) NameDownloads(ctx context.Context, projectID int64, name registry.Name, days []registry.Day) ([]registry.DayCount, error) {
	var w sqldb.Where
	w.And("d.project_id = ?", projectID)
	if name != "" {
		w.And("d.name = ?", string(name))
	}
	return db.downloadsOn(ctx, "name_downloads", w, days)
}

// VersionDownloads implements registry.Counting.
func (db *DB) VersionDownloads(ctx context.Context, packageID int64, days []registry.Day) ([]registry.DayCount, error) {
	var w sqldb.Where
	w.And("d.package_id = ?", packageID)
	return db.downloadsOn(ctx, "package_downloads", w, days)
}

func (db *DB) downloadsOn(ctx context.Context, table string, w sqldb.Where, days []registry.Day) ([]registry.DayCount, error) {
	numbers := make([]int64, len(days))
	for i, day := range days {
		numbers[i] = int64(day)
	}
	w.In("d.day", false, padded(numbers))
	return sqldb.List(ctx, db, func(row sqldb.Scanner) (c registry.DayCount, err error) {
		err = row.Scan(&c.Day, &c.Count)
		return c, err
	}, `SELECT d.day, CAST(SUM(d.downloads) AS BIGINT) FROM `+table+` d`+w.String()+` GROUP BY d.day ORDER BY d.day`, w.Args...)
}

// sumDays adds days of a month to its first day, and then deletes them: the same ones, since
// nobody adds to them any more. They take the first day, the next month's, and a limit.
func sumDays(table, key string) []string {
	some := `FROM ` + table + ` WHERE day > $1 AND day < $2 ORDER BY day, ` + key + ` LIMIT $3`
	return []string{
		`INSERT INTO ` + table + ` AS d (` + key + `, day, downloads)
			SELECT ` + key + `, CAST($1 AS BIGINT), SUM(downloads) FROM (SELECT ` + key + `, downloads ` + some + `) s WHERE TRUE GROUP BY ` + key + `
			ON CONFLICT (` + key + `, day) DO UPDATE SET downloads = d.downloads + excluded.downloads`,
		`DELETE FROM ` + table + ` WHERE (day, ` + key + `) IN (SELECT day, ` + key + ` ` + some + `)`,
	}
}

// firstDay is the first day that has downloads; NULL if there are none.
const firstDay = `SELECT MIN(day) FROM (SELECT MIN(day) AS day FROM package_downloads UNION ALL SELECT MIN(day) FROM name_downloads) d`

// SumDownloads implements registry.Counting.
func (db *DB) SumDownloads(ctx context.Context, before registry.Day, limit int) (int, error) {
	var first, reached sql.Null[int64]
	if err := db.Row(ctx, firstDay).Scan(&first); err != nil {
		return 0, sqldb.Classify(err)
	}
	if err := db.Row(ctx, `SELECT MAX(day) FROM download_months`).Scan(&reached); err != nil {
		return 0, sqldb.Classify(err)
	}
	if !first.Valid || max(first.V, reached.V) >= int64(before) {
		return 0, nil
	}
	return write(ctx, db, func(t tx) (n int, err error) {
		// Who sums holds this row: of two nodes one waits, and sees what the other has done.
		var at int64
		err = t.Row(ctx, `INSERT INTO download_months AS m (id, day) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET day = m.day RETURNING day`,
			int64(registry.Day(first.V).Month())).Scan(&at)
		month := registry.Day(at)
		for ; err == nil && n == 0 && month < before; month = (month + 31).Month() {
			if n, err = t.sumMonth(month, limit); err == nil && n == 0 {
				err = t.Exec(`UPDATE download_months SET day = $1`, int64((month + 31).Month()))
			}
		}
		return n, sqldb.Classify(err)
	})
}

func (t tx) sumMonth(month registry.Day, limit int) (gone int, err error) {
	for _, texts := range [][]string{sumDays("package_downloads", "package_id"), sumDays("name_downloads", "project_id, name")} {
		if err := t.Exec(texts[0], int64(month), int64((month + 31).Month()), limit); err != nil {
			return gone, err
		}
		n, err := t.Count(texts[1], int64(month), int64((month + 31).Month()), limit)
		if err != nil {
			return gone, err
		}
		gone += int(n)
	}
	return gone, nil
}
