package metadb

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/versions"
)

// manyVersions adds n versions of the package tool: stable ones, above them as many
// pre-releases, and some yanked at the top; of another project, as many final ones.
func manyVersions(t *testing.T, db *DB, open, final int64, n int) {
	t.Helper()
	for _, projectID := range []int64{open, final} {
		all := make([]made, 0, 2*n)
		for i := range n {
			all = append(all, made{version: fmt.Sprint("1.", i, ".0"), yanked: i > n-10}, made{version: fmt.Sprint("2.0.0-rc.", i)})
		}
		for i := range all {
			all[i].id, all[i].status, all[i].final = projectID*1_000_000+int64(i), registry.StatusDefault, projectID == final
		}
		insertMade(t, db, projectID, "tool", all)
	}
	do(t, db, `ANALYZE`)
}

// No selector, no list in order and no version's files sort or scan a table, however many
// versions there are.
func TestSelectionPlans(t *testing.T) {
	db := openSQLite(t)
	p := demo(t, db)
	bad := regexp.MustCompile(`\bSCAN [kfbnc]\b|TEMP B-TREE`)
	for _, seeded := range []bool{false, true} {
		if seeded {
			manyVersions(t, db, p.ID, newProject(t, db, p.Namespace.ID, "final", 0, p.CreatorID).ID, 1000)
		}
		for what, call := range selectionCalls(t, db, p.ID) {
			steps := strings.Join(plan(t, db, call.text), "\n")
			if strings.HasPrefix(what, "around") { // it sorts a stable version and a pre-release, and channels
				steps = strings.NewReplacer("SCAN b\nUSE TEMP B-TREE FOR ORDER BY", "", "USE TEMP B-TREE FOR string_agg", "").Replace(steps)
			}
			if bad.MatchString(steps) || steps == "" {
				t.Errorf("%s, with rows: %v, by\n%s", what, seeded, steps)
			}
			for _, index := range map[string][]string{"latest": {"packages_order ", "packages_order_final "}, "range": {"packages_order ", "packages_order_final "}}[what] {
				if !strings.Contains(steps, index) {
					t.Errorf("%s does not use %s:\n%s", what, index, steps)
				}
			}
		}
	}
}

// manyFiles adds files to versions of manyVersions, each with bytes in the database, and
// channels.
func manyFiles(t *testing.T, db *DB, projectID int64, n int) {
	t.Helper()
	do(t, db, fmt.Sprintf(`INSERT INTO blobs (id, digest, size, files, touched_at) SELECT i, sha256(CAST(CAST(i AS TEXT) AS BYTEA)), 1, 1, 1 FROM generate_series(1, %d) i`, n),
		`INSERT INTO blob_contents (blob_id, content) SELECT id, CAST(CAST(id AS TEXT) AS BYTEA) FROM blobs`,
		fmt.Sprintf(`INSERT INTO package_files (package_id, blob_id, file_name, status, created_at) SELECT %d + i / 10, i, 'f' || (i %% 7), 'default', 1 FROM generate_series(1, %d) i`, projectID*1_000_000, n),
		fmt.Sprintf(`INSERT INTO package_channels (project_id, name, channel, version, moved_at) SELECT %d, 'tool-' || i, 'stable', '1.0.0', 1 FROM generate_series(1, %d) i`, projectID, n),
		fmt.Sprintf(`INSERT INTO package_channels (project_id, name, channel, version, moved_at) VALUES (%d, 'tool', 'stable', '1.7.0', 1)`, projectID),
		`ANALYZE`)
}

// selectionCall is a statement, and what it is asked for.
type selectionCall struct {
	text string
	args []any
	most int // rows that it may read
}

// selectionCalls are the statements on versions of manyVersions.
func selectionCalls(t *testing.T, db *DB, projectID int64) map[string]selectionCall {
	t.Helper()
	semantic := parseSelector(t, "^1.4")
	all := versions.Semantic()
	packageID := projectID * 1_000_000
	calls := map[string]selectionCall{
		"literal": {db.selections.literal, []any{projectID, "tool", "1.7.0"}, 2},
		"channel": {db.selections.channel, []any{projectID, "tool", "stable"}, 3},
		"latest":  {db.selections.latest, []any{projectID, "tool", "latest", all.From, all.Below}, 40}, // with those yanked at the top, twice
		"range":   {db.selections.ranged, []any{projectID, "tool", "^1.4", semantic.Range.From, semantic.Range.Below}, 40},
		"files":   {versionFilesQuery, []any{packageID + 1, 100}, 60},
		"content": {contentQuery, []any{make([]byte, 32)}, 2},
	}
	for _, after := range []*registry.VersionCursor{nil, {Version: "1.50.0", ID: packageID + 100}, {Version: "2.0.0-rc.50", ID: packageID + 101}} {
		r := &recorder{Queries: db}
		_, err := orderedVersions{q: r, projectID: projectID, name: "tool"}.list(t.Context(), after, 101)
		must(t, 0, err)
		if len(r.texts) != 1 {
			t.Fatalf("%d statements", len(r.texts))
		}
		calls[fmt.Sprint("list from ", after)] = selectionCall{r.texts[0], r.args[0], 4*101 + 10} // of stable versions and of pre-releases; each counts twice
	}
	for _, version := range []string{"1.50.0", "2.0.0-rc.50"} {
		calls["around "+version] = selectionCall{db.selections.around, []any{projectID, "tool", version, 1}, 20}
	}
	return calls
}

// On PostgreSQL no such statement scans a table or sorts, or reads more than a few rows,
// with generic plans or without. The files of one version may be sorted.
func TestPostgresSelectionPlans(t *testing.T) {
	db := openPostgres(t, sqldb.Options{})
	p := demo(t, db)
	final := newProject(t, db, p.Namespace.ID, "final", 0, p.CreatorID)
	manyVersions(t, db, p.ID, final.ID, 1500)
	manyFiles(t, db, p.ID, 3000)
	for left := 1; left > 0; { // as a publish leaves them: with their files counted
		var err error
		if left, err = db.CountVersions(t.Context(), 10_000); err != nil {
			t.Fatal(err)
		}
	}
	do(t, db, `ANALYZE`)
	bad := regexp.MustCompile(`Seq Scan on (packages|package_files|blobs|blob_contents|package_channels)\b|Sort \(actual rows=([2-9]|\d\d)`)
	check := func(t *testing.T, mode string, projectID int64, of ...string) {
		t.Helper()
		for what, call := range selectionCalls(t, db, projectID) {
			if of != nil && !slices.Contains(of, what) {
				continue
			}
			steps := analyzed(t, db, mode, call)
			if found := bad.FindString(steps); found != "" && (what != "files" || !strings.HasPrefix(found, "Sort")) {
				t.Errorf("%s, %s: %s in\n%s", what, mode, found, steps)
			}
			if n := rowsRead(steps); n > call.most {
				t.Errorf("%s, %s: %v rows are read, want %d at most\n%s", what, mode, n, call.most, steps)
			}
		}
	}
	modes := []string{"force_custom_plan", "force_generic_plan"}
	for _, mode := range modes {
		check(t, mode, p.ID)
		check(t, mode, final.ID)
	}
	do(t, db, `UPDATE packages SET version_key = NULL, prerelease = NULL`, `ANALYZE`) // as after an upgrade
	for _, mode := range modes {
		check(t, mode, p.ID, "latest", "range")
	}
}

// analyzed executes a statement as a prepared one, and returns what PostgreSQL did.
func analyzed(t *testing.T, db *DB, mode string, call selectionCall) string {
	t.Helper()
	conn, err := db.Reads.Conn(t.Context())
	must(t, 0, err)
	defer func() { must(t, 0, conn.Close()) }()
	literals := make([]string, len(call.args))
	for i, arg := range call.args {
		literals[i] = fmt.Sprintf("'%v'", arg)
		if bytes, ok := arg.([]byte); ok {
			literals[i] = fmt.Sprintf(`'\x%x'`, bytes)
		}
	}
	for _, statement := range []string{`SET plan_cache_mode = ` + mode, `PREPARE selection AS ` + call.text} {
		_, err := conn.ExecContext(t.Context(), statement)
		must(t, 0, err)
	}
	found, err := conn.QueryContext(t.Context(), `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE selection (`+strings.Join(literals, ", ")+`)`)
	must(t, 0, err)
	var steps strings.Builder
	for found.Next() {
		var step string
		must(t, 0, found.Scan(&step))
		steps.WriteString(step + "\n")
	}
	must(t, 0, found.Err())
	for _, statement := range []string{`DEALLOCATE selection`, `RESET plan_cache_mode`} {
		_, err := conn.ExecContext(t.Context(), statement)
		must(t, 0, err)
	}
	return steps.String()
}

// rowsRead counts the rows that the scans of a plan returned or left out.
func rowsRead(steps string) (n int) {
	scans := regexp.MustCompile(`Scan[^\n]*rows=(\d+)[^\n]* loops=(\d+)\)|Rows Removed by (?:Filter|Index Recheck): (\d+)`)
	for _, m := range scans.FindAllStringSubmatch(steps, -1) {
		rows, _ := strconv.Atoi(m[1] + m[3])
		loops := 1
		if m[2] != "" {
			loops, _ = strconv.Atoi(m[2])
		}
		n += rows * loops
	}
	return n
}
