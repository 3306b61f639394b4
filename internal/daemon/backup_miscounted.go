package daemon

import (
	"context"
	"fmt"

	"granary/internal/fault"
)

// refuseMiscounted fails if a blob has files, and its row says that it has none: the snapshot
// leaves out such blobs, as if their last file was removed.
func (b *backup) refuseMiscounted(ctx context.Context) error {
	db := b.admin.server.db
	left := 0
	for after := int64(0); ; {
		wrong, last, err := db.Miscounted(ctx, after, countedAtOnce)
		if err != nil {
			return err
		}
		for _, d := range wrong {
			k, err := db.KeptBlob(ctx, d) // others publish and delete meanwhile
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			if err == nil && k.Files <= 0 && k.Uses > 0 {
				left++
			}
		}
		if after = last; last == 0 {
			break
		}
	}
	if left > 0 {
		return fmt.Errorf("the snapshot %s lacks %d blobs that have files, because their number of files on record is wrong; granary fsck --repair-records puts it right: run that, and then this again", b.done.Manifest.ID, left)
	}
	return nil
}

// countedAtOnce is how many rows one query counts.
const countedAtOnce = 1000
