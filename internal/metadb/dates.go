package metadb

import (
	"time"

	"granary/internal/sqldb"
)

// A Last-Modified has no fractions of a second. Two files that were published to the
// same coordinates in the same second must not have it, even if one of them is gone,
// with its package or by itself. So the seconds of removed files are kept.

// dateLife is how long after a second a file of that second may still be committed:
// longer than a commit takes and the clocks of nodes differ.
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

// keepDate keeps the second of a removed file: another file of its name may share it.
func (t tx) keepDate(fileID int64) error { return t.Exec(keepSecondOfFile, fileID) }

// keepDates keeps those seconds of a removed package that files of the next package of
// its name and version may share.
func (t tx) keepDates(packageID int64, now time.Time) error {
	return t.Exec(keepSecondsOfPackage, packageID, sqldb.Micros(now.Add(-dateLife)))
}

// forgetDates removes up to limit seconds that no file has or can get.
func (t tx) forgetDates(limit int, now time.Time) (int64, error) {
	return t.Count(forgetSecondsOfNobody, now.Add(-dateLife).Unix(), limit)
}
