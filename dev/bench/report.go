package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// result holds the samples of one scenario, of each server by round.
type result struct {
	name    string
	large   bool
	servers []string
	samples [][]sample
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

// cost is CPU seconds per GiB, or microseconds per operation.
func (r result) cost(s sample) float64 { return r.per(s, s.cpu) }

func (r result) per(s sample, cpu float64) float64 {
	switch {
	case r.large && s.bytes > 0:
		return cpu / float64(s.bytes) * (1 << 30)
	case !r.large && s.ops > 0:
		return cpu / float64(s.ops) * 1e6
	}
	return 0
}

// formats are those of rate and cost.
func (r result) formats() (rate, cost string) {
	if r.large {
		return "%.0f MB/s", "%.2f s/GiB"
	}
	return "%.0f/s", "%.0f us"
}

// ratios compares two servers round by round: both halves of a ratio ran within
// seconds of each other, so what else the machine did mostly cancels.
func (r result) ratios(of, to int) (list []float64) {
	for i := range min(len(r.samples[of]), len(r.samples[to])) {
		if base := r.rate(r.samples[to][i]); base > 0 {
			list = append(list, r.rate(r.samples[of][i])/base)
		}
	}
	return list
}

// ratio is the median with the least and the greatest.
func (r result) ratio(of, to int) string {
	v := r.ratios(of, to)
	if of == to || len(v) == 0 {
		return "-"
	}
	return inBrackets(v)
}

// inBrackets is the median with the least and the greatest.
func inBrackets(v []float64) string {
	return fmt.Sprintf("%.2f (%.2f..%.2f)", median(v), slices.Min(v), slices.Max(v))
}

// column is the median, or "-" if all values are zero.
func column(format string, of []sample, f func(sample) float64) string {
	if v := values(of, f); slices.ContainsFunc(v, func(x float64) bool { return x != 0 }) {
		return fmt.Sprintf(format, median(v))
	}
	return "-"
}

func memory(s sample) float64 { return float64(s.memory) / (1 << 20) }

// trouble is the errors in these samples, and the greatest share of others.
func trouble(samples ...[]sample) (errors, others string) {
	share, n := 0.0, 0
	for _, s := range slices.Concat(samples...) {
		share, n = max(share, s.others), n+s.errors
	}
	return strconv.Itoa(n), fmt.Sprintf("%.0f%%", share*100)
}

// printTable prints one line for each scenario of two servers: medians, and the
// ratio with its least and greatest.
func printTable(w io.Writer, ours string, results []result) error {
	if len(results) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "scenario\t%s\tnginx\tratio (min..max)\tCPU %[1]s\tCPU nginx\tRSS %[1]s\tRSS nginx\terrors\tothers\trounds\n", ours)
	for _, r := range results {
		ours, theirs := r.samples[0], r.samples[1]
		rate, cost := r.formats()
		errors, others := trouble(ours, theirs)
		fmt.Fprintln(t, strings.Join([]string{
			r.name, column(rate, ours, r.rate), column(rate, theirs, r.rate), r.ratio(0, 1),
			column(cost, ours, r.cost), column(cost, theirs, r.cost),
			column("%.0f MiB", ours, memory), column("%.0f MiB", theirs, memory),
			errors, others, strconv.Itoa(len(ours)),
		}, "\t"))
	}
	return t.Flush()
}

// printParts prints one line for each server of each scenario, with the CPU that
// each part took: the limit is the part that takes the most, or, if busy is far from
// 100%, what the CPU waits for. ratio is that of server i.
func printParts(w io.Writer, title, ratioTitle string, parts []string, results []result, ratio func(r result, i int) string) error {
	if len(results) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\n%s\t\trate\t%s\tCPU %s\tbusy\tRSS a node\terrors\tothers\trounds\n", title, ratioTitle, strings.Join(parts, "\t"))
	for _, r := range results {
		name := r.name
		rate, cost := r.formats()
		for i, samples := range r.samples {
			errors, others := trouble(samples)
			cells := []string{name, r.servers[i], column(rate, samples, r.rate), ratio(r, i)}
			for _, part := range parts {
				cells = append(cells, column(cost, samples, func(s sample) float64 { return r.per(s, s.parts[part]) }))
			}
			cells = append(cells, column("%.0f%%", samples, func(s sample) float64 { return s.busy * 100 }),
				column("%.0f MiB", samples, memory), errors, others, strconv.Itoa(len(samples)))
			fmt.Fprintln(t, strings.Join(cells, "\t"))
			name = ""
		}
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
