package api

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"granary/internal/registry"
)

// mostRanges is how many ranges of a file one answer may have, after merging. A request
// for more gets the whole file (RFC 9110 14.2). Updaters that fetch only what changed ask
// for hundreds.
const mostRanges = 1000

// planner is content that reads several ranges in fewer steps if it knows them in
// advance (blob.Planner).
type planner interface {
	Plan(ranges []registry.Range) bool
}

// serveContent answers with content of size bytes, or parts of it, like
// http.ServeContent. settleDates judges the conditions by date, ServeContent the others.
// The Range header is read here and never reaches ServeContent: ranges that overlap or
// touch are merged, and a set that costs too much is answered with the whole content.
func serveContent(w http.ResponseWriter, r *http.Request, changed time.Time, size int64, content io.ReadSeeker) {
	r, met := settleDates(w, r, changed)
	if !met {
		return
	}
	if r.Header.Get("Range") == "" {
		http.ServeContent(w, r, "", changed, content)
		return
	}
	field := ""
	ranges, err := askedRanges(r, size)
	switch {
	case errors.Is(err, errNoRanges):
		field = malformed
	case errors.Is(err, errNoSuchRange) && size > 0:
		field = fmt.Sprintf("bytes=%d-", size)
	case errors.Is(err, errNoBytes):
		if rangesCount(w, r, changed, content) { // ServeContent would send the whole of an empty file
			field = malformed
			w.Header().Set("Content-Range", "bytes */0")
		}
	case len(ranges) > 0 && rangesCount(w, r, changed, content):
		ranges = plan(content, ranges)
		if len(ranges) > 1 {
			sendParts(w, changed, size, content, ranges)
			return
		}
		if len(ranges) == 1 {
			field = fmt.Sprintf("bytes=%d-%d", ranges[0].Start, ranges[0].End-1)
		}
	}
	http.ServeContent(w, withRange(r, field), "", changed, content)
}

// malformed is a Range header that ServeContent answers with 416.
const malformed = "ranges"

// askedRanges reads the Range header of a request for a file of size bytes. No ranges and
// no error mean the whole file. Only GET has ranges, and units other than bytes are
// ignored (RFC 9110 14.2).
func askedRanges(r *http.Request, size int64) ([]registry.Range, error) {
	unit, set, ok := strings.Cut(r.Header.Get("Range"), "=")
	if !ok || strings.ToLower(unit) != "bytes" || r.Method != http.MethodGet {
		return nil, nil
	}
	return parseRanges(set, size)
}

// withRange is the request with another Range header, or without one.
func withRange(r *http.Request, field string) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Del("Range")
	if field != "" {
		r.Header.Set("Range", field)
	}
	return r
}

// plan prepares the content for reading ranges. It returns the ranges to answer with:
// the same, or the same in the order of the file if that takes fewer requests to the
// store, or none for the whole content.
func plan(content io.ReadSeeker, ranges []registry.Range) []registry.Range {
	p, ok := content.(planner)
	if !ok || p.Plan(ranges) {
		return ranges
	}
	slices.SortFunc(ranges, func(a, b registry.Range) int { return cmp.Compare(a.Start, b.Start) })
	if p.Plan(ranges) {
		return ranges
	}
	return nil
}

var (
	errNoRanges    = errors.New("the Range header is malformed")
	errNoSuchRange = errors.New("the file has none of these bytes")
	errNoBytes     = fmt.Errorf("%w: the last 0 bytes of an empty file", errNoSuchRange)
)

// parseRanges reads the text after "bytes=" in a Range header (RFC 9110 14.1.2) for a
// file of size bytes. Ranges that overlap or touch are merged, in the place of the one
// that was asked for first. No ranges and no error mean the whole file: if the header
// names no range ("bytes=") or more than mostRanges, and if the file is empty, as in
// GitLab. It returns errNoBytes for "-0" of an empty file.
func parseRanges(set string, size int64) ([]registry.Range, error) {
	found := make([]askedRange, 0, min(strings.Count(set, ","), len(set)/len("1-,"))+1)
	asked, none := 0, 0
	for text := range strings.SplitSeq(set, ",") {
		if text = strings.Trim(text, " \t"); text == "" {
			continue
		}
		r, err := parseRange(text, size)
		if err != nil {
			return nil, err
		}
		if r.Start < r.End {
			found = append(found, askedRange{r, asked})
		}
		if text[0] == '-' && strings.Trim(text, "- \t0") == "" {
			none++
		}
		asked++
	}
	switch {
	case asked > 0 && asked == none && size == 0:
		return nil, errNoBytes
	case asked > 0 && len(found) == 0:
		return nil, errNoSuchRange
	}
	if found = merge(found); len(found) > mostRanges {
		return nil, nil
	}
	ranges := make([]registry.Range, len(found)) // a slice of its own, so that found can be freed
	for i := range found {
		ranges[i] = found[i].Range
	}
	return ranges, nil
}

// parseRange reads "2-5", "2-" or "-5". It cuts the range to the file, so that it may be
// empty.
func parseRange(text string, size int64) (r registry.Range, err error) {
	first, last, ok := strings.Cut(text, "-")
	first, last = strings.TrimRight(first, " \t"), strings.TrimLeft(last, " \t")
	if !ok || first == "" && last == "" {
		return r, errNoRanges
	}
	from, to := int64(0), int64(math.MaxInt64)
	if first != "" {
		from, err = parsePosition(first)
	}
	if last != "" && err == nil {
		to, err = parsePosition(last)
	}
	switch {
	case err != nil || from > to:
		return r, errNoRanges
	case first == "":
		return registry.Range{Start: size - min(to, size), End: size}, nil
	}
	return registry.Range{Start: from, End: min(to, size-1) + 1}, nil
}

// parsePosition reads digits. A number above int64 becomes the largest int64, which is
// behind the end of every file.
func parsePosition(text string) (int64, error) {
	if strings.Trim(text, "0123456789") != "" {
		return 0, errNoRanges
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		err = nil // n is the largest int64
	}
	return n, err
}

// askedRange is a range and its place among those of a request.
type askedRange struct {
	registry.Range
	nth int
}

// merge joins the ranges that overlap or touch, in place.
func merge(asked []askedRange) []askedRange {
	slices.SortFunc(asked, func(a, b askedRange) int { return cmp.Compare(a.Start, b.Start) })
	merged := asked[:0]
	for _, next := range asked {
		if last := len(merged) - 1; last >= 0 && next.Start <= merged[last].End {
			merged[last].End = max(merged[last].End, next.End)
			merged[last].nth = min(merged[last].nth, next.nth)
			continue
		}
		merged = append(merged, next)
	}
	slices.SortFunc(merged, func(a, b askedRange) int { return cmp.Compare(a.nth, b.nth) })
	return merged
}
