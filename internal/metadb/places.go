package metadb

import (
	"context"

	"granary/internal/access"
	"granary/internal/projects"
	"granary/internal/registry"
)

// placeKey is what a place depends on besides the records: who asks.
type placeKey struct {
	ref   string
	kind  access.Kind
	actor int64 // user or deploy token
	job   int64 // the project whose job asks
}

// FindPlace implements registry.Catalog. Places are remembered until something
// changes.
func (db *DB) FindPlace(ctx context.Context, ref string, a access.Actor) (registry.Place, error) {
	key := placeKey{ref: ref, kind: a.Kind, actor: a.UserID, job: a.JobProjectID}
	if a.Kind == access.DeployToken {
		key.actor = a.TokenID
	}
	if a.Changes == 0 { // else all of it was found under that number, or since
		if _, err := db.catchUp(ctx); err != nil {
			return registry.Place{}, err
		}
	}
	return db.places.get(key, func() (registry.Place, error) { return db.findPlace(ctx, ref, a) })
}

// catchUp forgets what was remembered before the last change that any node made
// to permission, and returns how many there were. A change counts from the moment
// it is committed.
func (db *DB) catchUp(ctx context.Context) (made int64, err error) {
	if !db.dialect.shared {
		return 0, nil // changes are made here, and drop what they end; for those of granary admin see watcher
	}
	made, err = db.changes.made(ctx)
	if err != nil {
		return 0, err
	}
	db.places.reach(made)
	db.tokens.reach(made)
	return made, nil
}

func (db *DB) findPlace(ctx context.Context, ref string, a access.Actor) (registry.Place, error) {
	id, moved, err := routeOf(ctx, db, ref, "project_id")
	if err != nil {
		return registry.Place{}, err
	}
	p, err := findProject(ctx, db, id)
	if err != nil {
		return registry.Place{}, err
	}
	if err := standing(ctx, db, &p, a); err != nil {
		return registry.Place{}, err
	}
	place := registry.Place{
		ProjectID: p.ID, Path: p.Path, FullPath: p.FullPath, Moved: moved, Standing: p.Standing, Naming: p.Naming, MaxFileSize: p.MaxFileSize,
	}
	if place.FlagOn, err = flagOn(ctx, db, p.ID); err != nil {
		return registry.Place{}, err
	}
	if place.Duplicates, err = db.duplicates(ctx, p); err != nil {
		return registry.Place{}, err
	}
	place.Protections, err = list(ctx, db, func(row scanner) (r registry.Protection, err error) {
		return r, row.Scan(&r.Pattern, &r.Push, &r.Delete)
	}, `SELECT pattern, push_level, delete_level FROM package_protection_rules
		WHERE project_id = $1 AND package_type = 'generic'`, p.ID)
	return place, err
}

func (db *DB) duplicates(ctx context.Context, p projects.Project) (registry.DuplicatePolicy, error) {
	line, err := lineage(ctx, db, p.Namespace.ID, 0)
	if err != nil {
		return registry.DuplicatePolicy{}, err
	}
	d := inherit(p.Duplicates, line)
	return registry.DuplicatePolicy{Allowed: *d.Allowed, Exception: projects.KeptException(*d.Exception)}, nil
}
