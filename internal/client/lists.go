package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

const (
	perPage  = 100       // the most that GitLab gives
	maxPages = 10_000    // of one list: a million rows
	maxList  = 256 << 20 // bytes of one list

	pagesAtOnce = 4 // of one list, of which the first told how many there are
)

// List collects a list from all its pages: path is that of a route of the API,
// below it and escaped; query may be nil. A list of more than 10,000 pages or
// 256 MiB is an error: half of one could pass for the whole. The server's next page
// is asked for by number: the addresses in Link may name another host, which the
// token must not reach.
func List[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	return list[T](ctx, c, path, query, maxPages, maxList)
}

// list is List with other bounds.
func list[T any](ctx context.Context, c *Client, path string, query url.Values, maxPages, maxList int) ([]T, error) {
	l := &lister[T]{c: c, path: path, query: query, maxPages: maxPages}
	l.left.Store(int64(maxList))
	rows, header, err := l.page(ctx, 1)
	if err != nil {
		return nil, err
	}
	all := append([]T{}, rows...)
	last := 1
	if total, err := strconv.Atoi(header.Get("X-Total-Pages")); err == nil && total > 1 {
		last = min(total, maxPages)
		if rows, header, err = l.pages(ctx, 2, last); err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	for next := nextPage(header, last); next > 0; next = nextPage(header, next) {
		if rows, header, err = l.page(ctx, next); err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// lister asks for the pages of one list.
type lister[T any] struct {
	c        *Client
	path     string
	query    url.Values
	maxPages int
	asked    atomic.Int64 // pages
	left     atomic.Int64 // bytes that the list may still have
}

// page asks for one page.
func (l *lister[T]) page(ctx context.Context, number int) ([]T, http.Header, error) {
	query := url.Values{"per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(number)}}
	for name, values := range l.query {
		query[name] = values
	}
	var rows page[T]
	header, err := l.c.get(ctx, l.path, query, &rows)
	if err != nil {
		return nil, nil, err
	}
	if asked := l.asked.Add(1); l.left.Add(-int64(rows.bytes)) < 0 || asked > int64(l.maxPages) {
		return nil, nil, fmt.Errorf("the list of %s does not end: %d pages so far; ask for less of it", l.path, asked)
	}
	if len(rows.rows) >= perPage && header["X-Next-Page"] == nil {
		return nil, nil, fmt.Errorf("page %d of %s is full and has no X-Next-Page: what follows is not known; a proxy may have removed the header", number, l.path)
	}
	return rows.rows, header, nil
}

// pages asks for several pages at once, so that a list of many does not wait for each
// of them, and returns their rows in order, and the header of the last.
func (l *lister[T]) pages(ctx context.Context, first, last int) (all []T, header http.Header, err error) {
	found := make([][]T, last-first+1)
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(pagesAtOnce)
	for i := range found {
		asking.Go(func() error {
			rows, h, err := l.page(ctx, first+i)
			found[i] = rows
			if first+i == last {
				header = h
			}
			return err
		})
	}
	err = asking.Wait()
	return slices.Concat(found...), header, err
}

// page is one of a list, and how many bytes of JSON it was.
type page[T any] struct {
	rows  []T
	bytes int
}

// UnmarshalJSON reads the rows.
func (p *page[T]) UnmarshalJSON(text []byte) error {
	p.bytes = len(text)
	return json.Unmarshal(text, &p.rows)
}

// nextPage is 0 after the last page, and where a server would go back.
func nextPage(h http.Header, page int) int {
	next, err := strconv.Atoi(h.Get("X-Next-Page"))
	if err != nil || next <= page {
		return 0
	}
	return next
}
