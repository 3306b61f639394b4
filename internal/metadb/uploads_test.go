package metadb

import (
	"strings"
	"testing"

	"granary/internal/registry"
)

// TestUploadsAreFoundByIndex: a project's page is read in its order, and one upload by
// its address, whatever other projects have.
func TestUploadsAreFoundByIndex(t *testing.T) {
	db := openSQLite(t)
	byID, _ := uploadAt(registry.UploadAddress{ID: 1})
	byAddress, _ := uploadAt(registry.UploadAddress{})
	for _, text := range []string{
		`SELECT ` + uploadColumns + ` FROM ` + uploadTables + ` WHERE u.project_id = $1 AND b.id = u.blob_id AND c.id = u.creator_id ORDER BY u.id DESC LIMIT 20`,
		`DELETE FROM uploads WHERE ` + byID, `DELETE FROM uploads WHERE ` + byAddress,
	} {
		for _, step := range plan(t, db, text) {
			if strings.Contains(step, "SCAN") || strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("%s\nin %s", step, text)
			}
		}
	}
}
