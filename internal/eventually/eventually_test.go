package eventually

import (
	"testing"
	"testing/synctest"
	"time"
)

// failed keeps what a test was told, and ends the goroutine as a test does.
type failed struct {
	testing.TB
	told bool
}

func (f *failed) Helper()               {}
func (f *failed) Fatalf(string, ...any) { f.told = true; panic(f) }

func TestHoldsWithin(t *testing.T) {
	for after, want := range map[time.Duration]bool{0: true, 9 * time.Second: true, 11 * time.Second: false} {
		synctest.Test(t, func(t *testing.T) {
			begun, f := time.Now(), &failed{}
			defer func() {
				_ = recover()
				if f.told == want || time.Since(begun) > 11*time.Second {
					t.Errorf("what comes after %v: failed %v after %v", after, f.told, time.Since(begun))
				}
			}()
			HoldsWithin(f, 10*time.Second, "it", func() bool { return time.Since(begun) >= after })
		})
	}
}
