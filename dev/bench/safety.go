package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

const (
	safetySlice  = 30 * time.Second // records are written each 10 s
	safetyBlobs  = 512              // of 1 MiB, that a backup copies and a scrub reads
	safetyRounds = 3
)

// safetyMode is a server that also does something so that nothing is lost.
type safetyMode struct {
	name     string
	settings []string
	backup   bool // a backup runs, again and again, each into a new place

	data string
	s    *server
}

// compareSafety measures what it costs publishers that records are written, that stored
// bytes are verified, all in an hour, and that a backup is made. Each way has a server
// of its own, which is stopped by a signal while another is measured: what it does behind
// its answers is then in its own slices.
func compareSafety(ctx context.Context, w io.Writer, d *driver, o options) (err error) {
	if !strings.Contains("safety", o.only) {
		return nil
	}
	modes := []*safetyMode{
		{name: "nothing", settings: []string{"--records-every=0", "--scrub-period=0"}},
		{name: "records", settings: []string{"--scrub-period=0"}},
		{name: "scrub", settings: []string{"--records-every=0", "--scrub-period=1h"}},
		{name: "backup", settings: []string{"--records-every=0", "--scrub-period=0"}, backup: true},
	}
	defer func() {
		for _, m := range modes {
			m.end()
		}
	}()
	for _, m := range modes {
		if err := m.start(ctx, d, o); err != nil {
			return fmt.Errorf("safety, %s: %w", m.name, err)
		}
	}
	length := d.length
	defer func() { d.length = length }()
	rounds := 1
	if o.rounds > 1 {
		d.length, rounds = max(o.slice, safetySlice), min(o.rounds, safetyRounds)
	}
	r := result{name: "safety", samples: make([][]sample, len(modes))}
	for round := range rounds {
		for i := range modes {
			i = (i + round) % len(modes)
			got, err := modes[i].slice(ctx, d, o)
			if err != nil {
				return fmt.Errorf("safety, %s: %w", modes[i].name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d  %-8s  %7d in %.2f s\n", round+1, modes[i].name, got.ops, got.seconds)
			r.samples[i] = append(r.samples[i], got)
		}
	}
	return printSafety(w, modes, r)
}

// start starts the server, gives it its blobs and pauses it.
func (m *safetyMode) start(ctx context.Context, d *driver, o options) (err error) {
	o.name, m.data = m.name, filepath.Join(d.dir, "safety-"+m.name)
	if m.s, err = startGranary(ctx, m.data, o, m.settings...); err != nil {
		return err
	}
	m.s.token, m.s.prefix = o.token, o.packages()
	paths := make([]string, safetyBlobs)
	for i := range paths {
		paths[i] = fmt.Sprintf("%sseed/1.%d.0/large.bin", m.s.prefix, i)
	}
	t := &versionsTable{d: d, s: m.s, o: o}
	if err := t.publish(ctx, paths, 1<<20, o.clients); err != nil {
		return err
	}
	return m.signal(syscall.SIGSTOP)
}

func (m *safetyMode) signal(s syscall.Signal) error { return syscall.Kill(m.s.nodes[0], s) }

func (m *safetyMode) end() {
	if m.s != nil {
		_ = m.signal(syscall.SIGCONT) // it may have ended
		m.s.stop()
		_ = os.RemoveAll(m.data) // the folder of the run goes, too
	}
}

// slice publishes for a slice.
func (m *safetyMode) slice(ctx context.Context, d *driver, o options) (got sample, err error) {
	if err := m.signal(syscall.SIGCONT); err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, m.signal(syscall.SIGSTOP)) }()
	beside := func() error { return nil }
	if m.backup {
		beside = m.backups(ctx, d.dir, o)
	}
	got, err = d.slice(ctx, m.s, scenario{publish: true, clients: o.clients})
	return got, errors.Join(err, got.first, beside())
}

// backups makes backups until stop is called, which is an error if none was whole.
func (m *safetyMode) backups(ctx context.Context, dir string, o options) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		made := 0
		for {
			place := filepath.Join(dir, "safety-place")
			out, err := exec.CommandContext(ctx, o.granary, "backup", "--data-dir="+m.data, "--to=file:"+place).CombinedOutput()
			removed := os.RemoveAll(place)
			switch {
			case ctx.Err() != nil && made == 0:
				ended <- errors.Join(errors.New("no backup was whole within the slice"), removed)
				return
			case ctx.Err() != nil || removed != nil:
				ended <- removed
				return
			case err != nil:
				ended <- fmt.Errorf("backup: %w: %s", err, out)
				return
			}
			made++
		}
	}()
	return func() error { cancel(); return <-ended }
}

func printSafety(w io.Writer, modes []*safetyMode, r result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\npublish 4 KiB, beside it\trate\tratio to nothing (min..max)\tp99\tratio (median)\tCPU\tRSS\tothers\trounds")
	slowest := func(s sample) float64 { return s.p99.Seconds() * 1000 }
	for i, m := range modes {
		of := r.samples[i]
		_, others := trouble(of)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.2f\t%s\t%s\t%s\t%d\n", m.name, column("%.0f/s", of, r.rate), r.ratio(i, 0),
			column("%.1f ms", of, slowest), median(ratiosOf(values(of, slowest), values(r.samples[0], slowest))),
			column("%.0f us", of, r.cost), column("%.0f MiB", of, memory), others, len(of))
	}
	return t.Flush()
}
