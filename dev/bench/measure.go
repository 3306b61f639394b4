package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// measure runs scenarios on servers. Each has one round in any case, and another
// as long as that leaves the scenarios after it the time they were meant to have.
func measure(ctx context.Context, d *driver, o options, list []scenario, servers []*server) ([]result, error) {
	var results []result
	var failed error
	end := time.Now().Add(o.limit)
	planned := time.Duration(o.rounds*len(servers)) * (o.slice + time.Second/2)
	for i, sc := range list {
		r := newResult(sc, d.size, servers)
		if err := d.prepare(ctx, sc, servers); err != nil {
			return results, fmt.Errorf("before %s: %w", r.name, err)
		}
		begun, later := time.Now(), planned*time.Duration(len(list)-i-1)
		for round := range o.rounds {
			if round > 0 && time.Until(end) < later+time.Since(begun)/time.Duration(round) {
				break
			}
			got, err := d.round(ctx, sc, round, servers)
			if err != nil {
				return append(results, r), fmt.Errorf("%s: %w", r.name, err)
			}
			for i, s := range servers {
				if first := got[i].first; first != nil && failed == nil {
					failed = fmt.Errorf("a figure with errors is no figure; the first: %s, %s: %w", r.name, s.name, first)
				}
				r.samples[i] = append(r.samples[i], got[i])
			}
		}
		results = append(results, r)
	}
	return results, failed
}

func newResult(sc scenario, size int64, servers []*server) result {
	r := result{name: sc.name(size), large: sc.large, samples: make([][]sample, len(servers))}
	for _, s := range servers {
		r.servers = append(r.servers, s.name)
	}
	return r
}

// prepare publishes, untimed, what a scenario downloads.
func (d *driver) prepare(ctx context.Context, sc scenario, servers []*server) error {
	for _, s := range servers {
		if sc.publish {
			continue
		}
		if err := d.seed(ctx, s, sc.large); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// round gives each server one slice. The first server changes with the round.
func (d *driver) round(ctx context.Context, sc scenario, round int, servers []*server) ([]sample, error) {
	got := make([]sample, len(servers))
	for i := range servers {
		i = (i + round) % len(servers)
		s := servers[i]
		var err error
		if got[i], err = d.slice(ctx, s, sc); err != nil {
			return got, fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(os.Stderr, "round %d  %-22s  %-8s  %7d in %.2f s\n", round+1, sc.name(d.size), s.name, got[i].ops, got[i].seconds)
	}
	return got, nil
}
