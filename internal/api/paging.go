package api

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"granary/internal/fault"
	"granary/internal/page"
)

const (
	defaultPerPage = 20
	maxPerPage     = 100
	countedRows    = 10000 // if there are more, totals are left out, as in GitLab
	maxPage        = 1 << 31
)

// page reads the parameters of paging (contract rest-api 2). orders are the values that
// order_by may have; the first is the default.
func (c *call) page(desc bool, orders ...string) page.Request {
	p := c.params
	ask := page.Request{Number: 1, Size: defaultPerPage, Desc: desc, InSteps: true}
	if n := p.optionalInteger("page"); n != nil {
		if *n < 1 || *n > maxPage {
			p.fail("page does not have a valid value")
			n = new(int64(1))
		}
		ask.Number = int(*n)
	}
	if n := p.optionalInteger("per_page"); n != nil {
		switch {
		case *n == 0:
			p.fail("per_page has a value not allowed")
		case *n < 0:
			p.fail("per_page does not have a valid value")
		default:
			ask.Size = int(min(*n, maxPerPage))
		}
	}
	if len(orders) > 0 {
		ask.OrderBy = cmp.Or(p.choice("order_by", orders...), orders[0])
		if sort := p.choice("sort", "asc", "desc"); sort != "" {
			ask.Desc = sort == "desc"
		}
	}
	return ask
}

// listed answers with a page of rows, and the headers of paging. It reads and writes the
// page in steps.
func listed[T, W any](c *call, ask page.Request, found page.Of[T], err error, show func(T) W) error {
	return listedBy(c, ask, found, err, func(a *answerWriter, row T) error { return a.value(show(row)) })
}

// listedBy is listed for rows that write writes.
func listedBy[T any](c *call, ask page.Request, found page.Of[T], err error, write func(*answerWriter, T) error) error {
	if err != nil {
		return err
	}
	return answered(c, func() { c.pageHeaders(ask, found.Total) }, found, write)
}

// answered answers with the rows as an array. head sets more headers; nil for none.
func answered[T any](c *call, head func(), found page.Of[T], write func(*answerWriter, T) error) error {
	a, err := c.begin(http.StatusOK, found.Size())
	if err != nil {
		return err
	}
	a.head = head
	return a.run(func() error { return array(a, found, write) })
}

// array adds the rows of a page as an array.
func array[T any](a *answerWriter, found page.Of[T], write func(*answerWriter, T) error) error {
	a.raw("[")
	if err := elements(a, found, write); err != nil {
		return err
	}
	a.raw("]")
	return nil
}

// elements adds the rows of a page, separated by commas. It releases each row before it
// is written, so that a slow client does not keep rows in memory.
func elements[T any](a *answerWriter, found page.Of[T], write func(*answerWriter, T) error) error {
	comma := ""
	for rows, err := range found.InSteps(a.c.r.Context()) {
		if err != nil {
			return err
		}
		for i, row := range rows {
			var none T
			rows[i] = none
			a.raw(comma)
			comma = ","
			if err := write(a, row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *call) pageHeaders(ask page.Request, total int) {
	pages := max(1, (total+ask.Size-1)/ask.Size)
	h := c.w.Header()
	h.Set("X-Per-Page", strconv.Itoa(ask.Size))
	h.Set("X-Page", strconv.Itoa(ask.Number))
	h.Set("X-Next-Page", "")
	h.Set("X-Prev-Page", "")
	var links links
	link := func(number int, rel string) { links = append(links, pageLink(c.pageURL(ask, number), rel)) }
	if ask.Number > 1 && ask.Number <= pages {
		h.Set("X-Prev-Page", strconv.Itoa(ask.Number-1))
		link(ask.Number-1, "prev")
	}
	if ask.Number < pages {
		h.Set("X-Next-Page", strconv.Itoa(ask.Number+1))
		link(ask.Number+1, "next")
	}
	link(1, "first")
	if total <= countedRows {
		h.Set("X-Total", strconv.Itoa(total))
		h.Set("X-Total-Pages", strconv.Itoa(pages))
		link(pages, "last")
	}
	h["Link"] = links.header()
}

// How many bytes headers with links may have. Proxies often accept 4 KiB of headers in
// all; only a link that the client needs may be longer.
const (
	maxLinks = 2048
	maxNext  = 8192
)

// links are the entries of a Link header.
type links []string

func pageLink(to, rel string) string { return "<" + to + `>; rel="` + rel + `"` }

// header is a Link header of all links. If that is too long, it has only those to the
// neighbours, or the next page, or it is empty: X-Next-Page is always there.
func (l links) header() []string {
	for _, fit := range []struct {
		rels string
		most int
	}{{"prev next first last", maxLinks}, {"prev next", maxLinks}, {"next", maxNext}} {
		kept := slices.DeleteFunc(slices.Clone(l), func(link string) bool {
			_, rel, _ := strings.Cut(link, `>; rel="`)
			return !strings.Contains(fit.rels, strings.TrimSuffix(rel, `"`))
		})
		if text := strings.Join(kept, ", "); text != "" && len(text) <= fit.most {
			return []string{text}
		}
	}
	return nil
}

// openQuery is this request's query without secrets, and without values that are too
// long for any deed.
func (c *call) openQuery() url.Values {
	q := c.r.URL.Query()
	secret := []string{"private_token", "private-token", "access_token", "job_token", "job-token", "deploy-token", "feed_token", "token"}
	maps.DeleteFunc(q, func(name string, values []string) bool {
		plain := strings.ToLower(strings.TrimSuffix(name, "[]"))
		return slices.Contains(secret, plain) || tooLong(name, maxName) || slices.ContainsFunc(values, func(v string) bool { return tooLong(v, maxText) })
	})
	return q
}

// setNext sets the Link header of lists that page by a cursor. A client takes a page
// without it for the last one.
func (c *call) setNext(q url.Values) error { return c.setNextAt(c.base()+c.r.URL.EscapedPath(), q) }

// setNextAt is setNext for a list at another address than this request's.
func (c *call) setNextAt(at string, q url.Values) error {
	next := links{pageLink(at+"?"+q.Encode(), "next")}.header()
	if next == nil {
		return fault.New(fault.Invalid, "the parameters are too long in total (maximum is "+strconv.Itoa(maxNext)+" bytes)")
	}
	c.w.Header()["Link"] = next
	return nil
}

// pageURL is the address of another page of this list.
func (c *call) pageURL(ask page.Request, number int) string {
	q := c.openQuery()
	if id := c.path("id"); id != "" {
		q.Set("id", id)
	}
	q.Set("page", strconv.Itoa(number))
	q.Set("per_page", strconv.Itoa(ask.Size))
	return c.base() + c.r.URL.EscapedPath() + "?" + q.Encode()
}
