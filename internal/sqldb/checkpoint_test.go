package sqldb

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// After a burst with an open reader, which keeps the log from starting over, the log's
// file is as long as the burst. When the reader is closed, it is cut.
func TestLogIsCutAfterABurst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "granary.db")
	db, err := openLite(t.Context(), path, files(), Options{})
	closing(t, db, err)
	reader, err := db.Reads.BeginTx(t.Context(), nil)
	must(t, reader, err)
	var n int64
	must(t, 0, reader.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM words`).Scan(&n))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				err := db.Do(t.Context(), func(tx *Tx) error {
					return tx.Exec(`INSERT INTO words (word, bytes) VALUES ($1, $2)`, fmt.Sprintf("%d-%d", i, j), make([]byte, 600<<10))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	length := func() int64 {
		info, err := os.Stat(path + "-wal")
		return must(t, info, err).Size()
	}
	must(t, 0, db.log.checkpoint())
	if length() <= logLimit {
		t.Fatalf("the burst left a log of %d bytes: too few to see it cut", length())
	}
	must(t, 0, reader.Rollback())
	must(t, 0, db.log.checkpoint())
	must(t, 0, db.Do(t.Context(), addWord("after")))
	if length() > logLimit {
		t.Errorf("the log has %d bytes still, want %d at most", length(), logLimit)
	}
}
