package metadb

import (
	"testing"
	"time"

	"granary/internal/auth"
	"granary/internal/eventually"
	"granary/internal/fault"
	"granary/internal/sqldb"
)

// A node that others may count as gone refuses to publish and to check permission.
func TestNodeCutOff(t *testing.T) {
	db := openPostgres(t, sqldb.Options{Node: "v1", Pace: sqldb.Pace{Beat: 100 * time.Millisecond, Lease: 300 * time.Millisecond, Gone: time.Minute}})
	p := demo(t, db)
	holder, err := db.Reads.BeginTx(t.Context(), nil)
	must(t, holder, err)
	_, err = holder.ExecContext(t.Context(), `DELETE FROM nodes`)
	must(t, 0, err)
	eventually.Holds(t, "it refuses to say who may", func() bool {
		_, err := db.FindToken(t.Context(), auth.DigestOf("secret"))
		return fault.Is(err, fault.Unavailable)
	})
	if _, err := db.AddFile(t.Context(), publication(p.ID, "1.0.0", "f")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("it publishes: %v", err)
	}
	must(t, 0, holder.Rollback())
	eventually.Holds(t, "it publishes again", func() bool {
		_, err := db.AddFile(t.Context(), publication(p.ID, "1.0.0", "f"))
		return err == nil
	})
}
