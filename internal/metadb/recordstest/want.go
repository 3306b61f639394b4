package recordstest

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/trail"
)

// errRefused is why a test does not let a deed be done.
var errRefused = errors.New("recordstest: refused")

// must is a value that came without an error.
func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func id(n int64) string { return strconv.FormatInt(n, 10) }

// all asks for a page that has all rows of a test.
func all() page.Request { return page.Request{Number: 1, Size: 100} }

// rows are those of a page, or the end of the test.
func rows[T any](t *testing.T, found page.Of[T], err error) []T {
	t.Helper()
	must(t, 0, err)
	if found.Total != len(found.Rows) {
		t.Errorf("%d rows in all, %d on a page that has room for them", found.Total, len(found.Rows))
	}
	return found.Rows
}

// idsOf are the ids of rows.
func idsOf[T any](rows []T, id func(T) int64) []int64 {
	ids := []int64{}
	for _, row := range rows {
		ids = append(ids, id(row))
	}
	return ids
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	_ = faultOf(t, err, kind)
}

// faultOf is an error that is a fault of the kind, or the end of the test.
func faultOf(t *testing.T, err error, kind fault.Kind) *fault.Error {
	t.Helper()
	e, ok := fault.As(err, kind)
	if !ok {
		t.Fatalf("%v, of kind %d, want kind %d of package fault", err, fault.KindOf(err), kind)
	}
	return e
}

// wantFull wants the fault of a limit, with its number.
func wantFull(t *testing.T, err error, most int) {
	t.Helper()
	if e := faultOf(t, err, fault.Full); e.Most != most {
		t.Errorf("Full at %d, want %d", e.Most, most)
	}
}

func wantRefused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, errRefused) {
		t.Fatalf("%v, want %v", err, errRefused)
	}
}

func wantSame[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// told are the recorded events of that name. They have its moment, or the next that are free.
func (s *suite) told(t *testing.T, e audit.Event) []audit.Event {
	t.Helper()
	found, err := s.ListEvents(t.Context(), trail.Filter{After: e.At, Before: e.At.Add(time.Millisecond)}, all())
	return slices.DeleteFunc(must(t, found, err).Rows, func(o audit.Event) bool { return o.Name != e.Name })
}

// wantTold wants so many events, and returns the newest of them.
func (s *suite) wantTold(t *testing.T, e audit.Event, n int) audit.Event {
	t.Helper()
	found := s.told(t, e)
	if len(found) != n {
		t.Fatalf("%d events are recorded, want %d", len(found), n)
	}
	if n == 0 {
		return audit.Event{}
	}
	return found[0]
}
