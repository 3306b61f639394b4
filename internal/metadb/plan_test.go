package metadb

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// The queries of every request and of background work use an index: no plan scans a
// table that grows. The texts are the prepared ones, and those named here.
func TestHotQueriesUseIndexes(t *testing.T) {
	db := openSQLite(t)
	ctx := t.Context()
	root := newUser(t, db, "root", false)
	g := newGroup(t, db, 0, "acme", access.Private, root.ID)
	p := newProject(t, db, g.ID, "tool", access.Private, root.ID)
	newToken(t, db, root.ID, "secret")
	must(t, 0, db.UseKey(ctx, [KeySize]byte{1}))
	hook := newHook(t, db, p.ID)

	ada, other := newUser(t, db, "ada", false), newGroup(t, db, 0, "other", access.Private, root.ID)
	before := db.Prepared() // what made the fixture need not be quick
	for _, secret := range []string{"secret", "unknown"} {
		if _, err := db.FindToken(ctx, auth.DigestOf(secret)); err != nil && !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
	}
	for _, a := range []access.Actor{actorOf(root), {Kind: access.Job, UserID: root.ID, JobProjectID: p.ID}, {}} {
		for _, ref := range []string{"acme/tool", fmt.Sprint(p.ID)} {
			_, err := db.FindPackageProject(ctx, ref, a)
			must(t, 0, err)
		}
	}
	c := registry.Coordinates{Name: "n", Version: "1.0.0", File: "f"}
	for range 2 {
		f, err := db.AddFile(ctx, registry.Publication{
			ProjectID: p.ID, Coordinates: c, CreatorID: root.ID, Size: 1, Digest: sha256.Sum256([]byte("x")), Small: []byte("x"), NoDuplicate: false, Now: time.Now(),
		})
		must(t, f, err)
	}
	_, _, err := db.FindFile(ctx, p.ID, c)
	must(t, 0, err)
	must(t, 0, db.PinBlob(ctx, blob.Digest{2}, 1, time.Now()))
	_, _, err = db.SweepBlob(ctx, time.Now().Add(time.Hour), func(blob.Digest) error { return nil })
	must(t, 0, err)
	tellAll(t, db, hook)
	signInAndOut(t, db, ada)
	for _, at := range []projects.Place{{GroupID: g.ID}, {ProjectID: p.ID}} {
		newMember(t, db, at, ada.ID, access.Owner)
		_, err := db.UpdateMember(ctx, at, actorOf(root), ada.ID, toRole(access.Guest))
		must(t, 0, err)
		must(t, 0, db.DeleteMember(ctx, at, actorOf(root), ada.ID, yes))
	}
	moveAbout(t, db, p, g, other)
	must(t, 0, db.DeleteProject(ctx, p.ID, time.Now(), audit.Event{}))
	n, err := db.PurgeDeleted(ctx, 10, time.Now())
	if must(t, n, err) != 1 {
		t.Errorf("%d packages were purged, want 1", n)
	}

	after := slices.DeleteFunc(db.Prepared(), func(text string) bool { return slices.Contains(before, text) })
	texts := append(after, lineageQuery, projectByID, projectByPath, groupByID, groupByPath, purgeQuery, expiredDrafts, draftsOfVersions, releaseOfTags, draftsOfJob, untieDraft, leftJobsQuery)
	if len(texts) < 20 {
		t.Errorf("only %d texts", len(texts))
	}
	scan := regexp.MustCompile(`\bSCAN (\w+)`)
	for _, text := range texts {
		for _, step := range plan(t, db, text) {
			m := scan.FindStringSubmatch(step)
			if m == nil || m[1] == "up" || m[1] == "at" || m[1] == "line" || m[1] == "below" || m[1] == "few" || m[1] == "CONSTANT" || strings.Contains(step, "INDEX") {
				continue // what it has just gathered itself
			}
			t.Errorf("%s\nin %s", step, text)
		}
	}
}

// signInAndOut makes, finds and ends sessions and links.
func signInAndOut(t *testing.T, db *DB, u auth.User) {
	t.Helper()
	ctx, e := t.Context(), audit.Event{At: time.Now(), Entity: audit.Entity{Type: audit.User, ID: u.ID}}
	for n := range 3 {
		link := auth.DigestOf(fmt.Sprint("link", n))
		must(t, 0, db.InsertSignInLink(ctx, auth.SignInLink{UserID: u.ID, ExpiresAt: time.Now().Add(time.Hour)}, link, 2, e))
		made, err := db.UseSignInLink(ctx, link, auth.DigestOf(fmt.Sprint("session", n)), 2, func(l auth.SignInLink, _ auth.User, _ *auth.PersonalToken) (auth.Session, audit.Event, error) {
			return auth.Session{UserID: l.UserID, Method: auth.MethodLink, ExpiresAt: time.Now().Add(time.Hour), SeenAt: time.Now()}, e, nil
		})
		must(t, 0, err)
		must(t, 0, db.TouchSessions(ctx, map[int64]time.Time{made.ID: time.Now().Add(time.Second)}))
	}
	found, err := db.FindSession(ctx, auth.DigestOf("session2"))
	must(t, found, err)
	listed, err := db.ListSessions(ctx, u.ID, time.Now(), page.Request{Number: 1, Size: 10})
	if must(t, listed, err).Total != 2 {
		t.Errorf("%d sessions, want the newest 2", listed.Total)
	}
	must(t, 0, db.EndSession(ctx, found.Session.ID, e))
	must(t, 0, db.EndSessions(ctx, u.ID, e))
	_, err = db.PurgeSessions(ctx, time.Now(), 10)
	must(t, 0, err)
}

// What a user's own page asks for reads the user's roles and what is below them, and no
// table as a whole.
func TestOwnPlacesAreReadByIndexes(t *testing.T) {
	db := openSQLite(t)
	scan := regexp.MustCompile(`\bSCAN (\w+)`)
	for _, text := range []string{memberProjects, failingHooks} {
		steps := plan(t, db, text)
		for _, step := range steps {
			if m := scan.FindStringSubmatch(step); m != nil && m[1] != "roles" && m[1] != "held" && m[1] != "theirs" {
				t.Errorf("%s\nin %s", step, text)
			}
		}
		if text == failingHooks && !strings.Contains(strings.Join(steps, "\n"), "hooks_failing") {
			t.Errorf("by %v", steps)
		}
	}
}

// Neither a page of a package's files nor their count reads rows of other packages.
func TestFilesAreListedByTheirIndex(t *testing.T) {
	db := openSQLite(t)
	var w sqldb.Where
	w.And(listedFile, int64(1))
	count := `SELECT COUNT(*) FROM package_files f` + w.String()
	for _, text := range []string{count, fileListing("f.id").query(fileColumns, &w, page.Request{Number: 9, Size: 100})} {
		steps := strings.Join(plan(t, db, text), "\n")
		if !strings.Contains(steps, "package_files_listed") || strings.Contains(steps, "package_files_name") {
			t.Errorf("%s\nby\n%s", text, steps)
		}
	}
}

// moveAbout transfers a project and its group, into a less visible group and to the
// top.
func moveAbout(t *testing.T, db *DB, p projects.Project, g, other projects.Group) {
	t.Helper()
	a := access.Actor{Kind: access.User, UserID: p.CreatorID}
	for _, to := range []projects.Group{other, g} {
		must(t, 0, db.TransferProject(t.Context(), p.ID, to.ID, a, roomy(), func(p *projects.Project, to projects.Group) ([]audit.Event, error) {
			p.Namespace = to
			return nil, nil
		}))
	}
	for _, parent := range []int64{other.ID, 0} {
		_, err := db.TransferGroup(t.Context(), g.ID, parent, a, roomy(), audit.Event{}, func(g *projects.Group, to projects.Destination) ([]audit.Event, error) {
			g.ParentID, g.FullPath, g.Visibility = parent, g.Path, -1 // less than anything, so that what is below is looked for
			if to.Parent != nil {
				g.FullPath, g.Visibility = to.Parent.FullPath+"/"+g.Path, access.Private
			}
			return nil, nil
		})
		must(t, 0, err)
	}
	_, err := db.CountMembers(t.Context(), g.ID)
	must(t, 0, err)
}

func plan(t *testing.T, db *DB, text string) []string {
	t.Helper()
	verb, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	if verb != "SELECT" && verb != "WITH" && verb != "UPDATE" && verb != "DELETE" && verb != "INSERT" {
		return nil
	}
	args := make([]any, 0)
	for strings.Contains(text, fmt.Sprint("$", len(args)+1)) {
		args = append(args, nil)
	}
	steps, err := sqldb.List(t.Context(), db, func(row sqldb.Scanner) (detail string, err error) {
		var n int
		return detail, row.Scan(&n, &n, &n, &detail)
	}, "EXPLAIN QUERY PLAN "+text, args...)
	return must(t, steps, err)
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g.db")
	db, err := OpenSQLite(t.Context(), path, sqldb.Options{})
	must(t, db, err)
	must(t, 0, db.do(t.Context(), func(t tx) error {
		return t.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	}))
	must(t, 0, db.Close())
	_, err = OpenSQLite(t.Context(), path, sqldb.Options{})
	if err == nil || !strings.Contains(err.Error(), "schema version 9999, newer than") || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}

func TestOpenTwiceKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name?#%.db")
	for range 2 {
		db, err := OpenSQLite(t.Context(), path, sqldb.Options{})
		must(t, db, err)
		if _, err := db.FindUser(t.Context(), "ada"); fault.Is(err, fault.NotFound) {
			newUser(t, db, "ada", false)
		}
		_, err = db.FindUser(t.Context(), "ADA")
		must(t, 0, err)
		must(t, 0, db.Ping(t.Context()))
		must(t, 0, db.Close())
	}
}
