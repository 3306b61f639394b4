package cli

import (
	"strings"
	"testing"
	"time"

	"granary/internal/daemon"
)

// The last line of a check in words, whatever is kept where.
func TestKeptInWords(t *testing.T) {
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	backup := func(age time.Duration) *daemon.LastBackup { return &daemon.LastBackup{Began: now.Add(-age)} }
	for want, kept := range map[string]daemon.Kept{
		"journal 6 s behind; last backup 9 h ago":                                 {Every: time.Second, Journal: true, Behind: 6900 * time.Millisecond, LastBackup: backup(9*time.Hour + 59*time.Minute)},
		"journal up to date; last backup 119 min ago":                             {Every: time.Second, Journal: true, LastBackup: backup(2*time.Hour - 1)},
		"journal 47 h behind; last backup 2 d ago":                                {Every: time.Second, Journal: true, Behind: 48*time.Hour - 1, LastBackup: backup(48 * time.Hour)},
		"journal DAMAGED; no backup was made":                                     {Every: time.Second, Journal: true, Damaged: true, Behind: time.Second},
		"no journal in the store yet; no backup was made":                         {Every: time.Second},
		"no journal in the store (records-every is 0); no backup was made":        {},
		"journal 3 min behind, and off (records-every is 0); last backup 0 s ago": {Journal: true, Behind: 3 * time.Minute, LastBackup: backup(-time.Minute)},
	} {
		var out strings.Builder
		p := &fsckText{printer{w: &out}}
		p.kept(kept, now)
		if got := out.String(); got != "records   "+want+"\n" || p.err != nil {
			t.Errorf("%q, %v; want %q", got, p.err, want)
		}
	}
}
