package metadb

import (
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
)

// TestLongestFilters: both databases accept the pattern of the longest text that a
// route accepts, in any characters.
func TestLongestFilters(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx, c := t.Context(), newCrowd(t, db)
		admin, ask := access.Actor{Kind: access.User, UserID: c.root.ID, Admin: true}, page.Request{Number: 1, Size: 20}
		for _, letter := range []string{"x", "%", "_", `\`, "'", "Ä", "\U0001F4E6"} {
			text := strings.Repeat(letter, 255)
			for name, search := range map[string]func() (int, error){
				"projects": func() (int, error) {
					found, err := db.ListProjects(ctx, projects.ProjectFilter{Actor: admin, Search: text, Topic: text}, ask)
					return found.Total, err
				},
				"groups": func() (int, error) {
					found, err := db.ListGroups(ctx, projects.GroupFilter{Actor: admin, Search: text}, ask)
					return found.Total, err
				},
				"users": func() (int, error) {
					found, err := db.ListUsers(ctx, auth.UserFilter{Search: text, ByEmail: true, Username: text}, ask)
					return found.Total, err
				},
				"members": func() (int, error) {
					found, err := db.ListMembers(ctx, projects.MemberFilter{Place: projects.Place{ProjectID: c.project.ID}, Inherited: true, Query: text}, ask)
					return found.Total, err
				},
				"tokens": func() (int, error) {
					found, err := db.ListPersonalTokens(ctx, auth.TokenFilter{Search: text}, ask)
					return found.Total, err
				},
				"packages": func() (int, error) {
					f, err := registry.ParseNameFilter(text)
					if err != nil {
						return 0, err
					}
					f2 := registry.PackageFilter{Projects: []int64{c.project.ID}, Name: f, Version: registry.Version(text)}
					found, err := db.ListPackages(ctx, f2, ask)
					return found.Total, err
				},
			} {
				if n, err := search(); err != nil || n != 0 {
					t.Errorf("%s by 255 %s: %d found, %v", name, letter, n, err)
				}
			}
		}
	})
}
