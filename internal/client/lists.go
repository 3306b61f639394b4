package client

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

const (
	perPage  = 100       // the most that GitLab gives
	maxPages = 10_000    // of one list: a million rows
	maxList  = 256 << 20 // bytes of one list

	pagesAtOnce = 4 // of one list, after the first one, which gives their number
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
	l := newLister[T](c, path, query, maxPages, maxList)
	rows, header, err := l.page(ctx, 1)
	if err != nil {
		return nil, err
	}
	all := append([]T{}, rows...)
	last := 1
	if total := totalPages(header); total > 1 {
		last = min(total, maxPages)
		var pages [][]T
		if pages, header, err = l.pages(ctx, 2, last); err != nil {
			return nil, err
		}
		all = slices.Concat(append([][]T{all}, pages...)...)
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

	mu   sync.Mutex
	sums map[int][sha256.Size]byte // of the pages so far, by their numbers
}

func newLister[T any](c *Client, path string, query url.Values, maxPages, maxList int) *lister[T] {
	l := &lister[T]{c: c, path: path, query: query, maxPages: maxPages, sums: map[int][sha256.Size]byte{}}
	l.left.Store(int64(maxList))
	return l
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
		return nil, nil, fmt.Errorf("the list of %s does not end: %d pages so far; ask for a part of it", l.path, asked)
	}
	if len(rows.rows) == 0 && nextPage(header, number) > 0 {
		return nil, nil, fmt.Errorf("the list of %s does not end: page %d is empty, and the server says that more follow", l.path, number)
	}
	if l.repeats(number, rows) {
		return nil, nil, fmt.Errorf("the list of %s does not end: page %d repeats its neighbour", l.path, number)
	}
	if len(rows.rows) >= perPage && header["X-Next-Page"] == nil {
		return nil, nil, fmt.Errorf("page %d of %s is full and has no X-Next-Page, so the next page is not known; a proxy may have removed the header", number, l.path)
	}
	return rows.rows, header, nil
}

// repeats reports that a page has the very rows of the one before it or behind it: the
// server does not look at the number that it is asked for.
func (l *lister[T]) repeats(number int, p page[T]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sums[number] = p.sum
	before, ok := l.sums[number-1]
	behind, okBehind := l.sums[number+1]
	return len(p.rows) > 0 && (ok && before == p.sum || okBehind && behind == p.sum)
}

// pages asks for several pages at once, so that a list of many does not wait for each
// of them, and returns them in order, and the header of the last.
func (l *lister[T]) pages(ctx context.Context, first, last int) (found [][]T, header http.Header, err error) {
	found = make([][]T, last-first+1)
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(pagesAtOnce)
	for i := range found {
		if ctx.Err() != nil { // one has failed
			break
		}
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
	return found, header, err
}

// page is one of a list, how many bytes of JSON it was, and their digest.
type page[T any] struct {
	rows  []T
	bytes int
	sum   [sha256.Size]byte
}

// UnmarshalJSON reads the rows.
func (p *page[T]) UnmarshalJSON(text []byte) error {
	p.bytes, p.sum = len(text), sha256.Sum256(text)
	return json.Unmarshal(text, &p.rows)
}

// totalPages is how many pages a list has, 0 if the server does not count them.
func totalPages(h http.Header) int {
	total, _ := strconv.Atoi(h.Get("X-Total-Pages"))
	return max(0, total)
}

// nextPage is 0 after the last page, and if the server names an earlier page.
func nextPage(h http.Header, page int) int {
	next, err := strconv.Atoi(h.Get("X-Next-Page"))
	if err != nil || next <= page {
		return 0
	}
	return next
}
