package cli

import (
	"fmt"
	"time"

	"granary/internal/daemon"
)

// kept prints where the records are, should the database be lost.
func (p *fsckText) kept(k daemon.Kept, now time.Time) {
	p.printf("records   %s; %s\n", journalOf(k), lastBackupOf(k, now))
}

func journalOf(k daemon.Kept) string {
	switch {
	case k.Damaged && k.Every == 0:
		return "journal DAMAGED, and off (records-every is 0)"
	case k.Damaged:
		return "journal DAMAGED"
	case !k.Journal && k.Every == 0:
		return "no journal in the store (records-every is 0)"
	case !k.Journal:
		return "no journal in the store yet"
	}
	text := "journal up to date"
	if k.Behind > 0 {
		text = "journal " + formatAge(k.Behind) + " behind"
	}
	if k.Every == 0 {
		text += ", and off (records-every is 0)"
	}
	return text
}

func lastBackupOf(k daemon.Kept, now time.Time) string {
	if k.LastBackup == nil {
		return "no backup was made"
	}
	return "last backup " + formatAge(now.Sub(k.LastBackup.Began)) + " ago"
}

// formatAge is a duration in its largest unit, rounded down.
func formatAge(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d d", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", max(d, 0)/time.Second)
}

// jsonKept is the same in the document.
type jsonKept struct {
	RecordsEvery float64         `json:"records_every_seconds"` // 0: off
	Journal      bool            `json:"journal"`               // the store has one
	Damaged      bool            `json:"journal_damaged"`       // something of it is damaged or missing
	Behind       float64         `json:"journal_behind_seconds"`
	LastBackup   *jsonLastBackup `json:"last_backup"` // null: none was made
}

type jsonLastBackup struct {
	Snapshot string    `json:"id"`
	Place    string    `json:"place"`
	Began    time.Time `json:"began"`
	Age      float64   `json:"age_seconds"`
}

func newJSONKept(k daemon.Kept, now time.Time) *jsonKept {
	out := &jsonKept{RecordsEvery: k.Every.Seconds(), Journal: k.Journal, Damaged: k.Damaged, Behind: k.Behind.Seconds()}
	if b := k.LastBackup; b != nil {
		out.LastBackup = &jsonLastBackup{b.Snapshot, b.Place, b.Began, max(now.Sub(b.Began), 0).Seconds()}
	}
	return out
}
