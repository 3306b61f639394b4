package metadb

import (
	"context"

	"granary/internal/audit"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/webhooks"
)

// FinaliseVersion implements registry.Drafts.
func (db *DB) FinaliseVersion(ctx context.Context, projectID int64, name registry.Name, version registry.Version, judge registry.Judge) (v registry.PackageVersion, isNew bool, err error) {
	var release func()
	defer func() { db.letGo(release, projectID) }()
	v, err = write(ctx, db, func(t tx) (v registry.PackageVersion, err error) {
		if v, err = t.heldVersion(ctx, projectID, name, version, finalisable); err != nil {
			return v, err
		}
		was := v.Status
		v, isNew, err = t.finalise(ctx, v, judge)
		switch {
		case !isNew || release != nil:
		case was == registry.StatusDraft: // no file of a draft is cached
			release = db.holdChoices()
		default:
			release = db.holdVersions()
		}
		return v, err
	})
	return v, isNew, err
}

// finalise makes a version final whose row the transaction holds. Its files are read in a
// statement of their own, after the one that may have waited for a publish.
func (t tx) finalise(ctx context.Context, v registry.PackageVersion, judge registry.Judge) (_ registry.PackageVersion, isNew bool, err error) {
	files, err := versionFiles(ctx, t, v.ID, registry.VersionFilesMost+1)
	if err != nil {
		return v, false, err
	}
	final, err := judge(v, files)
	if err != nil || v.FinalAt != nil {
		return v, false, err
	}
	if err := t.reserve(ctx, v, final); err != nil {
		return v, false, err
	}
	if err := t.removeOlder(ctx, v, len(files)); err != nil {
		return v, false, err
	}
	now := final.Event.At
	if v.Status == registry.StatusDraft { // lists by time show when others can see it
		v.CreatedAt = now
	}
	v.Status, v.FinalAt, v.Manifest, v.UpdatedAt, v.DraftStatus = final.Status, &now, &final.Manifest, now, ""
	err = t.Exec(`UPDATE packages SET status = $1, created_at = $2, final_at = $3, manifest = $4, updated_at = $3,
			draft_status = NULL, draft_job_id = NULL, draft_shared = NULL WHERE id = $5`,
		string(v.Status), sqldb.Micros(v.CreatedAt), sqldb.Micros(now), final.Manifest[:], v.ID)
	if err != nil {
		return v, false, err
	}
	// The statement of the history will be written here.
	if err := t.tellFinal(ctx, final.Event, v, files); err != nil {
		return v, false, err
	}
	return v, true, t.record(ctx, final.Event)
}

// reserve gives the number of a version to its manifest for ever.
func (t tx) reserve(ctx context.Context, v registry.PackageVersion, final registry.Final) error {
	n, err := t.Count(`INSERT INTO reserved_versions (project_id, name, version, manifest, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		v.ProjectID, string(v.Name), string(v.Version), final.Manifest[:], sqldb.Micros(final.Event.At))
	if err != nil || n == 1 {
		return err
	}
	r, err := reserved(ctx, t, v.ProjectID, v.Name, v.Version)
	if err == nil && (r == nil || r.Manifest == nil || *r.Manifest != final.Manifest) {
		err = registry.ErrReserved(v)
	}
	return err
}

// removeOlder removes the files of a version that do not count: a newer one has the same
// path. Somebody may have downloaded those of an open version, so their dates are kept.
func (t tx) removeOlder(ctx context.Context, v registry.PackageVersion, counting int) error {
	var all int
	err := t.Row(ctx, `SELECT COUNT(*) FROM package_files WHERE package_id = $1 AND status <> 'pending_destruction'`, v.ID).Scan(&all)
	if err != nil || all == counting {
		return sqldb.Classify(err)
	}
	const older = `package_id = $1 AND status = 'default' AND EXISTS (SELECT 1 FROM package_files n
		WHERE n.package_id = package_files.package_id AND n.file_name = package_files.file_name AND n.id > package_files.id AND n.status = 'default')`
	n, err := t.Count(`UPDATE package_files SET status = 'pending_destruction' WHERE `+older, v.ID)
	if err == nil && n > 0 {
		err = t.Exec(countFiles+` WHERE id = $1`, v.ID)
	}
	if err != nil || n == 0 || v.Status == registry.StatusDraft {
		return err
	}
	return t.Exec(keepSeconds+`p.id = $1 AND f.status = 'pending_destruction' ON CONFLICT DO NOTHING`, v.ID)
}

// finalFiles is how many files the event of a final version has.
const finalFiles = 100

// tellFinal puts a version that became final into the outbox, with its first files.
func (t tx) tellFinal(ctx context.Context, e audit.Event, v registry.PackageVersion, files []registry.VersionFile) error {
	hooked, err := t.hooked(ctx, v.ProjectID)
	if err != nil || !hooked {
		return err
	}
	what := told{action: webhooks.VersionFinal, version: &v, filesCount: len(files)}
	for _, f := range files[:min(len(files), finalFiles)] {
		what.files = append(what.files, webhooks.File{ID: f.ID, Name: string(f.Name), Size: f.Size, SHA256: f.Digest.String(), CreatedAt: f.CreatedAt})
	}
	return t.tell(ctx, what, v.Package, e.Author.UserID, e.At)
}

// FindDraft implements registry.Drafts.
func (db *DB) FindDraft(ctx context.Context, projectID int64, name registry.Name, version registry.Version) (registry.PackageVersion, error) {
	v, err := scanVersion(db.Row(ctx, `SELECT 0, `+versionColumns+` FROM packages k WHERE `+ofName+` AND k.version = $3 AND k.status = 'draft'`,
		projectID, string(name), string(version)))
	if err != nil {
		return v, err
	}
	return withPipeline(ctx, db, v)
}
