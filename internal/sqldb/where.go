package sqldb

import (
	"strconv"
	"strings"

	"granary/internal/page"
)

// Where gathers the conditions and the arguments of a query with optional
// filters. Arguments are numbered in the order of their first appearance.
type Where struct {
	Conditions []string
	Args       []any
}

// And adds a condition; each "?" in it stands for the next of args.
func (w *Where) And(condition string, args ...any) {
	w.Conditions = append(w.Conditions, w.Bind(condition, args...))
}

// Bind numbers the arguments of a piece of text.
func (w *Where) Bind(text string, args ...any) string {
	for _, arg := range args {
		w.Args = append(w.Args, arg)
		text = strings.Replace(text, "?", "$"+strconv.Itoa(len(w.Args)), 1)
	}
	return text
}

// In adds a condition that a column has one of the values; none given, none
// required.
func (w *Where) In(column string, not bool, values []int64) {
	if len(values) == 0 {
		return
	}
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = w.Bind("?", v)
	}
	operator := " IN ("
	if not {
		operator = " NOT IN ("
	}
	w.And(column + operator + strings.Join(marks, ", ") + ")")
}

// Matching is a condition that a part of one of the columns is the text,
// whatever its case. The database folds ASCII only; beyond that the text has to
// be spelled as it is kept, or in lower case.
func (w *Where) Matching(part string, columns ...string) string {
	return w.MatchingAs(Like, part, columns...)
}

// MatchingAs is matching for a text that pattern makes a pattern of.
func (w *Where) MatchingAs(pattern func(string) string, part string, columns ...string) string {
	spelled := []string{Lower(part)}
	if as := foldASCII(part); as != spelled[0] {
		spelled = append(spelled, as)
	}
	var either []string
	for _, column := range columns {
		for _, word := range spelled {
			either = append(either, w.Bind(`lower(`+column+`) LIKE ? ESCAPE '\'`, pattern(word)))
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
func (w *Where) String() string {
	if len(w.Conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.Conditions, " AND ")
}

// Limit is the end of a query for one page.
func (w *Where) Limit(p page.Request) string {
	return w.Bind(" LIMIT ? OFFSET ?", p.Size, p.Offset())
}

// Like is a pattern for LIKE ... ESCAPE '\' that finds the part.
func Like(part string) string { return "%" + Literal(part) + "%" }

// Literal is a text as a part of such a pattern.
func Literal(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// Direction is the SQL word for a sort order.
func Direction(desc bool) string {
	if desc {
		return " DESC"
	}
	return " ASC"
}
