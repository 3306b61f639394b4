package sqldb

import (
	"slices"
	"strconv"
	"strings"

	"granary/internal/page"
)

// Where collects the conditions and arguments of a query with optional filters.
// Arguments are numbered in the order in which they were added.
type Where struct {
	Conditions []string
	Args       []any
}

// And adds a condition; each "?" in it stands for the next of args.
func (w *Where) And(condition string, args ...any) {
	w.Conditions = append(w.Conditions, w.Bind(condition, args...))
}

// Bind adds arguments, and puts the number of each in place of a "?".
func (w *Where) Bind(text string, args ...any) string {
	for _, arg := range args {
		w.Args = append(w.Args, arg)
		text = strings.Replace(text, "?", "$"+strconv.Itoa(len(w.Args)), 1)
	}
	return text
}

// In adds the condition that a column has one of the values, or with not, none of
// them. Without values it adds nothing.
func (w *Where) In(column string, not bool, values []int64) {
	if len(values) == 0 {
		return
	}
	placeholders := make([]string, len(values))
	for i, v := range values {
		placeholders[i] = w.Bind("?", v)
	}
	operator := " IN ("
	if not {
		operator = " NOT IN ("
	}
	w.And(column + operator + strings.Join(placeholders, ", ") + ")")
}

// Matching is the condition that one of the columns contains the text, whatever its
// case. The database lowers ASCII only; other letters must be spelled as the column
// has them, or in lower case.
func (w *Where) Matching(part string, columns ...string) string {
	return w.MatchingAs(Like, part, columns...)
}

// MatchingAs is Matching with the LIKE pattern that pattern makes of the text.
func (w *Where) MatchingAs(pattern func(string) string, part string, columns ...string) string {
	spelled := []string{Lower(part)}
	if as := lowerASCII(part); as != spelled[0] {
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

// lowerASCII is a text in lower case as the databases make it.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// Clone is a copy to which other conditions can be added.
func (w *Where) Clone() Where {
	return Where{Conditions: slices.Clone(w.Conditions), Args: slices.Clone(w.Args)}
}

// String is the WHERE clause.
func (w *Where) String() string {
	if len(w.Conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.Conditions, " AND ")
}

// Limit is the LIMIT clause of a page.
func (w *Where) Limit(p page.Request) string {
	return w.Bind(" LIMIT ? OFFSET ?", p.Size, p.Offset())
}

// Like is a pattern for LIKE ... ESCAPE '\' that finds the text anywhere.
func Like(part string) string { return "%" + Literal(part) + "%" }

// Literal is a text escaped for such a pattern.
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
