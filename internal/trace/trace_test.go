package trace

import (
	"strings"
	"testing"
)

const (
	id   = "4bf92f3577b34da6a3ce929d0e0e4736"
	span = "00f067aa0ba902b7"
)

// The examples and rules of https://www.w3.org/TR/trace-context/#traceparent-header.
func TestParse(t *testing.T) {
	tests := []struct {
		header string
		flags  byte
		ok     bool
	}{
		{"00-" + id + "-" + span + "-00", 0, true},
		{"00-" + id + "-" + span + "-01", 1, true},
		{"00-" + id + "-" + span + "-03", 3, true},
		{"00-" + id + "-" + span + "-ff", 3, true}, // reserved flags are not passed on
		{"01-" + id + "-" + span + "-01", 1, true},
		{"cc-" + id + "-" + span + "-01-what-the-future-will-be-like", 1, true},
		{"cc-" + id + "-" + span + "-01-", 1, true},
		{"cc-" + id + "-" + span + "-01.what", 0, false},
		{"cc-" + id + "-" + span + "-011", 0, false},
		{"00-" + id + "-" + span + "-01-what", 0, false},
		{"00-" + id + "-" + span + "-01-", 0, false},
		{"ff-" + id + "-" + span + "-01", 0, false},
		{"00-" + strings.Repeat("0", 32) + "-" + span + "-01", 0, false},
		{"00-" + id + "-" + strings.Repeat("0", 16) + "-01", 0, false},
		{"00-" + strings.ToUpper(id) + "-" + span + "-01", 0, false},
		{"00-" + id + "-" + span + "-0A", 0, false},
		{"0-" + id + "-" + span + "-01-x", 0, false},
		{"00-" + id + "-" + span + "-1", 0, false},
		{"00-" + id + "-" + span, 0, false},
		{"00_" + id + "_" + span + "_01", 0, false},
		{"00-" + id[1:] + "g-" + span + "-01", 0, false},
		{" 00-" + id + "-" + span + "-01", 0, false},
		{"", 0, false},
	}
	for _, test := range tests {
		want := Context{}
		if test.ok {
			want = Context{ID: id, Span: span, Flags: test.flags}
		}
		if got, ok := Parse([]string{test.header}, nil); got != want || ok != test.ok {
			t.Errorf("%q: %+v, %v; want %+v", test.header, got, ok, want)
		}
	}
	good := tests[1].header
	for _, several := range [][]string{nil, {good, good}} {
		if c, ok := Parse(several, []string{"a=1"}); ok || c.Valid() || c.State != "" {
			t.Errorf("%q: %+v", several, c)
		}
	}
}

func TestState(t *testing.T) {
	header := []string{"00-" + id + "-" + span + "-01"}
	long := "a=" + strings.Repeat("x", MaxState-2)
	for _, test := range []struct {
		states []string
		want   string
	}{
		{nil, ""}, {[]string{"rojo=00f067aa0ba902b7,congo=t61"}, "rojo=00f067aa0ba902b7,congo=t61"}, {[]string{"a=1", "b=2"}, "a=1,b=2"},
		{[]string{long}, long}, {[]string{long + "x"}, ""}, {[]string{long, "b=2"}, ""}, {[]string{"a=\xff"}, ""}, {[]string{"a=1\tb"}, ""}, {[]string{"a=é"}, ""},
	} {
		if c, ok := Parse(header, test.states); !ok || c.State != test.want {
			t.Errorf("%q became %q", test.states, c.State)
		}
	}
}

// A child is another part of the same trace, and what it sends on can be read.
func TestChild(t *testing.T) {
	from, _ := Parse([]string{"00-" + id + "-" + span + "-01"}, []string{"a=1"})
	first, second := from.Child(), from.Child()
	if first.ID != id || first.Parent != span || first.Span == second.Span || first.Flags != 1 || first.State != "a=1" {
		t.Errorf("%+v and %+v", first, second)
	}
	sent, ok := Parse([]string{first.Traceparent()}, []string{first.State})
	if want := (Context{ID: id, Span: first.Span, Flags: 1, State: "a=1"}); !ok || sent != want {
		t.Errorf("it sends %q, which is %+v", first.Traceparent(), sent)
	}
	if none := (Context{}).Child(); none.Valid() || none.Traceparent() != "" {
		t.Errorf("of no trace came %+v", none)
	}
	if got := Of(With(t.Context(), first)); got != first || Of(t.Context()).Valid() {
		t.Errorf("the context has %+v", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"00-" + id + "-" + span + "-01", "cc-" + id + "-" + span + "-01-x", "", strings.Repeat("-", 60)} {
		f.Add(seed, "a=1")
	}
	f.Fuzz(func(t *testing.T, parent, state string) {
		c, ok := Parse([]string{parent}, []string{state})
		if ok != c.Valid() || !ok && c != (Context{}) || len(c.State) > MaxState {
			t.Fatalf("%q: %+v, %v", parent, c, ok)
		}
		if !ok {
			return
		}
		again, ok := Parse([]string{c.Traceparent()}, []string{c.State})
		if !ok || again != c {
			t.Errorf("%q is sent as %q, which is %+v", parent, c.Traceparent(), again)
		}
	})
}
