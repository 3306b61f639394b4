package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// result holds the samples of one scenario: ours and nginx's, by round.
type result struct {
	name         string
	large        bool
	ours, theirs []sample
}

// rate is MB/s of a large scenario and operations/s of a small one.
func (r result) rate(s sample) float64 {
	switch {
	case s.seconds == 0:
		return 0
	case r.large:
		return float64(s.bytes) / 1e6 / s.seconds
	}
	return float64(s.ops) / s.seconds
}

// cost is CPU seconds per GiB, or per million operations.
func (r result) cost(s sample) float64 {
	switch {
	case r.large && s.bytes > 0:
		return s.cpu / float64(s.bytes) * (1 << 30)
	case !r.large && s.ops > 0:
		return s.cpu / float64(s.ops) * 1e6
	}
	return 0
}

// ratios compares round by round: both halves of a ratio ran within seconds of
// each other, so what else the machine did mostly cancels.
func (r result) ratios() (list []float64) {
	for i := range min(len(r.ours), len(r.theirs)) {
		if base := r.rate(r.theirs[i]); base > 0 {
			list = append(list, r.rate(r.ours[i])/base)
		}
	}
	return list
}

// printTable prints one line for each scenario: medians, and the ratio with
// its least and greatest.
func printTable(w io.Writer, ours string, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "scenario\t%s\tnginx\tratio (min..max)\tCPU %[1]s\tCPU nginx\tRSS %[1]s\tRSS nginx\terrors\tothers\trounds\n", ours)
	for _, r := range results {
		rate, cost := "%.0f/s", "%.0f us"
		if r.large {
			rate, cost = "%.0f MB/s", "%.2f s/GiB"
		}
		column := func(format string, of []sample, f func(sample) float64) string {
			if v := values(of, f); slices.ContainsFunc(v, func(x float64) bool { return x != 0 }) {
				return fmt.Sprintf(format, median(v))
			}
			return "-"
		}
		ratio := "-"
		if v := r.ratios(); len(v) > 0 {
			ratio = fmt.Sprintf("%.2f (%.2f..%.2f)", median(v), slices.Min(v), slices.Max(v))
		}
		memory := func(s sample) float64 { return float64(s.memory) / (1 << 20) }
		others, errs := 0.0, 0
		for _, s := range slices.Concat(r.ours, r.theirs) {
			others, errs = max(others, s.others), errs+s.errors
		}
		fmt.Fprintln(t, strings.Join([]string{
			r.name, column(rate, r.ours, r.rate), column(rate, r.theirs, r.rate), ratio,
			column(cost, r.ours, r.cost), column(cost, r.theirs, r.cost),
			column("%.0f MiB", r.ours, memory), column("%.0f MiB", r.theirs, memory),
			strconv.Itoa(errs), fmt.Sprintf("%.0f%%", others*100), strconv.Itoa(len(r.ours)),
		}, "\t"))
	}
	return t.Flush()
}

func values(of []sample, f func(sample) float64) (v []float64) {
	for _, s := range of {
		v = append(v, f(s))
	}
	return v
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	switch n := len(v); {
	case n == 0:
		return 0
	case n%2 == 0:
		return (v[n/2-1] + v[n/2]) / 2
	default:
		return v[n/2]
	}
}

// parseSize reads a number of bytes with or without KiB, MiB or GiB.
func parseSize(s string) (int64, error) {
	digits, shift := s, 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if d, ok := strings.CutSuffix(s, unit); ok {
			digits, shift = d, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > 1<<62>>shift {
		return 0, fmt.Errorf("%q is no size: say 64MiB or 1GiB", s)
	}
	return n << shift, nil
}

func sizeText(n int64) string {
	for i, unit := range []string{"GiB", "MiB", "KiB"} {
		if u := int64(1) << (30 - 10*i); n >= u && n%u == 0 {
			return fmt.Sprintf("%d %s", n/u, unit)
		}
	}
	return fmt.Sprintf("%d B", n)
}
