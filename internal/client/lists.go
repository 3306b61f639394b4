package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

const (
	perPage  = 100       // the most that GitLab gives
	maxPages = 10_000    // of one list: a million rows
	maxList  = 256 << 20 // bytes of one list
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
	all := []T{}
	if query == nil {
		query = url.Values{}
	}
	query.Set("per_page", strconv.Itoa(perPage))
	bytes := 0
	for number, asked := "1", 0; number != ""; asked++ {
		query.Set("page", number)
		var rows page[T]
		header, err := c.get(ctx, path, query, &rows)
		if err != nil {
			return nil, err
		}
		if bytes += rows.bytes; bytes > maxList || asked == maxPages {
			return nil, fmt.Errorf("the list of %s does not end: %d pages, %d bytes so far; ask for less of it", path, asked+1, bytes)
		}
		all = append(all, rows.rows...)
		number = nextPage(header, number)
	}
	return all, nil
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

// nextPage is "" after the last page, and where a server would go back.
func nextPage(h http.Header, page string) string {
	this, _ := strconv.Atoi(page) // ours
	next, err := strconv.Atoi(h.Get("X-Next-Page"))
	if err != nil || next <= this {
		return ""
	}
	return strconv.Itoa(next)
}
