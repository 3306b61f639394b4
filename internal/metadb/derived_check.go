package metadb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"granary/internal/sqldb"
	"granary/internal/versions"
)

// DerivedFault is a derived row that is not what the records say.
type DerivedFault struct {
	Table    string
	Key      string // of the row, for people: "project 7, name tool"
	Is       string // what is there, as far as it is wrong
	ShouldBe string
}

func (f DerivedFault) String() string {
	return fmt.Sprintf("%s of %s: %s, should be %s", f.Table, f.Key, f.Is, f.ShouldBe)
}

// mostFaults of a table are looked for; firstFaults ends their query.
const (
	mostFaults  = 100
	firstFaults = ` LIMIT 100`
)

// How many rows one query compares. SQLite compares the names of a range with each other: it
// has few, and fewer if they have many versions.
const (
	checkedAtOnce   = 2000
	namesAtOnce     = 100
	versionsOfNames = 2000
	partsAtOnce     = 10_000
)

// flushedByAll is twice as long as a node keeps the bytes of further files in memory, and
// the time of a commit.
const flushedByAll = 12 * time.Second

// noRow is what is there, or should be, if it is nothing.
const noRow = "no row"

// derivedCheck collects faults.
type derivedCheck struct {
	db     *DB
	wait   time.Duration // until every node has written what it has in memory
	found  []DerivedFault
	doubts []nameKey // names of which only the bytes differ
}

// CheckDerived compares derived rows with the records, and returns up to 100 differences of
// each table, but for the uses of blobs, which Miscounted compares. It may run beside publishers. Each query is one statement, which sees rows
// together with what was derived from them in the same transaction, and reads a range that
// keeps it short. What the upkeep has still to sum, count or order is no difference.
func (db *DB) CheckDerived(ctx context.Context) ([]DerivedFault, error) {
	c := &derivedCheck{db: db, wait: flushedByAll}
	err := c.run(ctx)
	return c.found, err
}

func (c *derivedCheck) run(ctx context.Context) error {
	for _, check := range []func(context.Context) error{c.positions, c.packages, c.projects, c.names, c.parts, c.foreignParts, c.settle} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// add notes a fault, unless enough of its table are known.
func (c *derivedCheck) add(f DerivedFault) {
	if !c.full(f.Table) {
		c.found = append(c.found, f)
	}
}

func (c *derivedCheck) full(table string) bool { return c.count(table) >= mostFaults }

// count is how many faults of a table are known.
func (c *derivedCheck) count(table string) (n int) {
	for _, f := range c.found {
		if f.Table == table {
			n++
		}
	}
	return n
}

// ranges calls do for ranges of the ids of a table: above from, up to to. The last range
// has no end.
func (c *derivedCheck) ranges(ctx context.Context, table string, do func(from, to int64) error) error {
	for from := int64(0); ; {
		var to int64
		err := c.db.Row(ctx, `SELECT id FROM `+table+` WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2`, from, checkedAtOnce).Scan(&to)
		if errors.Is(err, sql.ErrNoRows) {
			return do(from, math.MaxInt64)
		}
		if err != nil {
			return sqldb.Classify(err)
		}
		if err := do(from, to); err != nil {
			return err
		}
		from = to
	}
}

func (c *derivedCheck) positions(ctx context.Context) error {
	var n, low, high int
	err := c.db.Row(ctx, `SELECT COUNT(*), COALESCE(MIN(n), 0), COALESCE(MAX(n), 0) FROM positions`).Scan(&n, &low, &high)
	if err == nil && (n != longestName || low != 1 || high != longestName) {
		c.add(DerivedFault{"positions", "all rows", fmt.Sprintf("%d rows from %d to %d", n, low, high), fmt.Sprintf("1 to %d", longestName)})
	}
	return sqldb.Classify(err)
}

// packages compares the files, bytes and keys of versions.
func (c *derivedCheck) packages(ctx context.Context) error {
	return c.ranges(ctx, "packages", func(from, to int64) error {
		err := c.differing(ctx, "packages", scanCounted, `SELECT k.id, k.files, k.bytes, `+filesOf+`, `+bytesOf+` FROM packages k
			WHERE k.id > $1 AND k.id <= $2 AND k.counted IS NOT NULL AND (k.files IS DISTINCT FROM `+filesOf+` OR k.bytes IS DISTINCT FROM `+bytesOf+`)
			ORDER BY k.id`+firstFaults, from, to)
		if err != nil {
			return err
		}
		return c.differing(ctx, "packages", scanKeyed, `SELECT k.id, k.version, k.version_key, k.prerelease FROM packages k
			WHERE k.id > $1 AND k.id <= $2 AND k.version_key IS NOT NULL ORDER BY k.id`, from, to)
	})
}

// projects compares what is counted of each project, and its files and bytes if the upkeep has
// reached it. On PostgreSQL publishers append rows to
// package_counts: their sum counts.
func (c *derivedCheck) projects(ctx context.Context) error {
	const compared = `) s GROUP BY s.project_id, s.status HAVING SUM(s.there) <> SUM(s.wanted) ORDER BY s.project_id, s.status` + firstFaults
	const sums = `CAST(SUM(s.packages) AS BIGINT), CAST(SUM(s.wanted) AS BIGINT), CAST(SUM(s.files) AS BIGINT), CAST(SUM(s.wanted_files) AS BIGINT),
		CAST(SUM(s.bytes) AS BIGINT), CAST(SUM(s.wanted_bytes) AS BIGINT)`
	within := func(what string) string { return what + `.project_id > $1 AND ` + what + `.project_id <= $2` }
	return c.ranges(ctx, "projects", func(from, to int64) error {
		err := c.differing(ctx, "package_counts", scanCount, `SELECT s.project_id, s.status, `+sums+` FROM (
			SELECT c.project_id, c.status, c.packages, 0 AS wanted, c.files, 0 AS wanted_files, c.bytes, 0 AS wanted_bytes FROM package_counts c WHERE `+within("c")+`
			UNION ALL SELECT w.project_id, w.status, 0, w.packages, 0, w.files, 0, w.bytes FROM (`+countsOf(within("k"))+`) w) s
			GROUP BY s.project_id, s.status HAVING SUM(s.packages) <> SUM(s.wanted)
				OR s.project_id <= (SELECT d.project_id FROM sized_projects d) AND (SUM(s.files) <> SUM(s.wanted_files) OR SUM(s.bytes) <> SUM(s.wanted_bytes))
			ORDER BY s.project_id, s.status`+firstFaults, from, to)
		if err != nil {
			return err
		}
		return c.differing(ctx, "package_name_totals", scanTotal, `SELECT s.project_id, s.status, CAST(SUM(s.there) AS BIGINT), CAST(SUM(s.wanted) AS BIGINT) FROM (
			SELECT t.project_id, '' AS status, t.names AS there, 0 AS wanted FROM package_name_totals t WHERE `+within("t")+`
			UNION ALL SELECT w.project_id, '', 0, w.names FROM (`+totalsOf(within("o"))+`) w`+compared, from, to)
	})
}

// differing adds a fault for each row of a query that scan finds wrong. One statement keeps
// few rows in memory: its range has few, or it has a limit.
func (c *derivedCheck) differing(ctx context.Context, table string, scan func(sqldb.Scanner) (DerivedFault, error), query string, args ...any) error {
	if c.full(table) {
		return nil
	}
	found, err := sqldb.ListFixed(ctx, c.db, scan, query, args...)
	for _, f := range found {
		if f.Is != f.ShouldBe {
			f.Table = table
			c.add(f)
		}
	}
	return err
}

func scanCounted(row sqldb.Scanner) (f DerivedFault, err error) {
	var id, files, size int64
	var there, thereBytes sql.NullInt64
	err = row.Scan(&id, &there, &thereBytes, &files, &size)
	return DerivedFault{
		Key: fmt.Sprintf("id %d", id), Is: fmt.Sprintf("files %s, bytes %s", columnText(there), columnText(thereBytes)),
		ShouldBe: fmt.Sprintf("files %d, bytes %d", files, size),
	}, err
}

func scanKeyed(row sqldb.Scanner) (f DerivedFault, err error) {
	var id int64
	var version string
	var key []byte
	var kind sql.NullInt64
	if err = row.Scan(&id, &version, &key, &kind); err != nil {
		return f, err
	}
	want, pre := versions.KeyAndKind(version)
	if bytes.Equal(key, want) && kind.Valid && kind.Int64 == int64(sqldb.Bool(pre)) {
		return f, nil
	}
	return DerivedFault{
		Key: fmt.Sprintf("id %d", id), Is: fmt.Sprintf("version_key %x, prerelease %s", key, columnText(kind)),
		ShouldBe: fmt.Sprintf("version_key %x, prerelease %d, of version %s", want, sqldb.Bool(pre), version),
	}, nil
}

func scanCount(row sqldb.Scanner) (f DerivedFault, err error) {
	const text = "packages %d, files %d, bytes %d"
	var project, packages, wanted, files, wantedFiles, bytes, wantedBytes int64
	var status string
	err = row.Scan(&project, &status, &packages, &wanted, &files, &wantedFiles, &bytes, &wantedBytes)
	return DerivedFault{
		Key: fmt.Sprintf("project %d, status %s", project, status),
		Is:  fmt.Sprintf(text, packages, files, bytes), ShouldBe: fmt.Sprintf(text, wanted, wantedFiles, wantedBytes),
	}, err
}

func scanTotal(row sqldb.Scanner) (f DerivedFault, err error) {
	var project, there, wanted int64
	err = row.Scan(&project, new(string), &there, &wanted)
	return DerivedFault{Key: fmt.Sprintf("project %d", project), Is: fmt.Sprintf("names %d", there), ShouldBe: fmt.Sprintf("names %d", wanted)}, err
}

// columnText is a nullable column for people.
func columnText(n sql.NullInt64) string {
	if !n.Valid {
		return "NULL"
	}
	return fmt.Sprint(n.Int64)
}
