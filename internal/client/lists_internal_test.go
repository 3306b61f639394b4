package client

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// answers is a server without a network.
type answers func(r *http.Request) (body string, header http.Header)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, header := a(r)
	return &http.Response{StatusCode: http.StatusOK, Header: header, Request: r,
		Body: io.NopCloser(strings.NewReader(body))}, nil
}

// A list that does not end is an error: not a program that does not, and not half
// a list that passes for a whole one. One within the bounds is whole.
func TestEndlessList(t *testing.T) {
	for _, tt := range []struct {
		page             string // # is its number
		pages, bytes     int    // the bounds
		asked            int
		lastPage, refuse bool
	}{
		{page: `["#"]`, pages: 7, bytes: 1000, asked: 8, refuse: true},
		{page: `["#` + strings.Repeat("x", 95) + `"]`, pages: 1000, bytes: 450, asked: 5, refuse: true},
		{page: `[]`, pages: 7, bytes: 1000, asked: 1, refuse: true},
		{page: `["x"]`, pages: 7, bytes: 1000, asked: 2, refuse: true},
		{page: `["#"]`, pages: 7, bytes: 1000, asked: 5, lastPage: true},
	} {
		asked := 0
		c, err := New(Config{Server: "localhost", Transport: answers(func(r *http.Request) (string, http.Header) {
			asked++
			number, _ := strconv.Atoi(r.URL.Query().Get("page"))
			page := strings.ReplaceAll(tt.page, "#", strconv.Itoa(number))
			if tt.lastPage && number == tt.asked {
				return page, http.Header{}
			}
			return page, http.Header{"X-Next-Page": {strconv.Itoa(number + 1)}}
		})})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := list[string](t.Context(), c, "/x", nil, tt.pages, tt.bytes)
		if refused := err != nil && strings.Contains(err.Error(), "the list of /x does not end"); refused != tt.refuse || asked != tt.asked || !refused && len(rows) != asked {
			t.Errorf("%+v: %d rows of %d pages, %v", tt, len(rows), asked, err)
		}
	}
}

// A server that gives one page for every number is found out early also where it told
// how many there are.
func TestListOfOnePageAgain(t *testing.T) {
	var asked atomic.Int32
	c, err := New(Config{Server: "localhost", Transport: answers(func(*http.Request) (string, http.Header) {
		asked.Add(1)
		return `["x"]`, http.Header{"X-Total-Pages": {"10000"}, "X-Next-Page": {""}}
	})})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := List[string](t.Context(), c, "/x", nil)
	if err == nil || !strings.Contains(err.Error(), "the list of /x does not end") || asked.Load() > 1+2*pagesAtOnce {
		t.Errorf("%d rows, asked %d times, %v", len(rows), asked.Load(), err)
	}
}

// Pages that the first one told of are asked for at once, and their rows are in
// order, also where there are more pages by now.
func TestListAtOnce(t *testing.T) {
	const told, there = 6, 8
	var asked atomic.Int32
	several := make(chan struct{})
	c, err := New(Config{Server: "localhost", Transport: answers(func(r *http.Request) (string, http.Header) {
		number, _ := strconv.Atoi(r.URL.Query().Get("page"))
		if r.URL.Query().Get("sort") != "asc" {
			t.Errorf("asked for %s", r.URL)
		}
		if number > 1 && number <= told {
			if asked.Add(1) == 2 {
				close(several)
			}
			<-several
		}
		h := http.Header{"X-Total-Pages": {strconv.Itoa(told)}, "X-Next-Page": {""}}
		if number < there {
			h.Set("X-Next-Page", strconv.Itoa(number+1))
		}
		return `[` + strconv.Itoa(number) + `]`, h
	})})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := List[int](t.Context(), c, "/x", url.Values{"sort": {"asc"}})
	if err != nil || !slices.Equal(rows, []int{1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Error(rows, err)
	}
}

// A full page that does not say what follows is not taken for the whole list.
func TestListOfAPageWithoutHeaders(t *testing.T) {
	for rows, whole := range map[int]bool{perPage - 1: true, perPage: false} {
		c, err := New(Config{Server: "localhost", Transport: answers(func(*http.Request) (string, http.Header) {
			return `[1` + strings.Repeat(`,1`, rows-1) + `]`, http.Header{}
		})})
		if err != nil {
			t.Fatal(err)
		}
		if found, err := List[int](t.Context(), c, "/x", nil); (err == nil) != whole || whole && len(found) != rows {
			t.Errorf("%d rows: %d, %v", rows, len(found), err)
		}
	}
}
