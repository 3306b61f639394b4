package daemon

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// audit looks into what a server that was killed left.
//
// Of the database: SQLite finds it sound; a package's name and version is one
// row; every acknowledged or seen publish is a row, every row is a publish, and
// none is twice; every file has its audit event, and every event its file. Of the blobs: one that a file refers to is in the database or
// on the disk and as long as its row says; counts of references are right; no
// file on the disk is without a row.
func (k *killedServer) audit() {
	if _, err := os.Stat(filepath.Join(k.dir, "granary.db")); err != nil && !k.postgres {
		return // killed before there was any
	}
	db, err := sql.Open(k.driver, k.dsn)
	if err != nil {
		k.wrong("%v", err)
		return
	}
	defer db.Close()
	schema := `information_schema.tables WHERE table_name`
	if !k.postgres {
		schema = `sqlite_schema WHERE name`
		k.none(db, `SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'`)
		k.none(db, `SELECT "table" || ' ' || rowid || ' ' || parent FROM pragma_foreign_key_check`)
	}
	var tables int // the newest that is looked at: a kill may have come between two migrations
	if err := db.QueryRow(`SELECT COUNT(*) FROM ` + schema + ` = 'reserved_versions'`).Scan(&tables); err != nil || tables == 0 {
		if err != nil || len(k.attempts) > 0 {
			k.wrong("no tables in the database: %v", err)
		}
		return
	}
	k.none(db, `SELECT name || ' ' || version || ' is there ' || COUNT(*) || ' times' FROM packages GROUP BY project_id, name, version HAVING COUNT(*) > 1`)
	k.none(db, `SELECT name || ' ' || version || ' is empty' FROM packages p WHERE NOT EXISTS (SELECT 1 FROM package_files f WHERE f.package_id = p.id)`)
	k.none(db, `SELECT 'blob ' || id || ' has not ' || files || ' files' FROM blobs b WHERE files <> (SELECT COUNT(*) FROM package_files f WHERE f.blob_id = b.id)`)
	k.none(db, `SELECT 'content of ' || b.id || ' is too short' FROM blobs b JOIN blob_contents c ON c.blob_id = b.id WHERE length(c.content) <> b.size`)
	k.none(db, `SELECT 'file ' || id || ' has no event' FROM package_files
		WHERE id NOT IN (SELECT target_id FROM audit_events WHERE name = 'package_registry_package_published')`)
	k.none(db, `SELECT 'event ' || id || ' has no file' FROM audit_events
		WHERE name = 'package_registry_package_published' AND target_id NOT IN (SELECT id FROM package_files)`)
	k.none(db, `SELECT 'final version ' || version || ' has not its number' FROM packages p WHERE final_at IS NOT NULL AND NOT EXISTS
		(SELECT 1 FROM reserved_versions r WHERE r.project_id = p.project_id AND r.name = p.name AND r.version = p.version AND r.manifest = p.manifest)`)
	k.none(db, `SELECT 'number ' || version || ' has no final version' FROM reserved_versions r WHERE NOT EXISTS
		(SELECT 1 FROM packages p WHERE r.project_id = p.project_id AND r.name = p.name AND r.version = p.version AND p.final_at IS NOT NULL)`)
	k.none(db, `SELECT 'version ' || version || ' has not the event that made it final' FROM packages p WHERE
		(SELECT COUNT(*) FROM audit_events e WHERE e.name = 'package_registry_package_finalised' AND e.target_id = p.id) <> CASE WHEN final_at IS NULL THEN 0 ELSE 1 END`)
	k.auditFiles(db)
	k.auditBlobs(db)
}

// none tells of every row that a query returns.
func (k *killedServer) none(db *sql.DB, query string) {
	rows, err := texts(db, query)
	if err != nil {
		k.wrong("%s: %v", query, err)
	}
	for _, row := range rows {
		k.wrong("in the database: %s", row)
	}
}

func texts(db *sql.DB, query string) (all []string, err error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// auditFiles compares the rows with the ledger.
func (k *killedServer) auditFiles(db *sql.DB) {
	rows, err := texts(db, `SELECT p.name || '/' || p.version || '/' || f.file_name || ' ' || `+k.hex("b.digest")+`
		FROM package_files f JOIN packages p ON p.id = f.package_id JOIN blobs b ON b.id = f.blob_id WHERE p.name <> '`+stagedName+`'`)
	if err != nil {
		k.wrong("%v", err)
		return
	}
	have, least, most := map[string]int{}, map[string]int{}, map[string]int{}
	for _, row := range rows {
		have[row]++
	}
	for _, a := range k.attempts {
		key := a.name.path + " " + a.digest
		most[key]++
		if a.sure {
			least[key]++
		}
	}
	for key := range most {
		if n := have[key]; n < least[key] || n > most[key] {
			k.wrong("%s is there %d times; it was sent %d times and taken %d times", key, n, most[key], least[key])
		}
		delete(have, key)
	}
	for key := range have {
		k.wrong("nobody published %s", key)
	}
}

// auditBlobs compares the rows with the files on the disk.
func (k *killedServer) auditBlobs(db *sql.DB) {
	onDisk := map[string]int64{}
	err := filepath.WalkDir(k.blobs, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the rows say whether it should be there
		}
		if err == nil && e.IsDir() && e.Name() == "records" {
			return filepath.SkipDir // see TestRecordsCutShort
		}
		if err != nil || e.IsDir() || filepath.Base(filepath.Dir(path)) == "tmp" || e.Name() == lockName || e.Name() == "identity" {
			return err
		}
		info, err := e.Info()
		if err == nil {
			onDisk[e.Name()] = info.Size()
		}
		return err
	})
	if err != nil {
		k.wrong("%v", err)
	}
	rows, err := texts(db, `SELECT `+k.hex("digest")+` || ' ' || size || ' ' || files || ' ' || CASE WHEN c.blob_id IS NULL THEN 0 ELSE 1 END
		FROM blobs b LEFT JOIN blob_contents c ON c.blob_id = b.id`)
	if err != nil {
		k.wrong("%v", err)
	}
	for _, row := range rows {
		var digest string
		var size int64
		var files, kept int
		if _, err := fmt.Sscan(row, &digest, &size, &files, &kept); err != nil {
			k.wrong("%s: %v", row, err)
		}
		if n, ok := onDisk[digest]; ok && n != size || !ok && files > 0 && kept == 0 {
			k.wrong("blob %s has %d bytes by its row and %d on the disk (there: %v)", digest, size, n, ok)
		}
		delete(onDisk, digest)
	}
	for digest := range onDisk {
		k.wrong("%s is on the disk and has no row", digest)
	}
}

// hashBlobs reads every blob on the disk.
func (k *killedServer) hashBlobs() {
	paths, err := filepath.Glob(filepath.Join(k.blobs, "??", "*"))
	if err != nil {
		k.wrong("%v", err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil || !strings.EqualFold(digestOf(b), filepath.Base(path)) {
			k.wrong("%s has other bytes: %v", path, err)
		}
	}
}
