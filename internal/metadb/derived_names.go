package metadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"granary/internal/registry"
	"granary/internal/sqldb"
)

// nameKey is a place in the order of names.
type nameKey struct {
	projectID int64
	name      string
}

func (k nameKey) String() string { return fmt.Sprintf("project %d, name %s", k.projectID, k.name) }

// nameState is what is known of a name: its row with what publishers appended, its row in
// the orders of lists, and what its packages say.
type nameState struct {
	nameKey
	id, listed, bytes, published, last, changed, appended sql.NullInt64
	ownListed, ownBytes                                   sql.NullInt64 // without what publishers appended
	lastCreated                                           sql.NullInt64 // of the package last, if it is a listed one of the name
	wantListed, wantBytes, wantPublished                  sql.NullInt64
	order                                                 struct {
		project, versions, bytes, published sql.NullInt64
		name                                sql.NullString
	}
}

// Conditions on names and packages, called what.
func namesBetween(what string) string {
	return `(` + what + `.project_id, ` + what + `.name) > ($1, $2) AND (` + what + `.project_id, ` + what + `.name) <= ($3, $4)`
}

func oneName(what string) string { return what + `.project_id = $1 AND ` + what + `.name = $2` }

// nameStates selects those names within a condition that may be wrong.
func (db *DB) nameStates(within func(what string) string) string {
	return `SELECT COALESCE(n.project_id, s.project_id), COALESCE(n.name, s.name),
			n.id, n.listed, n.bytes, n.published_at, n.last_id, n.changed, n.appended, n.own_listed, n.own_bytes, l.created_at,
			s.listed, s.bytes, s.published_at, o.project_id, o.versions, o.bytes, o.published_at, o.name
		FROM (SELECT n.id, n.project_id, n.name, ` + db.wording.listed + ` AS listed, ` + db.wording.bytes + ` AS bytes, n.published_at, n.last_id, n.changed,
			` + db.wording.appended + ` AS appended, n.listed AS own_listed, n.bytes AS own_bytes FROM package_names n WHERE ` + within("n") + `) n
		FULL JOIN (` + namesOf(within("k")) + `) s ON s.project_id = n.project_id AND s.name = n.name
		LEFT JOIN package_name_orders o ON o.name_id = n.id
		LEFT JOIN packages l ON l.id = n.last_id AND l.project_id = n.project_id AND l.name = n.name AND l.status IN ` + listed + `
		WHERE n.listed IS DISTINCT FROM s.listed OR n.bytes IS DISTINCT FROM s.bytes OR n.published_at IS DISTINCT FROM s.published_at
			OR l.created_at IS DISTINCT FROM s.published_at OR o.versions IS DISTINCT FROM NULLIF(n.own_listed, 0)
			OR o.bytes IS DISTINCT FROM CASE WHEN n.own_listed <> 0 THEN n.own_bytes END
			OR o.published_at IS DISTINCT FROM CASE WHEN n.own_listed <> 0 THEN COALESCE(n.published_at, 0) END
			OR o.project_id <> n.project_id OR o.name <> n.name
		ORDER BY 1, 2 LIMIT 1000`
}

func scanNameState(row sqldb.Scanner) (s nameState, err error) {
	err = row.Scan(&s.projectID, &s.name, &s.id, &s.listed, &s.bytes, &s.published, &s.last, &s.changed, &s.appended, &s.ownListed, &s.ownBytes,
		&s.lastCreated, &s.wantListed, &s.wantBytes, &s.wantPublished,
		&s.order.project, &s.order.versions, &s.order.bytes, &s.order.published, &s.order.name)
	return s, err
}

// names compares names, and their rows in the orders of lists, with their packages.
func (c *derivedCheck) names(ctx context.Context) error {
	for from, more := (nameKey{}), true; more && !(c.full("package_names") && c.full("package_name_orders")); {
		var to nameKey
		var err error
		if to, more, err = c.nextNames(ctx, from); err != nil {
			return err
		}
		if !more {
			to.projectID = math.MaxInt64
		}
		states, err := c.namesWithin(ctx, from, to)
		if err != nil {
			return err
		}
		for _, s := range states {
			if err := c.name(ctx, s); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

func (c *derivedCheck) namesWithin(ctx context.Context, from, to nameKey) ([]nameState, error) {
	return sqldb.ListFixed(ctx, c.db, scanNameState, c.db.nameStates(namesBetween), from.projectID, from.name, to.projectID, to.name)
}

// nextNames is the end of a range of names that has neither too many names nor too many
// versions of different names; false if all that are left are not too many.
func (c *derivedCheck) nextNames(ctx context.Context, from nameKey) (to nameKey, found bool, err error) {
	for _, of := range []struct {
		table string
		most  int
	}{{`package_names WHERE TRUE`, namesAtOnce}, {`packages WHERE status <> 'pending_destruction'`, versionsOfNames}} {
		var k nameKey
		err := c.db.Row(ctx, `SELECT project_id, name FROM `+of.table+` AND (project_id, name) > ($1, $2) ORDER BY project_id, name LIMIT 1 OFFSET $3`,
			from.projectID, from.name, of.most).Scan(&k.projectID, &k.name)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return to, false, sqldb.Classify(err)
		case !found || k.projectID < to.projectID || k.projectID == to.projectID && k.name < to.name:
			to, found = k, true
		}
	}
	return to, found, nil
}

// name judges one name. Its row in the orders is compared only with a right one.
func (c *derivedCheck) name(ctx context.Context, s nameState) error {
	f, bytesOnly := s.fault()
	switch {
	case f.ShouldBe == noRow:
		may, err := c.mayStay(ctx, s)
		if err == nil && !may {
			c.add(f)
		}
		return err
	case bytesOnly && len(c.doubts) < mostFaults:
		owed, err := c.owed(ctx, s.nameKey)
		if err == nil && !owed {
			c.doubts = append(c.doubts, s.nameKey)
		}
		return err
	case f.Is == "":
		f = s.orderFault()
	}
	if f.Is != "" && !bytesOnly {
		c.add(f)
	}
	return nil
}

// idleName reports whether the row of a name that has no listed packages is there and nothing
// will drop it. SQLite drops it with the purge of the name's last package.
const idleName = `SELECT EXISTS (SELECT 1 FROM package_names n WHERE n.project_id = $1 AND n.name = $2 AND n.listed = 0)
	AND NOT EXISTS (SELECT 1 FROM packages k WHERE k.project_id = $1 AND k.name = $2 AND k.status <> 'pending_destruction')
	AND NOT EXISTS (SELECT 1 FROM packages k WHERE k.project_id = $1 AND k.name = $2 AND k.status = 'pending_destruction' AND k.status <> 'default')`

// mayStay reports whether the row of a name without packages is right for now. On PostgreSQL
// the upkeep drops it. On SQLite it is asked again: the name may have gone meanwhile.
func (c *derivedCheck) mayStay(ctx context.Context, s nameState) (bool, error) {
	if s.listed.Int64 != 0 || c.db.Shared() {
		return s.listed.Int64 == 0, nil
	}
	var stays bool
	err := c.db.Row(ctx, idleName, s.projectID, s.name).Scan(&stays)
	return !stays, sqldb.Classify(err)
}

// fault is what is wrong with the row of a name; Is is "" for nothing. bytesOnly reports
// that only the bytes differ: nodes may have them in memory still.
func (s nameState) fault() (f DerivedFault, bytesOnly bool) {
	f = DerivedFault{Table: "package_names", Key: s.String()}
	switch {
	case !s.id.Valid:
		f.Is, f.ShouldBe = noRow, fmt.Sprintf("listed %s, bytes %s", columnText(s.wantListed), columnText(s.wantBytes))
		return f, false
	case !s.wantListed.Valid:
		f.Is, f.ShouldBe = fmt.Sprintf("listed %s", columnText(s.listed)), noRow
		return f, false
	}
	summed := s.changed.Int64 == 1 // by the upkeep, if it is NULL
	var there, wanted []string
	differ := func(column string, is, should sql.NullInt64) {
		there, wanted = append(there, column+" "+columnText(is)), append(wanted, column+" "+columnText(should))
	}
	if s.listed != s.wantListed {
		differ("listed", s.listed, s.wantListed)
	}
	if s.wantListed.Int64 > 0 && s.appended.Int64 == 0 && !(summed && !s.last.Valid) {
		if s.published != s.wantPublished {
			differ("published_at", s.published, s.wantPublished)
		} else if s.lastCreated != s.wantPublished {
			there, wanted = append(there, "last_id "+columnText(s.last)), append(wanted, "last_id of the newest listed version")
		}
	}
	if bytesOnly = len(there) == 0; s.bytes != s.wantBytes && (s.bytes.Valid || !summed) {
		differ("bytes", s.bytes, s.wantBytes)
	}
	f.Is, f.ShouldBe = strings.Join(there, ", "), strings.Join(wanted, ", ")
	return f, bytesOnly && f.Is != ""
}

// orderFault is what is wrong with the row of a name in the orders of lists, compared with
// the row of the name; Is is "" for nothing. While a name is marked as changed, its row may
// be an old one or missing.
func (s nameState) orderFault() DerivedFault {
	text := func(project sql.NullInt64, name string, versions, bytes, published sql.NullInt64) string {
		return fmt.Sprintf("project %s, name %s, versions %s, bytes %s, published_at %s", columnText(project), name, columnText(versions), columnText(bytes), columnText(published))
	}
	f := DerivedFault{Table: "package_name_orders", Key: s.String(), Is: noRow, ShouldBe: noRow}
	if s.order.project.Valid {
		f.Is = text(s.order.project, s.order.name.String, s.order.versions, s.order.bytes, s.order.published)
	}
	if s.ownListed.Int64 > 0 {
		published := sql.NullInt64{Int64: s.published.Int64, Valid: true}
		f.ShouldBe = text(sql.NullInt64{Int64: s.projectID, Valid: true}, s.name, s.ownListed, s.ownBytes, published)
	}
	misnamed := s.order.project.Valid && (s.order.project.Int64 != s.projectID || s.order.name.String != s.name)
	if f.Is == f.ShouldBe || s.changed.Int64 == 1 && !misnamed {
		return DerivedFault{}
	}
	return f
}

// owed reports whether the bytes of a name may differ rightly for a while. Nodes keep for
// some seconds what further files have added, and what a killed node lost is added later.
// If bytes of a version are wrong, that is told of the version.
func (c *derivedCheck) owed(ctx context.Context, k nameKey) (owed bool, err error) {
	if c.db.owes(grownKey{k.projectID, registry.Name(k.name)}) {
		return true, nil
	}
	if err := c.db.Row(ctx, busyName, k.projectID, k.name, sqldb.Micros(c.db.Now().Add(-2*doubt))).Scan(&owed); err != nil || owed {
		return owed, sqldb.Classify(err)
	}
	killed, err := c.db.KilledNodes(ctx)
	if err != nil {
		return false, err
	}
	for _, node := range killed {
		if owed, err = c.publishedAbout(ctx, k, node.SeenAt); err != nil || owed {
			return owed, err
		}
	}
	err = c.db.Row(ctx, `SELECT EXISTS (SELECT 1 FROM packages k WHERE k.project_id = $1 AND k.name = $2 AND k.status <> 'pending_destruction' AND `+isListed+`
		AND k.bytes IS DISTINCT FROM `+bytesOf+`)`, k.projectID, k.name).Scan(&owed)
	return owed, sqldb.Classify(err)
}

// publishedAbout reports whether RecheckNames will look at a name because of a node that was
// seen last at a time.
func (c *derivedCheck) publishedAbout(ctx context.Context, k nameKey, at time.Time) (published bool, err error) {
	err = c.db.Row(ctx, `SELECT EXISTS (SELECT 1 FROM packages k JOIN package_files f ON f.package_id = k.id
		WHERE k.project_id = $1 AND k.name = $2 AND k.status <> 'pending_destruction' AND f.created_at <> k.created_at AND f.created_at BETWEEN $3 AND $4)`,
		k.projectID, k.name, sqldb.Micros(at.Add(-doubt)), sqldb.Micros(at.Add(doubt))).Scan(&published)
	return published, sqldb.Classify(err)
}

// owes reports whether this node will add bytes to a name, or may.
func (db *DB) owes(k grownKey) bool {
	db.grown.mu.Lock()
	defer db.grown.mu.Unlock()
	_, adds := db.grown.bytes[k]
	_, unsure := db.grown.unsure[k]
	return adds || unsure
}

// settle asks again for names of which only the bytes differ, after every node has written
// what it had in memory: a version may have been removed, and purged, before that.
func (c *derivedCheck) settle(ctx context.Context) error {
	if len(c.doubts) == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return sqldb.Classify(ctx.Err())
	case <-time.After(c.wait):
	}
	for _, doubted := range c.doubts {
		states, err := sqldb.ListFixed(ctx, c.db, scanNameState, c.db.nameStates(oneName), doubted.projectID, doubted.name)
		if err != nil {
			return err
		}
		for _, s := range states {
			owed, err := c.owed(ctx, s.nameKey)
			if err != nil {
				return err
			}
			if f, bytesOnly := s.fault(); bytesOnly && !owed {
				c.add(f)
			}
		}
	}
	return nil
}
