package metadb

import (
	"context"
	"database/sql"
	"fmt"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

const variableColumns = `v.id, v.revision, v.key, v.value, v.variable_type, v.protected, v.masked, v.hidden, v.raw,
	v.environment_scope, v.description`

// scanVariable reads a variable of the place and opens its value.
func (db *DB) scanVariable(at projects.Place) func(sqldb.Scanner) (projects.Variable, error) {
	return func(row sqldb.Scanner) (projects.Variable, error) {
		var v projects.Variable
		var sealed []byte
		var description sql.Null[string]
		err := row.Scan(&v.ID, &v.Revision, &v.Key, &sealed, &v.Type, &v.Protected, &v.Masked, &v.Hidden, &v.Raw,
			&v.Scope, &description)
		if err != nil {
			return v, sqldb.Classify(err)
		}
		v.Description = sqldb.Pointer(description)
		v.Value, err = db.seals.open(sealed, variableBinding(at, v))
		return v, err
	}
}

// variableBinding binds a value to its variable: with write access to the database
// alone, nobody can read a value by copying it to another project.
func variableBinding(at projects.Place, v projects.Variable) string {
	return fmt.Sprintf("variable\x00%d\x00%d\x00%s\x00%s", at.ProjectID, at.GroupID, v.Key, v.Scope)
}

func variablesAt(w *sqldb.Where, at projects.Place) {
	switch {
	case at.ProjectID != 0:
		w.And("v.project_id = ?", at.ProjectID)
	case at.GroupID != 0:
		w.And("v.namespace_id = ?", at.GroupID)
	default:
		w.And("v.project_id IS NULL AND v.namespace_id IS NULL")
	}
}

// ListVariables implements projects.Variables.
func (db *DB) ListVariables(ctx context.Context, at projects.Place, p page.Request) (page.Of[projects.Variable], error) {
	var w sqldb.Where
	variablesAt(&w, at)
	return listPage(ctx, db, &w, p, db.scanVariable(at), "variables v", variableColumns, "v.id")
}

// FindVariable implements projects.Variables.
func (db *DB) FindVariable(ctx context.Context, at projects.Place, ref projects.VariableRef) (projects.Variable, error) {
	return db.findVariable(ctx, db, at, ref)
}

func (db *DB) findVariable(ctx context.Context, q sqldb.Queries, at projects.Place, ref projects.VariableRef) (projects.Variable, error) {
	var w sqldb.Where
	variablesAt(&w, at)
	w.And("v.key = ?", ref.Key)
	if ref.Scope != nil {
		w.And("v.environment_scope = ?", *ref.Scope)
	}
	found, err := sqldb.List(ctx, q, db.scanVariable(at), `SELECT `+variableColumns+` FROM variables v`+w.String()+` LIMIT 2`, w.Args...)
	switch {
	case err != nil:
		return projects.Variable{}, err
	case len(found) == 0:
		return projects.Variable{}, fault.New(fault.NotFound, "")
	case len(found) > 1:
		return projects.Variable{}, fault.New(fault.Conflict, "")
	}
	return found[0], nil
}

// InsertVariable implements projects.Variables.
func (db *DB) InsertVariable(ctx context.Context, at projects.Place, v projects.Variable, most fault.Limit, e audit.Event) (projects.Variable, error) {
	v.Revision = 1
	sealed, err := db.seals.seal(v.Value, variableBinding(at, v))
	if err != nil {
		return v, err
	}
	return writeInTurn(ctx, db, func(t tx) (projects.Variable, error) {
		var owner []any
		if at != (projects.Place{}) {
			owner = append(owner, placeID(at))
		}
		err := t.room(ctx, variableRows(at), 1, most, owner...)
		if err != nil {
			return v, err
		}
		v.ID, err = t.Insert(`INSERT INTO variables (project_id, namespace_id, key, value, variable_type,
				protected, masked, hidden, raw, environment_scope, description, revision)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
			sqldb.NullID(at.ProjectID), sqldb.NullID(at.GroupID), v.Key, sealed, string(v.Type),
			sqldb.Bool(v.Protected), sqldb.Bool(v.Masked), sqldb.Bool(v.Hidden), sqldb.Bool(v.Raw), v.Scope, sqldb.Optional(v.Description), v.Revision)
		if err != nil {
			return v, err
		}
		e.Target.ID = v.ID
		return v, t.record(ctx, e)
	})
}

// UpdateVariable implements projects.Variables.
func (db *DB) UpdateVariable(ctx context.Context, at projects.Place, ref projects.VariableRef, edit func(*projects.Variable) (audit.Event, error)) (projects.Variable, error) {
	return writeInTurn(ctx, db, func(t tx) (projects.Variable, error) {
		v, err := db.findVariable(ctx, t, at, ref)
		if err != nil {
			return v, err
		}
		done, err := edit(&v)
		if err != nil {
			return v, err
		}
		if err := t.record(ctx, done); err != nil {
			return v, err
		}
		v.Revision++
		sealed, err := db.seals.seal(v.Value, variableBinding(at, v))
		if err != nil {
			return v, err
		}
		err = t.Exec(`UPDATE variables SET value = $1, variable_type = $2, protected = $3, masked = $4, hidden = $5,
				raw = $6, environment_scope = $7, description = $8, revision = $9 WHERE id = $10`,
			sealed, string(v.Type), sqldb.Bool(v.Protected), sqldb.Bool(v.Masked), sqldb.Bool(v.Hidden),
			sqldb.Bool(v.Raw), v.Scope, sqldb.Optional(v.Description), v.Revision, v.ID)
		if fault.Is(err, fault.Conflict) {
			err = fault.Taken("scope", err)
		}
		return v, err
	})
}

// RevealVariable implements projects.Variables.
func (db *DB) RevealVariable(ctx context.Context, at projects.Place, ref projects.VariableRef, check func(projects.Variable) (audit.Event, error)) (projects.Variable, error) {
	return writeInTurn(ctx, db, func(t tx) (projects.Variable, error) {
		v, err := db.findVariable(ctx, t, at, ref)
		if err != nil {
			return v, err
		}
		done, err := check(v)
		if err != nil {
			return projects.Variable{}, err
		}
		return v, t.record(ctx, done)
	})
}

// DeleteVariable implements projects.Variables.
func (db *DB) DeleteVariable(ctx context.Context, at projects.Place, ref projects.VariableRef, check func(projects.Variable) (audit.Event, error)) error {
	_, err := writeInTurn(ctx, db, func(t tx) (struct{}, error) {
		v, err := db.findVariable(ctx, t, at, ref)
		if err != nil {
			return struct{}{}, err
		}
		done, err := check(v)
		if err != nil {
			return struct{}{}, err
		}
		if err := t.Exec(`DELETE FROM variables WHERE id = $1`, v.ID); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.record(ctx, done)
	})
	return err
}
