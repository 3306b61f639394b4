package metadb

import (
	"time"

	"granary/internal/sqldb"
)

// A Last-Modified has no parts of a second. Of two files that were published to one
// place in one second neither may be told to have that date, also where the other
// one is gone: with its package, or with its record. The seconds of files that were
// removed are kept for that.

// dateLife is for how long a file may still come that was published in a second that
// is over: longer than a commit takes and clocks of nodes differ.
const dateLife = time.Hour

const (
	keepSeconds = `INSERT INTO former_files (project_id, name, version, file_name, second)
		SELECT p.project_id, p.name, p.version, f.file_name, f.created_at / 1000000
		FROM packages p JOIN package_files f ON f.package_id = p.id WHERE `
	keepSecondOfFile      = keepSeconds + `f.id = $1 ON CONFLICT DO NOTHING`
	keepSecondsOfPackage  = keepSeconds + `p.id = $1 AND f.created_at > $2 ON CONFLICT DO NOTHING`
	forgetSecondsOfNobody = `DELETE FROM former_files WHERE (project_id, name, version, file_name, second) IN (
		SELECT d.project_id, d.name, d.version, d.file_name, d.second FROM former_files d
		WHERE d.second < $1 AND NOT EXISTS (SELECT 1 FROM packages p JOIN package_files f ON f.package_id = p.id
			WHERE p.project_id = d.project_id AND p.name = d.name AND p.version = d.version AND p.status <> 'pending_destruction'
				AND f.file_name = d.file_name AND f.created_at >= d.second * 1000000 AND f.created_at < (d.second + 1) * 1000000)
		ORDER BY d.second LIMIT $2)`
)

// keepDate keeps the second of a file that is removed: others of its name may have it.
func (t tx) keepDate(fileID int64) error { return t.Exec(keepSecondOfFile, fileID) }

// keepDates keeps those seconds of a package that is removed which a file of the next
// package in its place may have.
func (t tx) keepDates(packageID int64, now time.Time) error {
	return t.Exec(keepSecondsOfPackage, packageID, sqldb.Micros(now.Add(-dateLife)))
}

// forgetDates removes up to limit seconds that no file has and none will have.
func (t tx) forgetDates(limit int, now time.Time) (int64, error) {
	return t.Count(forgetSecondsOfNobody, now.Add(-dateLife).Unix(), limit)
}
