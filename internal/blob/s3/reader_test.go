package s3

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"testing"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
	"granary/internal/blob/s3/s3test"
)

// apart is n ranges of size bytes, one every step bytes.
func apart(n int, size, step int64) (ranges []blob.Range) {
	for i := range int64(n) {
		ranges = append(ranges, blob.Range{Start: i * step, End: i*step + size})
	}
	return ranges
}

func isGet(r *http.Request) bool { return r.Method == http.MethodGet }

// readRanges reads ranges of an opened blob, and wants the bytes that they have.
func readRanges(t *testing.T, r io.ReadSeeker, data []byte, ranges []blob.Range) {
	t.Helper()
	for _, want := range ranges {
		got := make([]byte, want.End-want.Start)
		_, err := r.Seek(want.Start, io.SeekStart)
		if err == nil {
			_, err = io.ReadFull(r, got)
		}
		if err != nil || !bytes.Equal(got, data[want.Start:want.End]) {
			t.Fatalf("bytes %d to %d: others, or %v", want.Start, want.End, err)
		}
	}
}

// TestPlan: ranges that are near are read in one request, which asks for no more
// than them; so many that one download would cost too much are refused.
func TestPlan(t *testing.T) {
	line := newTap(t)
	s := line.open(t, config(s3test.Start(t), "plan"))
	data := blobtest.Bytes(1, 3<<20)
	blobtest.Put(t, s, data)
	const far = 10 + smallGap
	backwards := apart(16, 10, far)
	slices.Reverse(backwards)
	for _, tc := range []struct {
		name    string
		ranges  []blob.Range
		refused bool
		asked   []string // the first and the last Range header
		gets    int
	}{
		{"one", []blob.Range{{Start: 5, End: 10}}, false, []string{"bytes=5-9", "bytes=5-9"}, 1},
		{"all", []blob.Range{{Start: 0, End: 3 << 20}}, false, []string{"", ""}, 1},
		{"a thousand, 1 KiB apart", apart(1000, 100, 1024), false, []string{"bytes=0-1023075", "bytes=0-1023075"}, 1},
		{"gaps just small enough", apart(17, 10, far-1), false, []string{"bytes=0-1048729", "bytes=0-1048729"}, 1},
		{"sixteen far apart", apart(16, 10, far), false, []string{"bytes=0-9", "bytes=983190-983199"}, 16},
		{"seventeen far apart", apart(17, 10, far), true, nil, 0},
		{"backwards", backwards, false, []string{"bytes=983190-983199", "bytes=0-9"}, 16},
		{"backwards, near", []blob.Range{{Start: 40, End: 50}, {Start: 20, End: 30}, {Start: 60, End: 70}}, false, []string{"bytes=40-49", "bytes=20-69"}, 2},
		{"from the middle of a gap", []blob.Range{{Start: 0, End: 10}, {Start: 100, End: 110}, {Start: 50, End: 60}, {Start: 120, End: 130}}, false,
			[]string{"bytes=0-109", "bytes=50-129"}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := s.Open(t.Context(), blobtest.Digest(data))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			line.asked = nil
			if got := r.(blob.Planner).Plan(tc.ranges); got == tc.refused {
				t.Fatalf("Plan is %v", got)
			}
			if !tc.refused {
				readRanges(t, r, data, tc.ranges)
				all := line.requests(isGet)
				if first, last := all[0].Header.Get("Range"), all[len(all)-1].Header.Get("Range"); len(all) != tc.gets || first != tc.asked[0] || last != tc.asked[1] {
					t.Errorf("%d requests, from %q to %q", len(all), first, last)
				}
			}
			// A plan is no promise: all can be read in spite of it.
			readRanges(t, r, data, []blob.Range{{Start: 0, End: 3 << 20}, {Start: 7, End: 9}, {Start: 2 << 20, End: 2<<20 + 5}, {Start: 8, End: 3 << 20}})
		})
	}
}

// TestPlannedReadMendsItself: a line that breaks while ranges and the gaps between
// them are read changes no byte.
func TestPlannedReadMendsItself(t *testing.T) {
	t.Parallel()
	s, line := tapped(t, s3test.Start(t), "planned", hang)
	data := blobtest.Bytes(1, 3<<20)
	blobtest.Put(t, s, data)
	ranges := append(apart(40, 1000, 60_000), blob.Range{Start: 2<<20 + 500_000, End: 3 << 20})
	for _, kind := range []fault{refuse, slowDown, broken, cutReply, hang} {
		for n := 1; n <= 2; n++ {
			r, err := s.Open(t.Context(), blobtest.Digest(data))
			if err != nil {
				t.Fatal(err)
			}
			if !r.(blob.Planner).Plan(ranges) {
				t.Fatal("refused")
			}
			came := line.nth(n, kind == cutReply, kind)
			readRanges(t, r, data, ranges)
			if line.set(nil); !came() {
				t.Errorf("%s: there was no request %d", kind, n)
			}
			_ = r.Close()
		}
	}
}
