package auth

import (
	"strings"
	"testing"
	"time"

	"granary/internal/fault"
)

// TestCheckJob: the limits of a job's fields.
func TestCheckJob(t *testing.T) {
	long := strings.Repeat("a", 255)
	for name, tt := range map[string]struct {
		job     Job
		timeout time.Duration
		ok      bool
	}{
		"nothing said":          {Job{}, time.Hour, true},
		"the shortest":          {Job{}, time.Second, true},
		"too short":             {Job{}, time.Second - 1, false},
		"the longest":           {Job{}, MaxJobTimeout, true},
		"too long":              {Job{}, MaxJobTimeout + 1, false},
		"long words":            {Job{Name: long, Stage: long, Ref: long, SHA: long}, time.Hour, true},
		"a long name":           {Job{Name: long + "a"}, time.Hour, false},
		"a stage of two lines":  {Job{Stage: "a\nb"}, time.Hour, false},
		"a long ref":            {Job{Ref: long + "a"}, time.Hour, false},
		"a SHA with a NUL":      {Job{SHA: "a\x00"}, time.Hour, false},
		"the greatest pipeline": {Job{PipelineID: 1<<53 - 1}, time.Hour, true},
		"no number of JSON":     {Job{PipelineID: 1 << 53}, time.Hour, false},
		"a negative pipeline":   {Job{PipelineID: -1}, time.Hour, false},
	} {
		if err := checkJob(tt.job, tt.timeout); (err == nil) != tt.ok || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
