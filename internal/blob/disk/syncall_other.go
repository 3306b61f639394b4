//go:build !linux

package disk

import (
	"fmt"
	"path/filepath"
)

// syncAll is for Linux only; elsewhere the sync of each file does it all.
func syncAll(string) error { return nil }

// syncNames makes the names of all blobs of a store durable.
func syncNames(dir string) error {
	for i := range 256 {
		folder := fmt.Sprintf("%02x", i)
		if err := syncFolder(filepath.Join(dir, folder)); err != nil {
			return reason("syncing the folder "+folder, err)
		}
	}
	return nil
}
