package metadb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"granary/internal/sqldb"
)

// maxPart is the length of a part in package_name_parts: it begins at any character of
// a name.
const maxPart = 32

// foundNames are the names with all the terms, in the projects of a list.
type foundNames struct {
	query  string // selects project_id, name and listed; "" if there are too many to look up
	args   []any  // of query
	listed int    // packages with these names; more than countLimit if there are too many
}

// chooseNames looks up the longest term, and filters its names by the other terms.
func (l *lister) chooseNames(ctx context.Context) error {
	terms := l.f.Name.Terms
	if len(terms) == 0 {
		return nil
	}
	var w sqldb.Where
	w.And(within("s.project_id", &w, l.f.Projects))
	if slices.ContainsFunc(terms, impossible) {
		w.And("1 = 0")
	} else {
		longest := slices.MaxFunc(terms, func(a, b string) int { return len(a) - len(b) })
		hasPart(&w, "s.part", longest)
		places := 0
		probe := w
		limit := probe.Bind(" LIMIT ?) few", countLimit+1)
		err := l.q.Row(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM package_name_parts s`+probe.String()+limit, probe.Args...).Scan(&places)
		if err != nil {
			return sqldb.Classify(err)
		}
		if places > countLimit { // a term may occur more than once in a name, so there may be fewer names
			l.names.listed = countLimit + 1
			return nil
		}
		if len(terms) > 1 || len(longest) > maxPart {
			hasTerms(&w, "n.name", terms)
		}
	}
	w.And("n.id = s.name_id")
	l.names.query = `SELECT DISTINCT n.project_id, n.name, ` + l.db.wording.listed + ` AS listed FROM package_name_parts s CROSS JOIN package_names n` + w.String()
	l.names.args = w.Args
	return l.countNamed(ctx)
}

// countNamed counts the packages with these names, up to countLimit.
func (l *lister) countNamed(ctx context.Context) error {
	rows, err := l.q.Rows(ctx, l.names.query, l.names.args...)
	if err != nil {
		return sqldb.Classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		var projectID int64
		var name sql.RawBytes
		var listed int
		if err := rows.Scan(&projectID, &name, &listed); err != nil {
			return sqldb.Classify(err)
		}
		if l.names.listed += listed; l.names.listed > countLimit {
			l.names.query = ""
			break
		}
	}
	return sqldb.Classify(errors.Join(rows.Err(), rows.Close()))
}

// impossible reports whether a term has characters that no name has.
func impossible(term string) bool {
	return strings.IndexFunc(term, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0
}

// hasPart adds the condition that a column begins with the term. Of a term that is too
// long only the end is compared.
func hasPart(w *sqldb.Where, column, term string) {
	from := sqldb.Lower(term[max(0, len(term)-maxPart):])
	last := len(from) - 1
	w.And(column+" >= ? AND "+column+" < ?", from, from[:last]+string(from[last]+1))
}

// hasTerms adds the condition that a name has all the terms.
func hasTerms(w *sqldb.Where, column string, terms []string) {
	for _, term := range terms {
		if impossible(term) {
			w.And("1 = 0") // LIKE stops at a NUL
			return
		}
		w.And("lower("+column+`) LIKE ? ESCAPE '\'`, sqldb.Like(sqldb.Lower(term)))
	}
}
