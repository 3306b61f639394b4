package metadb

import (
	"context"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

const channelColumns = `project_id, name, channel, version, moved_at`

func scanChannel(row sqldb.Scanner) (registry.Channel, error) {
	var c registry.Channel
	var moved int64
	err := row.Scan(&c.ProjectID, &c.Package, &c.Name, &c.Version, &moved)
	c.MovedAt = sqldb.Moment(moved)
	return c, sqldb.Classify(err)
}

// ListChannels implements registry.Channels.
func (db *DB) ListChannels(ctx context.Context, projectID int64, name registry.Name) ([]registry.Channel, error) {
	return sqldb.ListFixed(ctx, db, scanChannel, `SELECT `+channelColumns+` FROM package_channels
		WHERE project_id = $1 AND name = $2 ORDER BY channel`, projectID, string(name))
}

// MoveChannel implements registry.Channels. The version's row is locked before the
// channel's, and a new channel's project before both.
func (db *DB) MoveChannel(ctx context.Context, c registry.Channel, most fault.Limit,
	check func(*registry.Channel, registry.PackageVersion) (audit.Event, error)) (v registry.PackageVersion, isNew bool, err error) {
	defer db.holdChoices()()
	v, err = write(ctx, db, func(t tx) (v registry.PackageVersion, err error) {
		if err := t.holdOwner(channelRows(), c.ProjectID); err != nil {
			return v, err
		}
		if v, err = t.heldVersion(ctx, c.ProjectID, c.Package, c.Version, installable); err != nil {
			return v, err
		}
		before, err := t.channel(ctx, c)
		if isNew = before == nil; err != nil {
			return v, err
		}
		done, err := check(before, v)
		if err != nil || !isNew && before.Version == c.Version {
			return v, err
		}
		if isNew {
			if err := t.room(ctx, channelRows(), 1, most, c.ProjectID, string(c.Package)); err != nil {
				return v, err
			}
		}
		err = t.Exec(`INSERT INTO package_channels (project_id, name, channel, version, moved_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (project_id, name, channel) DO UPDATE SET version = excluded.version, moved_at = excluded.moved_at`,
			c.ProjectID, string(c.Package), c.Name, string(c.Version), sqldb.Micros(c.MovedAt))
		if err != nil {
			return v, err
		}
		if err := t.tellVersion(ctx, done, v, c.Name); err != nil {
			return v, err
		}
		return v, t.record(ctx, done)
	})
	return v, isNew, err
}

// channel is a channel as it is; nil if there is none.
func (t tx) channel(ctx context.Context, c registry.Channel) (*registry.Channel, error) {
	found, err := scanChannel(t.Row(ctx, `SELECT `+channelColumns+` FROM package_channels
		WHERE project_id = $1 AND name = $2 AND channel = $3`, c.ProjectID, string(c.Package), c.Name))
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return &found, err
}

// RemoveChannel implements registry.Channels. Webhooks get the version that the channel
// led to; none, if that is deleted.
func (db *DB) RemoveChannel(ctx context.Context, c registry.Channel, event func(registry.Channel) (audit.Event, error)) error {
	defer db.holdChoices()()
	return db.do(sqldb.Freeing(ctx), func(t tx) error {
		was, err := scanChannel(t.Row(ctx, `DELETE FROM package_channels WHERE project_id = $1 AND name = $2 AND channel = $3
			RETURNING `+channelColumns, c.ProjectID, string(c.Package), c.Name))
		if err != nil {
			return err
		}
		done, err := event(was)
		if err != nil {
			return err
		}
		v, err := scanVersion(t.Row(ctx, `SELECT 0, `+versionColumns+` FROM packages k WHERE `+ofName+` AND k.version = $3`,
			was.ProjectID, string(was.Package), string(was.Version)))
		if err == nil {
			done.Target.ID = v.ID
			err = t.tellVersion(ctx, done, v, c.Name)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		return t.record(ctx, done)
	})
}
