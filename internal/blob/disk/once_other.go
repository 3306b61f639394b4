//go:build !linux

package disk

import "os"

// dropCached is for Linux only, where servers run.
func dropCached(*os.File) {}
