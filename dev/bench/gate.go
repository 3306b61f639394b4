package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"text/tabwriter"
)

// gate compares the CPU that this build and that of -before take for each small
// operation, and fails if one takes more than -budget percent beyond the other's.
// Rates are shown and not judged: on a shared machine they vary more than the budget.
func gate(ctx context.Context, d *driver, o options, w io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*o.limit)
	defer cancel()
	var both []*server
	for _, build := range []contender{{"this build", o.granary}, {"before", o.before}} {
		of := o
		of.name, of.granary = build.name, build.binary
		s, err := startGranary(ctx, filepath.Join(d.dir, "gate-"+build.name), of)
		if err != nil {
			return err
		}
		defer s.stop()
		s.token, s.prefix = o.token, o.packages()
		both = append(both, s)
	}
	small := slices.DeleteFunc(o.chosen("", scenarios(o.clients, o.uploads)), func(s scenario) bool { return s.large })
	results, err := measure(ctx, d, o, small, both)
	return errors.Join(err, judge(w, results, o.budget))
}

// judge prints the comparison and returns what is over the budget.
func judge(w io.Writer, results []result, budget float64) (err error) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\tCPU this build\tCPU before\tratio (min..max)\trate ratio (min..max)\trounds")
	for _, r := range results {
		_, cost := r.formats()
		var ratios []float64
		for i := range min(len(r.samples[0]), len(r.samples[1])) {
			if base := r.cost(r.samples[1][i]); base > 0 {
				ratios = append(ratios, r.cost(r.samples[0][i])/base)
			}
		}
		if len(ratios) == 0 {
			err = errors.Join(err, fmt.Errorf("%s: nothing was measured", r.name))
			continue
		}
		most := median(ratios)
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f (%.2f..%.2f)\t%s\t%d\n", r.name, column(cost, r.samples[0], r.cost), column(cost, r.samples[1], r.cost),
			most, slices.Min(ratios), slices.Max(ratios), r.ratio(0, 1), len(ratios))
		if most > 1+budget/100 {
			err = errors.Join(err, fmt.Errorf("%s takes %.2f times the CPU of before, above the budget of +%g %%", r.name, most, budget))
		}
	}
	return errors.Join(t.Flush(), err)
}
