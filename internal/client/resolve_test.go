package client_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"granary/internal/client"
)

func TestResolve(t *testing.T) {
	const many = "1.9.0 1.10.0 1.10.1-rc.1 0.9.0 nightly v2.0.0-beta 1.4"
	for _, tt := range []struct {
		there, version string
		pre            bool
		want           string // or words of the error
		kind           client.Kind
	}{
		{there: many, version: "", want: "1.10.0"},
		{there: many, version: "latest", want: "1.10.0"},
		{there: many, version: "latest", pre: true, want: "v2.0.0-beta"},
		{there: many, version: "nightly", want: "nightly"},
		{there: many, version: "1.4", want: "1.4"},
		{there: many, version: "1.9.0", want: "1.9.0"},
		{there: many, version: "^1.4", want: "1.10.0"},
		{there: many, version: "1.x", want: "1.10.0"},
		{there: many, version: "~1.9", want: "1.9.0"},
		{there: many, version: ">=1 <1.10", want: "1.9.0"},
		{there: many, version: "^1.4", pre: true, want: "1.10.1-rc.1"},
		{there: many, version: "~1.10.1-rc.0", want: "1.10.1-rc.1"},
		{there: "latest 1.0.0", version: "latest", want: "latest"}, // a literal version wins
		{there: "1.0.0-rc.2 1.0.0-rc.10", version: "latest", want: "1.0.0-rc.10"},
		{there: "1.10.0 1.9.0", version: "1.10", want: "has no package tool 1.10", kind: client.NotFound},
		{there: many, version: "3.0.0", want: "has no package tool 3.0.0", kind: client.NotFound},
		{there: many, version: "^3", want: "none of 7 versions is in the range ^3", kind: client.NotFound},
		{there: many, version: "^^3", want: "is not a range"},
		{there: "nightly", version: "", want: "none of 1 versions is a semantic version", kind: client.NotFound},
		{there: "", version: "latest", want: "7 has no package tool", kind: client.NotFound},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			var rows []string
			for i, v := range strings.Fields(tt.there) {
				if only := r.URL.Query().Get("package_version"); only == "" || only == v {
					rows = append(rows, fmt.Sprintf(`{"id":%d,"name":"tool","version":%q,"package_type":"generic"}`, i+1, v))
				}
			}
			fmt.Fprintf(w, "[%s]", strings.Join(rows, ","))
		})
		p, err := c.Resolve(t.Context(), "7", "tool", tt.version, tt.pre)
		switch {
		case err == nil && p.Version != tt.want:
			t.Errorf("%s of %s: %s, want %s", tt.version, tt.there, p.Version, tt.want)
		case err != nil && (client.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s of %s: %v, want %s", tt.version, tt.there, err, tt.want)
		}
	}
}

// Choose takes all that a version names, in their order.
func TestChoose(t *testing.T) {
	const many = "1.9.0 1.10.0 1.10.1-rc.1 0.9.0 nightly 1.x"
	for _, tt := range []struct {
		version string
		pre     bool
		want    string // or words of the error
		kind    client.Kind
	}{
		{version: "", want: "1.x nightly 0.9.0 1.9.0 1.10.0 1.10.1-rc.1"},
		{version: "latest", want: "1.10.0"},
		{version: "nightly", want: "nightly"},
		{version: "1.x", want: "1.x"}, // a literal version wins
		{version: "1.*", want: "1.9.0 1.10.0"},
		{version: "<1.10", want: "0.9.0 1.9.0"},
		{version: ">=1.10", pre: true, want: "1.10.0 1.10.1-rc.1"},
		{version: "3.0.0", want: "none of 6 versions is 3.0.0", kind: client.NotFound},
		{version: "^3", want: "none of 6 versions is in the range ^3", kind: client.NotFound},
		{version: "^^3", want: "is not a range"},
	} {
		var there []client.Package
		for i, v := range strings.Fields(many) {
			there = append(there, client.Package{ID: int64(i), Name: "tool", Version: v})
		}
		chosen, err := client.Choose(there, tt.version, tt.pre)
		var got []string
		for _, p := range chosen {
			got = append(got, p.Version)
		}
		switch {
		case err == nil && strings.Join(got, " ") != tt.want:
			t.Errorf("%q: %q, want %s", tt.version, got, tt.want)
		case err != nil && (client.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%q: %v, want %s", tt.version, err, tt.want)
		}
	}
}

// What is yanked, or has failed, is chosen by its name alone; if there are final
// versions, only these are chosen.
func TestHighestOfMarked(t *testing.T) {
	all := []client.Package{{Version: "1.4.0", Yanked: true}, {Version: "1.3.0", Status: "error"}, {Version: "1.2.0", Status: "deprecated"}, {Version: "1.1.0"}}
	for _, version := range []string{"", "^1", ">=1"} {
		if p, err := client.Highest(all, version, false); err != nil || p.Version != "1.2.0" {
			t.Errorf("%q: %s %v", version, p.Version, err)
		}
		some := append(all, client.Package{Version: "1.0.0", Final: true}, client.Package{Version: "0.9.0", Final: true})
		if p, err := client.Highest(some, version, false); err != nil || p.Version != "1.0.0" {
			t.Errorf("%q, some final: %s %v", version, p.Version, err)
		}
		if p, err := client.Highest(all[:2], version, false); client.KindOf(err) != client.NotFound {
			t.Errorf("%q of none: %s %v", version, p.Version, err)
		}
	}
}
