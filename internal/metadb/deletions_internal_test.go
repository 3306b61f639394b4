package metadb

import (
	"testing"

	"granary/internal/registry"
)

// TestLeads: which links of releases lead to a version, or to a file of it.
func TestLeads(t *testing.T) {
	versions := []registry.Version{"1.0.0", "2.0.0"}
	wanted := map[registry.Version]bool{"1.0.0": true, "2.0.0": true}
	all := registry.LinkTarget{ProjectID: 7, FullPath: "acme/tools", Name: "sonde"}
	some, file := all, all
	some.Versions, file.Versions, file.File = versions, versions, "dist%2Fsonde"
	const api = "https://packages.example.com/granary/api/v4/projects/"
	for link, want := range map[string][3]bool{ // of all versions, of some, of a file
		api + "7/packages/generic/sonde/1.0.0/sonde":                 {true, true, false},
		api + "acme%2Ftools/packages/generic/sonde/2.0.0/sonde":      {true, true, false},
		api + "ACME%2Ftools/packages/generic/sonde/2.0.0/dist/sonde": {true, true, true},
		api + "7/packages/generic/sonde/3.0.0/sonde":                 {true, false, false},
		api + "8/packages/generic/sonde/1.0.0/sonde":                 {},
		api + "7/packages/generic/sonde-ctl/1.0.0/sonde":             {},
		api + "7/packages/generic/sonde/1.0.0":                       {},
		"https://example.com/packages/generic/sonde/1.0.0/sonde":     {},
		"://": {},
	} {
		got := [3]bool{leads(link, all, nil), leads(link, some, wanted), leads(link, file, wanted)}
		if got != want {
			t.Errorf("%s: %v, want %v", link, got, want)
		}
	}
}
