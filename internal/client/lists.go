package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

const (
	perPage = 100     // the most that GitLab gives
	maxRows = 1 << 20 // of one list; who has more asks more closely
)

// List collects a list from all its pages: path is that of a route of the API,
// below it and escaped; query may be nil. What follows the first million rows
// is left out. The server's next page is asked for
// by number: the addresses in Link may name another host, which the token must
// not reach.
func List[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	all := []T{}
	if query == nil {
		query = url.Values{}
	}
	query.Set("per_page", strconv.Itoa(perPage))
	for page := "1"; page != "" && len(all) < maxRows; {
		query.Set("page", page)
		var rows []T
		header, err := c.get(ctx, path, query, &rows)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		page = nextPage(header, page)
	}
	return all, nil
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
