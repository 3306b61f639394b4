package registry

import (
	"testing"
	"time"
)

// TestDownloadsBetweenFlushesAreBounded: of those that are noted the last counts.
func TestDownloadsBetweenFlushesAreBounded(t *testing.T) {
	now := time.Unix(1, 0)
	r := &Registry{Now: func() time.Time { return now }}
	for id := range int64(2 * downloadsGathered) {
		r.Downloaded(File{PackageID: id})
	}
	now = now.Add(time.Second)
	r.Downloaded(File{PackageID: 7})
	if at := r.downloads.at; len(at) != downloadsGathered || !at[7].Equal(now) {
		t.Errorf("%d packages were noted, the seventh at %v", len(at), at[7])
	}
}
