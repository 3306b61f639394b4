package metadb

import (
	"context"
	"database/sql"
	"strings"

	"granary/internal/audit"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// FindVersion implements registry.Versions. All is read by one statement.
func (db *DB) FindVersion(ctx context.Context, projectID int64, name registry.Name, version registry.Version, audited bool) (registry.FoundVersion, error) {
	var found registry.FoundVersion
	var below, above, channels, credential sql.NullString
	around := []any{new(any), new(any), &below, &above, &channels, &found.Readme, &credential}
	row := db.Row(ctx, db.selections.around, projectID, string(name), string(version), sqldb.Bool(audited))
	v, err := scanVersionRow(withLast{row, around})
	if err != nil {
		return found, err
	}
	found.VersionRow, found.Credential = v, audit.Credential(credential.String)
	found.Channels = strings.Fields(channels.String)
	found.Previous, found.Next = versionOf(below), versionOf(above)
	return found, nil
}

func versionOf(text sql.NullString) *registry.Version {
	if !text.Valid {
		return nil
	}
	return new(registry.Version(text.String))
}

// aroundVersion takes the coordinates of a version, and 1 to read who published it.
func aroundVersion() string {
	const v = `(SELECT 0, ` + rowColumns + `, k.version_key, k.prerelease FROM packages k WHERE ` + ofName + ` AND k.version = $3) v`
	return `SELECT v.*, ` + nextTo(false) + `, ` + nextTo(true) + `, ` + channelsTo + `, ` + hasReadme + `, ` + credentialOf + ` FROM ` + v
}

// nextTo is the version just below a version v in the order of ListInOrder, or above it.
// The + keeps SQLite from reading all packages with such ids.
func nextTo(above bool) string {
	by, beyond := ` DESC`, ` < `
	if above {
		by, beyond = ` ASC`, ` > `
	}
	order := ` ORDER BY k.prerelease` + by + `, k.version_key` + by + `, k.id` + by + ` LIMIT 1`
	const of = ` FROM packages k WHERE k.project_id = v.project_id AND k.name = v.name AND k.status <> 'pending_destruction' AND ` + isListed
	keyed := func(condition string) string {
		one := `SELECT k.version, k.version_key, k.id` + of + condition + ` AND k.prerelease = `
		return `(SELECT b.version FROM (` + union(one+`0`+order, one+`1`+order) + `) b ORDER BY b.version_key` + by + `, b.id` + by + ` LIMIT 1)`
	}
	keyless := func(condition string) string {
		return `(SELECT k.version` + of + ` AND k.prerelease IS NULL` + condition + order + `)`
	}
	here, last := keyed(` AND (k.version_key, k.id)`+beyond+`(v.version_key, v.id)`), keyless(` AND +k.id`+beyond+`v.id`)
	if above {
		return `CASE WHEN v.prerelease IS NULL THEN COALESCE(` + last + `, ` + keyed("") + `) ELSE ` + here + ` END`
	}
	return `CASE WHEN v.prerelease IS NULL THEN ` + last + ` ELSE COALESCE(` + here + `, ` + keyless("") + `) END`
}

const (
	// channelsTo is the names of the channels that lead to a version v, with blanks between.
	channelsTo = `(SELECT string_agg(c.channel, ' ' ORDER BY c.channel) FROM package_channels c
		WHERE c.project_id = v.project_id AND c.name = v.name AND c.version = v.version)`
	hasReadme = `EXISTS (SELECT 1 FROM package_files f WHERE f.package_id = v.id AND f.file_name = '` + registry.ReadmeName + `' AND f.status = 'default')`
	// credentialOf is the credential of the event of the file that made a version v. The id
	// of an event is its time, or a little later.
	credentialOf = `(SELECT e.credential FROM audit_events e WHERE $4 = 1 AND e.entity_type = '` + string(audit.Project) + `' AND e.entity_id = v.project_id
		AND e.id >= v.created_at AND e.id < v.created_at + 1000 AND e.name = '` + string(audit.PackagePublished) + `'
		AND substr(e.target_details, 1, length(v.name) + length(v.version) + 2) = v.name || '/' || v.version || '/' ORDER BY e.id LIMIT 1)`
)
