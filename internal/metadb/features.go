package metadb

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"strconv"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

func scanFeature(row sqldb.Scanner) (projects.Feature, error) {
	var f projects.Feature
	var value sql.Null[bool]
	err := row.Scan(&f.Name, &value, &f.PercentageOfTime, &f.PercentageOfActors)
	f.Value = sqldb.Pointer(value)
	return f, err
}

// ListFeatures implements projects.Features.
func (db *DB) ListFeatures(ctx context.Context) ([]projects.Feature, error) {
	found, err := sqldb.List(ctx, db, scanFeature, `SELECT name, value, percentage_of_time, percentage_of_actors FROM features ORDER BY name`)
	for i := range found {
		if found[i].Actors, err = featureActors(ctx, db, found[i].Name); err != nil {
			return nil, err
		}
	}
	return found, err
}

func featureActors(ctx context.Context, q sqldb.Queries, name string) ([]projects.FeatureActor, error) {
	return sqldb.List(ctx, q, func(row sqldb.Scanner) (a projects.FeatureActor, err error) {
		err = row.Scan(&a.Target, &a.On)
		return a, err
	}, `SELECT target, enabled FROM feature_actors WHERE name = $1 ORDER BY target`, name)
}

// SetFeature implements projects.Features.
func (db *DB) SetFeature(ctx context.Context, name string, c projects.FeatureChange, flags, most fault.Limit, e audit.Event) (projects.Feature, error) {
	return writePermission(ctx, db, func(t tx) (projects.Feature, error) {
		var f projects.Feature
		err := t.Exec(`INSERT INTO features (name, percentage_of_time, percentage_of_actors) VALUES ($1, 0, 0)
			ON CONFLICT (name) DO NOTHING`, name)
		if err != nil {
			return f, err
		}
		if err := t.room(ctx, flagRows(), 0, flags); err != nil {
			return f, err
		}
		targets, err := featureTargets(ctx, t, c.Targets)
		if err != nil {
			return f, err
		}
		if err := t.setGate(name, targets, c); err != nil {
			return f, err
		}
		if err := t.room(ctx, flagTargetRows(), 0, most, name); err != nil {
			return f, err
		}
		if err := t.record(ctx, e); err != nil {
			return f, err
		}
		f, err = scanFeature(t.Row(ctx, `SELECT name, value, percentage_of_time, percentage_of_actors FROM features WHERE name = $1`, name))
		if err != nil {
			return f, sqldb.Classify(err)
		}
		f.Actors, err = featureActors(ctx, t, name)
		return f, err
	})
}

func (t tx) setGate(name string, targets []string, c projects.FeatureChange) error {
	switch {
	case c.PercentageOfTime != nil:
		return t.Exec(`UPDATE features SET value = NULL, percentage_of_time = $1 WHERE name = $2`, *c.PercentageOfTime, name)
	case c.PercentageOfActors != nil:
		return t.Exec(`UPDATE features SET value = NULL, percentage_of_actors = $1 WHERE name = $2`, *c.PercentageOfActors, name)
	case len(targets) == 0:
		// A value for the whole instance resets the percentages. Values for single
		// targets stay: they take precedence.
		return t.Exec(`UPDATE features SET value = $1, percentage_of_time = 0, percentage_of_actors = 0 WHERE name = $2`, sqldb.Bool(*c.Value), name)
	}
	for _, target := range targets {
		err := t.Exec(`INSERT INTO feature_actors (name, target, enabled) VALUES ($1, $2, $3)
			ON CONFLICT (name, target) DO UPDATE SET enabled = excluded.enabled`, name, target, sqldb.Bool(*c.Value))
		if err != nil {
			return err
		}
	}
	return nil
}

// featureTargets resolves the targets of a change, to "Project:7" and the like.
func featureTargets(ctx context.Context, q sqldb.Queries, f projects.FeatureTargets) ([]string, error) {
	var targets []string
	add := func(kind, ref, query string) error {
		path, err := projects.ParsePath(ref, projects.LeastOfGroup)
		if err != nil {
			return fault.Wrap(fault.NotFound, ref, err)
		}
		var n int64
		if err := q.Row(ctx, query, path).Scan(&n); err != nil {
			return fault.Wrap(fault.NotFound, ref, sqldb.Classify(err))
		}
		targets = append(targets, kind+":"+strconv.FormatInt(n, 10))
		return nil
	}
	for _, kind := range []struct {
		name, query string
		refs        []string
	}{
		{"User", `SELECT id FROM users WHERE username_key = $1`, f.Users},
		{"Group", `SELECT n.id FROM routes r JOIN namespaces n ON n.id = r.namespace_id WHERE r.path_key = $1 AND n.owner_id IS NULL`, f.Groups},
		{"Namespace", `SELECT namespace_id FROM routes WHERE path_key = $1 AND namespace_id IS NOT NULL`, f.Namespaces},
		{"Project", `SELECT project_id FROM routes WHERE path_key = $1 AND project_id IS NOT NULL`, f.Projects},
	} {
		for _, ref := range kind.refs {
			if err := add(kind.name, ref, kind.query); err != nil {
				return nil, err
			}
		}
	}
	return targets, nil
}

// DeleteFeature implements projects.Features.
func (db *DB) DeleteFeature(ctx context.Context, name string, e audit.Event) error {
	_, err := writePermission(ctx, db, func(t tx) (struct{}, error) {
		n, err := t.Count(`DELETE FROM features WHERE name = $1`, name)
		if err != nil || n == 0 {
			return struct{}{}, err
		}
		return struct{}{}, t.record(ctx, e)
	})
	return err
}

// FindFeatureGates implements projects.Features.
func (db *DB) FindFeatureGates(ctx context.Context, name string, projectID int64) (projects.FeatureGates, error) {
	return featureGates(ctx, db, name, projectID)
}

func featureGates(ctx context.Context, q sqldb.Queries, name string, projectID int64) (projects.FeatureGates, error) {
	var own, instance sql.Null[bool]
	var ofTime, ofActors sql.NullInt64
	err := q.Row(ctx, `SELECT (SELECT enabled FROM feature_actors WHERE name = $1 AND target = $2),
			(SELECT value FROM features WHERE name = $1),
			(SELECT percentage_of_time FROM features WHERE name = $1),
			(SELECT percentage_of_actors FROM features WHERE name = $1)`,
		name, "Project:"+strconv.FormatInt(projectID, 10)).Scan(&own, &instance, &ofTime, &ofActors)
	return projects.FeatureGates{
		Own: sqldb.Pointer(own), Instance: sqldb.Pointer(instance), PercentageOfTime: ofTime.Int64, PercentageOfActors: ofActors.Int64,
	}, sqldb.Classify(err)
}

// flagOn reports whether generic_packages is on for a project.
func flagOn(ctx context.Context, q sqldb.Queries, projectID int64) (bool, error) {
	gates, err := featureGates(ctx, q, projects.GenericPackages, projectID)
	return gates.On(projectID, rand.Int64N(100)), err //nolint:gosec // a lottery, not a secret
}
