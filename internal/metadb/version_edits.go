package metadb

import (
	"context"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/webhooks"
)

// heldVersion locks the row of a version with one of the statuses, and reads it. What is
// read of it afterwards stays true.
func (t tx) heldVersion(ctx context.Context, projectID int64, name registry.Name, version registry.Version, statuses string) (registry.PackageVersion, error) {
	var id int64
	if err := t.Row(ctx, `UPDATE packages SET status = status
		WHERE project_id = $1 AND name = $2 AND version = $3 AND status <> 'pending_destruction' AND status IN `+statuses+`
		RETURNING id`, projectID, string(name), string(version)).Scan(&id); err != nil {
		return registry.PackageVersion{}, sqldb.Classify(err)
	}
	v, err := scanVersion(t.Row(ctx, `SELECT 0, `+versionColumns+` FROM packages k WHERE k.id = $1`, id))
	if err != nil {
		return v, err
	}
	return withPipeline(ctx, t, v)
}

// EditVersion implements registry.Versions.
func (db *DB) EditVersion(ctx context.Context, projectID int64, name registry.Name, version registry.Version, now time.Time,
	change func(*registry.PackageVersion) ([]audit.Event, error)) (registry.PackageVersion, error) {
	defer db.holdVersions()()
	defer db.walks.drop(projectID)
	return write(ctx, db, func(t tx) (v registry.PackageVersion, err error) {
		if v, err = t.heldVersion(ctx, projectID, name, version, installable); err != nil {
			return v, err
		}
		events, err := change(&v)
		if err != nil || len(events) == 0 {
			return v, err
		}
		v.UpdatedAt = now
		err = t.Exec(`UPDATE packages SET status = $1, yanked_at = $2, yank_reason = $3, deprecation = $4, updated_at = $5 WHERE id = $6`,
			string(v.Status), sqldb.OptionalMicros(v.YankedAt), sqldb.NullText(v.YankReason), sqldb.NullText(v.Deprecation), sqldb.Micros(now), v.ID)
		if err != nil {
			return v, err
		}
		for _, e := range events {
			if err := t.tellVersion(ctx, e, v, ""); err != nil {
				return v, err
			}
		}
		return v, t.record(ctx, events...)
	})
}

// tellVersion puts what was done to a version into the outbox.
func (t tx) tellVersion(ctx context.Context, e audit.Event, v registry.PackageVersion, channel string) error {
	hooked, err := t.hooked(ctx, v.ProjectID)
	if err != nil || !hooked {
		return err
	}
	return t.tell(ctx, told{action: actionOf(e), version: &v, channel: channel}, v.Package, e.Author.UserID, e.At)
}

// actionOf is the word of webhooks for an event about a version.
func actionOf(e audit.Event) webhooks.Action {
	switch e.Name {
	case audit.PackageYanked:
		return webhooks.VersionYanked
	case audit.PackageUnyanked:
		return webhooks.VersionUnyanked
	case audit.PackageDeprecated:
		return webhooks.VersionDeprecated
	case audit.PackageUndeprecated:
		return webhooks.VersionUndeprecated
	case audit.PackageChannelSet:
		return webhooks.ChannelSet
	case audit.PackageChannelRemoved:
		return webhooks.ChannelRemoved
	}
	if e.Change.To == string(registry.StatusHidden) {
		return webhooks.VersionHidden
	}
	return webhooks.VersionShown
}

// KeepCRC32 implements registry.Versions.
func (db *DB) KeepCRC32(ctx context.Context, d blob.Digest, crc uint32) error {
	return db.do(ctx, func(t tx) error {
		return t.Exec(`UPDATE blobs SET crc32 = $1 WHERE digest = $2 AND crc32 IS NULL`, int64(crc), d[:])
	})
}
