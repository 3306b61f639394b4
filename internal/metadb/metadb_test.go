package metadb

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/metadb/metadbtest"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// open is a fresh database: of SQLite, or of what GRANARY_TEST_DATABASE says.
func open(t testing.TB) *DB {
	t.Helper()
	if metadbtest.Wanted() {
		return openPostgres(t, sqldb.Options{})
	}
	return openSQLite(t)
}

func openSQLite(t testing.TB) *DB { return openSQLiteWith(t, sqldb.Options{}) }

func openSQLiteWith(t testing.TB, o sqldb.Options) *DB {
	t.Helper()
	db, err := OpenSQLite(t.Context(), filepath.Join(metadbtest.Memory(t), "granary.db"), o)
	return closing(t, db, err)
}

func openPostgres(t testing.TB, o sqldb.Options) *DB {
	t.Helper()
	db, err := OpenPostgres(t.Context(), metadbtest.Postgres(t, migrated), o)
	return closing(t, db, err)
}

// migrated is the database of which all others are copies.
func migrated(dsn string) error {
	db, err := OpenPostgres(context.Background(), dsn, sqldb.Options{})
	if err != nil {
		return err
	}
	return db.Close()
}

func closing(t testing.TB, db *DB, err error) *DB {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// folder has the migrations of the database's kind.
func folder(db *DB) string {
	if db.Shared() {
		return "postgres"
	}
	return "sqlite"
}

// eachDatabase runs a test on both, in either pass.
func eachDatabase(t *testing.T, test func(t *testing.T, db *DB)) {
	eachDatabaseWith(t, sqldb.Options{}, test)
}

func eachDatabaseWith(t *testing.T, o sqldb.Options, test func(t *testing.T, db *DB)) {
	t.Run("sqlite", func(t *testing.T) { test(t, openSQLiteWith(t, o)) })
	t.Run("postgres", func(t *testing.T) { test(t, openPostgres(t, o)) })
}

// must returns a value that came without an error.
func must[T any](t interface{ Fatal(...any) }, v T, err error) T {
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// do runs statements without the methods of the database.
func do(t *testing.T, db *DB, statements ...string) {
	t.Helper()
	must(t, 0, db.do(t.Context(), func(tx tx) error {
		for _, s := range statements {
			if err := tx.Exec(s); err != nil {
				return err
			}
		}
		return nil
	}))
}

func count(t *testing.T, db *DB, query string) (n int64) {
	t.Helper()
	must(t, 0, db.RowOnce(t.Context(), query).Scan(&n))
	return n
}

// roomy is a limit that no test reaches.
func roomy() fault.Limit { return fault.Limit{Most: 1000, Of: "rows of a test"} }

func newUser(t *testing.T, db *DB, name string, external bool) auth.User {
	t.Helper()
	u, err := db.InsertUser(t.Context(), auth.User{Username: name, Name: name, Email: name + "@example.com", External: external, ProjectsLimit: 100, CreatedAt: time.Now()}, audit.Event{})
	return must(t, u, err)
}

func newGroup(t *testing.T, db *DB, parent int64, path string, v access.Visibility, creator int64) projects.Group {
	t.Helper()
	g, err := db.InsertGroup(t.Context(), projects.Group{Name: path, Path: path, ParentID: parent, Visibility: v, CreatedAt: time.Now()}, creator, roomy(), audit.Event{})
	return must(t, g, err)
}

func newProject(t *testing.T, db *DB, namespace int64, path string, v access.Visibility, creator int64) projects.Project {
	t.Helper()
	p, err := db.InsertProject(t.Context(), projects.Project{
		Namespace: projects.Group{ID: namespace}, Name: path, Path: path, Visibility: v, DefaultBranch: "main",
		PackageAccess: access.PackagesEnabled, CreatorID: creator, CreatedAt: time.Now(),
	}, access.NoRole, roomy(), audit.Event{})
	return must(t, p, err)
}

// newMember gives a user a role, without any check.
func newMember(t *testing.T, db *DB, at projects.Place, userID int64, role access.Role) {
	t.Helper()
	_, err := db.InsertMember(t.Context(), at, access.Actor{}, projects.Member{UserID: userID, Role: role, CreatedAt: time.Now()}, roomy(), yes)
	must(t, 0, err)
}

// yes allows any change of members.
func yes(access.Resource, projects.Member) (audit.Event, error) { return audit.Event{}, nil }

// toRole allows a change of a member's role.
func toRole(role access.Role) func(access.Resource, *projects.Member) (audit.Event, error) {
	return func(_ access.Resource, m *projects.Member) (audit.Event, error) {
		m.Role = role
		return audit.Event{}, nil
	}
}

func newToken(t *testing.T, db *DB, userID int64, secret string) auth.PersonalToken {
	t.Helper()
	made, err := db.InsertPersonalToken(t.Context(), auth.PersonalToken{UserID: userID, Name: "t", Scopes: []access.Scope{access.ScopeAPI}, CreatedAt: time.Now()}, auth.DigestOf(secret), roomy(), audit.Event{})
	return must(t, made, err)
}

func actorOf(u auth.User) access.Actor {
	return access.Actor{Kind: access.User, UserID: u.ID, External: u.External, Admin: u.Admin, Scopes: []access.Scope{access.ScopeAPI}}
}
