package cli

import (
	"time"

	"granary/internal/daemon"
)

// mostFindings is how many findings the document has.
const mostFindings = 10_000

// jsonRebuilt is what a rebuild came to.
type jsonRebuilt struct {
	DryRun           bool          `json:"dry_run"`
	Whole            bool          `json:"whole"`
	Base             string        `json:"base"` // name of the note
	BaseRows         int64         `json:"base_rows"`
	Deltas           int           `json:"deltas"`
	Until            time.Time     `json:"until"`            // what came later is lost
	Beyond           *time.Time    `json:"beyond,omitempty"` // up to which there are records that cannot be used
	Files            int64         `json:"files"`
	Versions         int64         `json:"versions"`
	SmallFiles       int64         `json:"small_files"`
	Damaged          []string      `json:"damaged"`
	EndedJobs        int64         `json:"ended_jobs"`
	LeftOutVariables int64         `json:"left_out_variables"`
	LeftOutHooks     int64         `json:"left_out_webhooks"`
	LostFiles        int64         `json:"lost_files"`
	Stray            int64         `json:"stray"`
	StrayBytes       int64         `json:"stray_bytes"`
	Findings         []jsonFinding `json:"findings"` // the first 10,000
}

func newJSONRebuilt(dryRun bool, done daemon.Rebuilt, findings []jsonFinding) jsonRebuilt {
	if done.Damaged == nil {
		done.Damaged = []string{}
	}
	s := done.Store
	var beyond *time.Time
	if !done.Beyond.IsZero() {
		beyond = &done.Beyond
	}
	return jsonRebuilt{
		DryRun: dryRun, Whole: done.Whole(), Base: done.Records, BaseRows: done.Rows, Deltas: done.Deltas, Until: done.Until, Beyond: beyond,
		Files: s.Files, Versions: s.Versions,
		SmallFiles: done.Bodies, Damaged: done.Damaged, EndedJobs: done.Jobs, LeftOutVariables: done.Variables, LeftOutHooks: done.Hooks,
		LostFiles: done.Lost, Stray: s.Found[daemon.Stray], StrayBytes: s.StrayBytes, Findings: findings,
	}
}
