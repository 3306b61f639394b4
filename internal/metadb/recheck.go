package metadb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"granary/internal/sqldb"
)

// A killed node loses what it has in grown, and leaves its row among the nodes. What it lost
// came with files that were published about when it was last seen, and not together with
// their version. The names of these files are compared with the sum of their versions. A
// publish pays nothing for that.

// doubt is how far the time of such a file and the time at which its node was last seen may
// be apart: several renewals and flushes, and the difference of the clocks. Once the versions
// of a name have not changed for so long, every node that runs has flushed what it added.
const doubt = 2 * time.Minute

// recheckedAtOnce is how many ids of files a query looks at.
const recheckedAtOnce = 1000

// RecheckNames adds to names what killed nodes have lost, and returns how many of these
// nodes are settled. A name that somebody publishes to is left for the next call.
func (db *DB) RecheckNames(ctx context.Context) (settled int, err error) {
	killed, err := db.KilledNodes(ctx)
	if err != nil {
		return 0, err
	}
	for _, k := range killed {
		all, err := db.recheckAround(ctx, k.SeenAt)
		if err == nil && all {
			err = db.DropNode(ctx, k)
			settled++
		}
		if err != nil {
			return settled, err
		}
	}
	return settled, nil
}

// grownNames are names to which the files of a range of ids were added. A file that came
// with its version has its version's time.
const grownNames = `SELECT DISTINCT k.project_id, k.name FROM package_files f JOIN packages k ON k.id = f.package_id
	WHERE f.id >= $1 AND f.id < $2 AND f.created_at <> k.created_at`

// nextFile is the first file from an id on.
const nextFile = `SELECT id, created_at FROM package_files WHERE id >= $1 ORDER BY id LIMIT 1`

// recheckAround checks the names of the files that were published about a time. all is
// false if one has to be checked again.
func (db *DB) recheckAround(ctx context.Context, at time.Time) (all bool, err error) {
	id, err := db.firstFileSince(ctx, at.Add(-doubt))
	if err != nil {
		return false, err
	}
	all = true
	for {
		var created int64
		err := db.Row(ctx, nextFile, id).Scan(&id, &created)
		if errors.Is(err, sql.ErrNoRows) || err == nil && created > sqldb.Micros(at.Add(doubt)) {
			return all, nil
		}
		if err != nil {
			return false, sqldb.Classify(err)
		}
		names, err := sqldb.List(ctx, db, scanGrown, grownNames, id, id+recheckedAtOnce)
		if err != nil {
			return false, err
		}
		for _, name := range names {
			settled, err := db.recheckName(ctx, name)
			if err != nil {
				return false, err
			}
			all = all && settled
		}
		id += recheckedAtOnce
	}
}

func scanGrown(row sqldb.Scanner) (k grownKey, err error) {
	err = row.Scan(&k.projectID, &k.name)
	return k, err
}

// firstFileSince is the id of about the first file since a time, for the ids of files grow
// with their times.
func (db *DB) firstFileSince(ctx context.Context, since time.Time) (int64, error) {
	var low, high int64
	if err := db.Row(ctx, `SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) + 1 FROM package_files`).Scan(&low, &high); err != nil {
		return 0, sqldb.Classify(err)
	}
	for low < high {
		middle := low + (high-low)/2
		var id, created int64
		err := db.Row(ctx, nextFile, middle).Scan(&id, &created)
		switch {
		case errors.Is(err, sql.ErrNoRows) || err == nil && created >= sqldb.Micros(since):
			high = middle
		case err != nil:
			return 0, sqldb.Classify(err)
		default:
			low = id + 1
		}
	}
	return low, nil
}

// recheckName adds to a name what its versions have more, and reports whether that is
// settled. What a running node has not flushed yet is in the versions, too: as long as there
// may be such bytes, a difference is left.
func (db *DB) recheckName(ctx context.Context, k grownKey) (settled bool, err error) {
	less := `SELECT ` + listedBytes + ` - (` + db.wording.bytes + `) FROM package_names n WHERE n.project_id = $1 AND n.name = $2`
	var bytes sql.NullInt64
	if err := db.Row(ctx, less, k.projectID, string(k.name)).Scan(&bytes); err != nil || bytes.Int64 == 0 { // NULL: the upkeep will sum it
		return err == nil || errors.Is(err, sql.ErrNoRows), ignoreNoRows(err)
	}
	return write(ctx, db, func(t tx) (bool, error) {
		// It locks the name: two nodes that check it do so one after the other.
		if err := t.Exec(`UPDATE package_names SET changed = 1 WHERE project_id = $1 AND name = $2`, k.projectID, string(k.name)); err != nil {
			return false, err
		}
		var busy bool
		err := t.Row(ctx, busyName, k.projectID, string(k.name), sqldb.Micros(t.Now().Add(-doubt))).Scan(&busy)
		if err != nil || busy {
			return false, sqldb.Classify(err)
		}
		if err := t.Row(ctx, less, k.projectID, string(k.name)).Scan(&bytes); err != nil {
			return errors.Is(err, sql.ErrNoRows), ignoreNoRows(err)
		}
		return true, t.Exec(db.wording.grow, k.projectID, string(k.name), bytes.Int64)
	})
}

// busyName reports whether a version of a name has changed since a time, or was removed. It
// asks for each by itself, since one index has the versions that are there and another the
// removed ones.
const busyName = `SELECT EXISTS (SELECT 1 FROM packages WHERE project_id = $1 AND name = $2 AND status <> 'pending_destruction' AND updated_at > $3)
	OR EXISTS (SELECT 1 FROM packages WHERE project_id = $1 AND name = $2 AND status = 'pending_destruction' AND updated_at > $3)`

func ignoreNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return sqldb.Classify(err)
}
