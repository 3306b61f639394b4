package ui

import (
	"strconv"

	"granary/internal/fault"
	"granary/internal/page"
)

// rowsOf is how many rows a page of a numbered list has.
const rowsOf = 50

// pager is the way through the pages of a list, for the template of the same name.
type pager struct {
	Total                string // "143 packages"
	Newer, Older         string // addresses; "" for none
	NewerWord, OlderWord string
}

// numbered is the page of a numbered list that the address asks for.
func (v *visit) numbered() (page.Request, error) {
	p := page.Request{Number: 1, Size: rowsOf}
	text := v.query("page")
	if text == "" {
		return p, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1<<30 {
		return p, fault.New(fault.Invalid, "page must be a number from 1")
	}
	p.Number = n
	return p, nil
}

// pagerOf is the way through a numbered list of so many rows, which are called one or many.
func (v *visit) pagerOf(p page.Request, total int, one, many string) pager {
	w := pager{Total: plural(int64(total), one, many), NewerWord: "Back", OlderWord: "More"}
	if p.Number > 1 {
		w.Newer = v.with("page", strconv.Itoa(p.Number-1))
	}
	if p.Number*p.Size < total {
		w.Older = v.with("page", strconv.Itoa(p.Number+1))
	}
	return w
}

// with is the address of this page with one parameter changed; "" takes it away.
func (v *visit) with(name, value string) string {
	q := v.r.URL.Query()
	q.Del("done")
	if name != "cursor" {
		q.Del("cursor") // a place in a list is one of this order and filter
	}
	q.Set(name, value)
	if value == "" {
		q.Del(name)
	}
	return "?" + q.Encode()
}
