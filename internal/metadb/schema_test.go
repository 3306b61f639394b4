package metadb

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Both files of a pair are exclusive, or neither; and the line is not misspelt. What
// older nodes would misunderstand is exclusive: to them deleted users exist.
func TestExclusiveMarks(t *testing.T) {
	const exclusive = "-- granary: exclusive" // see sqldb
	marked := func(folder string) (names []string) {
		all, err := fs.Glob(files(), folder+"/*.sql")
		must(t, all, err)
		for _, f := range all {
			text, err := fs.ReadFile(files(), f)
			must(t, text, err)
			for line := range strings.Lines(string(text)) {
				if regexp.MustCompile(`(?i)^\s*--\s*granary\b`).MatchString(line) && strings.TrimSpace(line) != exclusive {
					t.Errorf("%s: %s is no mark", f, line)
				}
			}
			if regexp.MustCompile(`(?m)^` + exclusive + `$`).Match(text) {
				names = append(names, strings.TrimPrefix(f, folder))
			}
		}
		return names
	}
	lite, post := marked("sqlite"), marked("postgres")
	if !slices.Equal(lite, post) {
		t.Errorf("exclusive are %v on SQLite and %v on PostgreSQL", lite, post)
	}
	if !slices.Contains(lite, "/0015_deleted_users.sql") {
		t.Errorf("exclusive are only %v", lite)
	}
}
