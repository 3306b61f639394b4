package projects

import (
	"strconv"
	"strings"
	"testing"

	"granary/internal/fault"
)

func TestParseReference(t *testing.T) {
	long := strings.Repeat("a", 255)
	deep := strings.Repeat("a/", 20) + "a"
	for _, tc := range []struct {
		text  string
		least int
		want  Reference // zero: NotFound
	}{
		{"1", LeastOfProject, Reference{ID: 1}},
		{"9223372036854775807", LeastOfProject, Reference{ID: 9223372036854775807}},
		{"9223372036854775808", LeastOfGroup, Reference{}},
		{"99999999999999999999", LeastOfGroup, Reference{}},
		{"0", LeastOfProject, Reference{}},
		{"007", LeastOfGroup, Reference{}},
		{strings.Repeat("0", 40000) + "1", LeastOfProject, Reference{}},
		{"-5", LeastOfGroup, Reference{}},
		{"-0", LeastOfGroup, Reference{}},
		{"-", LeastOfGroup, Reference{Path: "-"}},
		{"+5", LeastOfGroup, Reference{}},
		{"5 ", LeastOfGroup, Reference{}},
		{"", LeastOfGroup, Reference{}},

		{"acme", LeastOfGroup, Reference{Path: "acme"}},
		{"acme", LeastOfProject, Reference{}},
		{"Acme/Tool_1.x-y", LeastOfProject, Reference{Path: "acme/tool_1.x-y"}},
		{"007/007", LeastOfProject, Reference{Path: "007/007"}},
		{"007a", LeastOfGroup, Reference{Path: "007a"}},
		{"1e3", LeastOfGroup, Reference{Path: "1e3"}},
		{"/acme", LeastOfGroup, Reference{}},
		{"acme/", LeastOfGroup, Reference{}},
		{"acme//tool", LeastOfProject, Reference{}},
		{"/", LeastOfGroup, Reference{}},
		{"acme/to ol", LeastOfProject, Reference{}},
		{"acme/t\x00l", LeastOfProject, Reference{}},
		{"acme/\xff", LeastOfProject, Reference{}},
		{"acme/\u212aelvin", LeastOfProject, Reference{}}, // the Kelvin sign, a k in lower case
		{"acme%2ftool", LeastOfGroup, Reference{}},

		{long + "/" + long, LeastOfProject, Reference{Path: long + "/" + long}},
		{"acme/" + long + "a", LeastOfProject, Reference{}},
		{deep, LeastOfProject, Reference{Path: deep}},
		{deep + "/a", LeastOfProject, Reference{}},
	} {
		got, err := ParseReference(tc.text, tc.least)
		if got != tc.want || fault.Is(err, fault.NotFound) != (tc.want == Reference{}) {
			t.Errorf("%.60q with %d segments: %+v, %v, want %+v", tc.text, tc.least, got, err, tc.want)
		}
	}
}

// FuzzParseReference: a reference is one of the two, in one spelling, and short.
func FuzzParseReference(f *testing.F) {
	for _, text := range []string{"1", "007", "-5", "acme/tool", "Acme/Tool", "a//b", "\u212a/a", "9223372036854775808", "a/b/c/d"} {
		f.Add(text, 2)
	}
	f.Fuzz(func(t *testing.T, text string, least int) {
		r, err := ParseReference(text, least)
		if err != nil {
			if !fault.Is(err, fault.NotFound) || r != (Reference{}) {
				t.Fatalf("%q: %+v, %v", text, r, err)
			}
			return
		}
		spelling := r.Path
		if r.Path == "" {
			spelling = strconv.FormatInt(r.ID, 10)
		}
		switch again, err := ParseReference(spelling, least); {
		case again != r || err != nil:
			t.Errorf("%q is %+v, and %q is %+v, %v", text, r, spelling, again, err)
		case (r.ID > 0) == (r.Path != ""):
			t.Errorf("%q is %+v", text, r)
		case r.Path == "" && text != spelling:
			t.Errorf("%q is the id %d", text, r.ID)
		case !strings.EqualFold(text, spelling), len(spelling) > 21*256, strings.Count(spelling, "/")+1 < least && r.Path != "":
			t.Errorf("%q with %d segments is %+v", text, least, r)
		}
	})
}
