package metadb

import (
	"strconv"
	"strings"

	"granary/internal/page"
)

// where gathers the conditions and the arguments of a query with optional
// filters. Arguments are numbered in the order of their first appearance.
type where struct {
	conditions []string
	args       []any
}

// and adds a condition; each "?" in it stands for the next of args.
func (w *where) and(condition string, args ...any) {
	w.conditions = append(w.conditions, w.bind(condition, args...))
}

// bind numbers the arguments of a piece of text.
func (w *where) bind(text string, args ...any) string {
	for _, arg := range args {
		w.args = append(w.args, arg)
		text = strings.Replace(text, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	return text
}

// in adds a condition that a column has one of the values; none given, none
// required.
func (w *where) in(column string, not bool, values []int64) {
	if len(values) == 0 {
		return
	}
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = w.bind("?", v)
	}
	operator := " IN ("
	if not {
		operator = " NOT IN ("
	}
	w.and(column + operator + strings.Join(marks, ", ") + ")")
}

// matching is a condition that a part of one of the columns is the text,
// whatever its case. The database folds ASCII only; beyond that the text has to
// be spelled as it is kept, or in lower case.
func (w *where) matching(part string, columns ...string) string {
	return w.matchingAs(like, part, columns...)
}

// matchingAs is matching for a text that pattern makes a pattern of.
func (w *where) matchingAs(pattern func(string) string, part string, columns ...string) string {
	spelled := []string{fold(part)}
	if as := foldASCII(part); as != spelled[0] {
		spelled = append(spelled, as)
	}
	var either []string
	for _, column := range columns {
		for _, word := range spelled {
			either = append(either, w.bind(`lower(`+column+`) LIKE ? ESCAPE '\'`, pattern(word)))
		}
	}
	return "(" + strings.Join(either, " OR ") + ")"
}

// foldASCII is a text in lower case as the databases have it.
func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// String is the WHERE clause.
func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// limit is the end of a query for one page.
func (w *where) limit(p page.Request) string {
	return w.bind(" LIMIT ? OFFSET ?", p.Size, p.Offset())
}

// like is a pattern for LIKE ... ESCAPE '\' that finds the part.
func like(part string) string { return "%" + literal(part) + "%" }

// literal is a text as a part of such a pattern.
func literal(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// direction is the SQL word for a sort order.
func direction(desc bool) string {
	if desc {
		return " DESC"
	}
	return " ASC"
}
