package metadb

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// publishTo adds a file of a few bytes, a NUL among them.
func publishTo(t *testing.T, db *DB, projectID int64, version int) registry.File {
	t.Helper()
	body := []byte{byte(version), 0, 0xff}
	f, err := db.AddFile(t.Context(), registry.Publication{
		ProjectID: projectID, Size: int64(len(body)), Digest: sha256.Sum256(body), Small: body, Now: time.Now(),
		Coordinates: registry.Coordinates{Name: "tool", Version: registry.Version(fmt.Sprintf("1.0.%d", version)), File: "a.bin"},
	})
	return must(t, f, err)
}

func TestCopy(t *testing.T) {
	from, to := openSQLite(t), openPostgres(t, sqldb.Options{})
	root := newUser(t, from, "root", false)
	outer := newGroup(t, from, 0, "outer", access.Private, root.ID)
	inner := newGroup(t, from, outer.ID, "inner", access.Private, root.ID)
	p := newProject(t, from, inner.ID, "project", access.Private, root.ID)
	newToken(t, from, root.ID, "gnpat-secret")
	for version := range 30 {
		publishTo(t, from, p.ID, version)
	}
	empty, err := from.AddFile(t.Context(), registry.Publication{
		ProjectID: p.ID, Digest: sha256.Sum256(nil), Small: []byte{}, Now: time.Now(),
		Coordinates: registry.Coordinates{Name: "tool", Version: "1.0.0", File: "empty"},
	})
	must(t, empty, err)

	// A copy that fails leaves nothing.
	half, cut := context.WithCancel(t.Context())
	if err := Copy(half, from, to, func(string, int64) { cut() }); err == nil {
		t.Fatal("a transfer that was cut off reports success")
	}
	if n := rowsOf(t, to, "users") + rowsOf(t, to, "namespaces"); n != 0 {
		t.Errorf("it left %d rows", n)
	}

	told := map[string]int64{}
	if err := Copy(t.Context(), from, to, func(table string, rows int64) { told[table] = rows }); err != nil {
		t.Fatal(err)
	}
	tables := tablesOf(t, from)
	for _, table := range tables {
		if n := rowsOf(t, from, table); n != rowsOf(t, to, table) || told[table] != n {
			t.Errorf("%s has %d rows, was told to have %d, and had %d", table, rowsOf(t, to, table), told[table], n)
		}
	}

	// It works like the original, and continues its ids.
	token, err := to.FindToken(t.Context(), auth.DigestOf("gnpat-secret"))
	if err != nil || token.User.ID != root.ID {
		t.Errorf("the token finds %+v, %v", token, err)
	}
	f, small, err := to.FindFile(t.Context(), p.ID, registry.Coordinates{Name: "tool", Version: "1.0.7", File: "a.bin"})
	if err != nil || string(small) != "\x07\x00\xff" {
		t.Errorf("the file is %+v, %q, %v", f, small, err)
	}
	publishTo(t, to, p.ID, 31)
	newUser(t, to, "later", false)
	listed, err := to.ListPackages(t.Context(), registry.PackageFilter{Projects: []int64{p.ID}, Name: registry.NameFilter{Terms: []string{"oo"}}},
		page.Request{Number: 1, Size: 100, OrderBy: "created_at"})
	if err != nil || listed.Total != 31 || len(listed.Rows) != 31 {
		t.Errorf("%d packages are listed, %v", listed.Total, err)
	}

	if err := Copy(t.Context(), from, to, func(string, int64) {}); err == nil || !strings.Contains(err.Error(), "the target must be an empty database") {
		t.Errorf("a second transfer: %v", err)
	}
	if err := Copy(t.Context(), to, openPostgres(t, sqldb.Options{}), nil); err == nil || !strings.Contains(err.Error(), "from PostgreSQL to SQLite") {
		t.Errorf("from PostgreSQL to PostgreSQL: %v", err)
	}
}

func rowsOf(t *testing.T, db *DB, table string) (n int64) {
	t.Helper()
	if err := db.Row(t.Context(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
