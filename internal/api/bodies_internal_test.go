package api

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"granary/internal/fault"
)

// TestBodiesEndInTime: a body that goes on coming, too slowly, is a timeout.
func TestBodiesEndInTime(t *testing.T) {
	for _, tc := range []struct {
		until time.Time
		want  error
	}{{time.Now().Add(time.Hour), nil}, {time.Now().Add(-time.Second), os.ErrDeadlineExceeded}} {
		_, err := io.ReadAll(&timedBody{io.NopCloser(strings.NewReader(`{"a":1}`)), tc.until})
		if !errors.Is(err, tc.want) {
			t.Errorf("%v, want %v", err, tc.want)
		}
		if tc.want != nil && fault.KindOf(bodyFault(err, "JSON")) != fault.Timeout {
			t.Errorf("%v is told as %v", err, bodyFault(err, "JSON"))
		}
	}
}
