// Package page is requests for pages of lists, and the pages.
package page

// Request is one page of a list.
type Request struct {
	Number  int    // from 1
	Size    int    // rows, from 1 to 100
	OrderBy string // a column's wire name, checked by the door; "" is the list's default
	Desc    bool
	InSteps bool // the rows are read later: Of.Steps in place of Of.Rows
	NoTotal bool // nobody asks for Of.Total: it may be the rows of this page only
}

// Offset is how many rows come before the page.
func (r Request) Offset() int { return (r.Number - 1) * r.Size }

// Of is a page of rows, and how many rows there are on all pages.
type Of[T any] struct {
	Rows  []T // all of them, unless there are Steps
	Total int
	Steps *Steps[T] // nil if Rows has the rows
}
