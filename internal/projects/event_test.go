package projects

import (
	"slices"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/naming"
)

// TestChangesOfProjects and of groups: there is an event for each setting that changed,
// with both values. The text of an unset value is "".
func TestChangesOfProjects(t *testing.T) {
	before := Project{
		ID: 7, Name: "Tool", Path: "tool", FullPath: "acme/tool", Namespace: Group{FullPath: "acme"},
		Visibility: access.Private, PackageAccess: access.PackagesEnabled, Topics: []string{"a"}, Description: "d", DefaultBranch: "main",
	}
	yes, size := true, int64(5)
	for name, tt := range map[string]struct {
		change func(*Project)
		want   []string // name, attribute, from, to
	}{
		"nothing":     {func(*Project) {}, nil},
		"other times": {func(p *Project) { p.UpdatedAt = time.Unix(1, 0) }, nil},
		"name":        {func(p *Project) { p.Name = "T" }, []string{"project_name_updated", "name", "Tool", "T"}},
		"path": {func(p *Project) { p.Path, p.FullPath = "t", "acme/t" },
			[]string{"project_path_updated", "path", "tool", "t"}},
		"namespace": {func(p *Project) { p.Namespace.FullPath, p.FullPath = "b", "b/tool" },
			[]string{"project_namespace_updated", "namespace", "acme", "b"}},
		"visibility": {func(p *Project) { p.Visibility = access.Public },
			[]string{"project_visibility_level_updated", "visibility", "private", "public"}},
		"topics": {func(p *Project) { p.Topics = []string{"a", "b"} }, []string{"project_topics_updated", "topics", "a", "a,b"}},
		"naming": {func(p *Project) { p.Naming = new(naming.Relaxed) },
			[]string{"project_generic_package_naming_updated", "generic_package_naming", "", "relaxed"}},
		"duplicates": {func(p *Project) { p.Duplicates = Duplicates{Allowed: &yes, Exception: new("x")} },
			[]string{
				"project_generic_duplicates_allowed_updated", "generic_duplicates_allowed", "", "true",
				"project_generic_duplicate_exception_regex_updated", "generic_duplicate_exception_regex", "", "x",
			}},
		"size": {func(p *Project) { p.MaxFileSize = &size },
			[]string{"project_generic_packages_max_file_size_updated", "generic_packages_max_file_size", "", "5"}},
		"drafts": {func(p *Project) { p.Drafts = new(DraftMode("release")) },
			[]string{"project_generic_package_drafts_updated", "generic_package_drafts", "", "release"}},
		"finalisers": {func(p *Project) { p.Finalisers = new(access.People) },
			[]string{"project_generic_package_finalisers_updated", "generic_package_finalisers", "", "people"}},
	} {
		after := before
		tt.change(&after)
		var got []string
		for _, e := range after.changes(access.Actor{Kind: access.User, UserID: 1}, time.Unix(1, 0), before) {
			got = append(got, string(e.Name), e.Change.What, e.Change.From, e.Change.To)
			if e.Entity != (audit.Entity{Type: audit.Project, ID: 7, Path: "acme/tool"}) || e.Target != (audit.Target{Type: "Project", ID: 7, Details: "acme/tool"}) {
				t.Errorf("%s is told of %+v, %+v", name, e.Entity, e.Target)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	moved := Group{ID: 3, Path: "lib", FullPath: "b/lib"}.changes(access.Actor{}, time.Unix(1, 0), Group{ID: 3, Path: "lib", FullPath: "a/lib"})
	if len(moved) != 1 || moved[0].Name != "group_parent_updated" || moved[0].Change != (audit.Change{What: "parent", From: "a", To: "b"}) || moved[0].Entity.Path != "a/lib" {
		t.Errorf("a group that moved: %+v", moved)
	}
}

// TestChangesOfVariables: the event names the attributes, and has no value.
func TestChangesOfVariables(t *testing.T) {
	before := Variable{Key: "K", Value: "secret", Scope: AnyScope, Description: new("d")}
	for want, change := range map[string]func(*Variable){
		"":                         func(v *Variable) { v.Revision++ },
		"value":                    func(v *Variable) { v.Value = "secret2" },
		"value, masked, raw":       func(v *Variable) { v.Value, v.Masked, v.Raw = "secret3", true, true },
		"environment_scope":        func(v *Variable) { v.Scope = "prod" },
		"description":              func(v *Variable) { v.Description = nil },
		"variable_type, protected": func(v *Variable) { v.Type, v.Protected = "file", true },
	} {
		after := before
		change(&after)
		if got := after.changes(before); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	scoped := before
	scoped.Scope = "prod"
	if before.title() != "K" || scoped.title() != "K (prod)" {
		t.Errorf("titles %q and %q", before.title(), scoped.title())
	}
	end := time.Date(2031, 1, 31, 0, 0, 0, 0, time.UTC)
	if got := (Member{Role: access.Developer, ExpiresAt: &end}).Standing(); got != "Developer until 2031-01-31" {
		t.Errorf("a membership is %q", got)
	}
}
