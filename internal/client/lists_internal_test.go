package client

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// answers is a server without a network.
type answers func(r *http.Request) (body, next string)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, next := a(r)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"X-Next-Page": {next}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body))}, nil
}

// A list that does not end is an error: not a program that does not, and not half
// a list that passes for a whole one. One within the bounds is whole.
func TestEndlessList(t *testing.T) {
	for _, tt := range []struct {
		page             string
		pages, bytes     int // the bounds
		asked            int
		lastPage, refuse bool
	}{
		{page: `[]`, pages: 7, bytes: 1000, asked: 8, refuse: true},
		{page: `["` + strings.Repeat("x", 96) + `"]`, pages: 1000, bytes: 450, asked: 5, refuse: true},
		{page: `["x"]`, pages: 7, bytes: 1000, asked: 5, lastPage: true},
	} {
		asked := 0
		c, err := New(Config{Server: "localhost", Transport: answers(func(r *http.Request) (string, string) {
			asked++
			number, _ := strconv.Atoi(r.URL.Query().Get("page"))
			if tt.lastPage && number == tt.asked {
				return tt.page, ""
			}
			return tt.page, strconv.Itoa(number + 1)
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
