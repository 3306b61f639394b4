package metadb

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"granary/internal/registry"
)

// TestStatuses: each list of statuses in SQL is what registry says of them.
func TestStatuses(t *testing.T) {
	for text, is := range map[string]func(registry.Status) bool{
		installable: registry.Status.Installable, listed: registry.Status.Listed, shown: registry.Status.Shown,
		finalisable: func(s registry.Status) bool { return s == registry.StatusDraft || s.Installable() },
	} {
		for _, s := range registry.Statuses() {
			if in := strings.Contains(text, "'"+string(s)+"'"); in != is(s) {
				t.Errorf("%s has %s: %t", text, s, in)
			}
		}
	}
}

// TestSchemaStatuses: indexes and triggers have the lists of the queries, word for word.
func TestSchemaStatuses(t *testing.T) {
	lists := regexp.MustCompile(`status IN (\([^)]*\))`)
	ors := regexp.MustCompile(`new\.status = ('[a-z]+') OR new\.status = ('[a-z]+') OR new\.status = ('[a-z]+')`)
	found := 0
	err := fs.WalkDir(migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations, path)
		plain := ors.ReplaceAllString(string(text), "status IN ($1, $2, $3)")
		for _, list := range lists.FindAllStringSubmatch(plain, -1) {
			if found++; !slices.Contains([]string{installable, listed, shown}, list[1]) {
				t.Errorf("%s: no query has the list %s", path, list[1])
			}
		}
		return err
	})
	if err != nil || found < 10 {
		t.Errorf("%d lists: %v", found, err)
	}
}
