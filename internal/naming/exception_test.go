package naming

import (
	"runtime"
	"strings"
	"testing"

	"granary/internal/fault"
)

func TestCheckException(t *testing.T) {
	for _, tc := range []struct {
		name, expr string
		words      string // of the refusal; "" if it is accepted
	}{
		{"empty", "", ""},
		{"a suffix", `.*-SNAPSHOT`, ""},
		{"255 characters", strings.Repeat("é", 255), ""},
		{"256 characters", strings.Repeat("é", 256), "is too long (maximum is 255 characters)"},
		{"any name of bounded length", `[a-zA-Z0-9._+-]{1,255}`, ""},
		{"one large repeat", `[a-z]{1000}`, ""},
		{"an open bracket", `[a-`, "not valid RE2 syntax"},
		{"right only inside brackets", `a)|(b`, "not valid RE2 syntax"},
		{"not UTF-8", "a\xff", "not valid RE2 syntax"},
		{"a repeat that Go refuses", `(a{1000}){2}`, "not valid RE2 syntax"},
		{"many large repeats", strings.Repeat(`.{1000}`, 36), "pattern too large"},
		{"alternatives of large repeats", largeRepeats() + "a", "pattern too large"},
		{"many large classes", strings.Repeat(`\pL\pN`, 40), "pattern too large"},
	} {
		err := CheckException(&tc.expr)
		if tc.words == "" && err == nil {
			continue
		}
		e, ok := fault.As(err, fault.Rejected)
		if !ok || tc.words == "" || !strings.Contains(strings.Join(e.Fields[exceptionField], ""), tc.words) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.words)
		}
	}
	if err := CheckException(nil); err != nil {
		t.Error(err)
	}
}

// largeRepeats is alternatives, of which the program takes a megabyte.
func largeRepeats() string {
	var b strings.Builder
	for c := 'a'; c <= 'z'; c++ {
		b.WriteString(string(c) + "{999}|")
	}
	return b.String()
}

// TestExceptionKeptFromBefore: an exception that was saved before there was a limit of its
// size matches as before, and its compiled form is not cached.
func TestExceptionKeptFromBefore(t *testing.T) {
	large := largeRepeats() + "tool"
	e := KeptException(large)
	if !e.Matches("tool") || e.Matches("tools") || e.Matches("") || !e.Matches(strings.Repeat("a", 999)) {
		t.Error("it does not match what it says")
	}
	if e.Weight() > 1000 {
		t.Errorf("it weighs %d bytes", e.Weight())
	}
	if KeptException("(").Matches("(") {
		t.Error("what does not compile matches something")
	}
	if none := KeptException(""); none.Matches("") || none.Weight() != 0 {
		t.Error("the empty exception matches something")
	}
}

// TestExceptionWeighsWhatTheHeapSays for programs of every kind, the largest too.
func TestExceptionWeighsWhatTheHeapSays(t *testing.T) {
	for _, expr := range []string{
		`tool`, `a|tool`, `.*-SNAPSHOT`, `^tool-\d+$`, `\d+\.\d+\.\d+-rc\d+`, `(?:foo|bar|baz)-(?:1|2|3)`, `(?i)tool-[a-z]+`,
		`[a-z]{1,100}`, `.{1,900}`, `x{900}`, `(?:[ab]{900})`, `\pL+`, `\pL{20}`, `.{1,1000}`,
		strings.Repeat("(a)", 80), strings.Repeat(`a?`, 120), strings.Repeat(`[^ab]?`, 40), strings.Repeat(`\pL\pN`, 12),
	} {
		const many = 100
		kept := make([]*Exception, many)
		before := heap()
		for i := range kept {
			kept[i] = KeptException(expr)
		}
		took := (heap() - before) / many
		weight := kept[0].Weight()
		runtime.KeepAlive(kept)
		if 2*took > 3*weight+1000 || 2*weight > 3*took+1000 {
			t.Errorf("%.40s weighs %d, and takes %d bytes", expr, weight, took)
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
