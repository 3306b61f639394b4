// Bench drives granary and nginx side by side on this machine and prints one
// table, and one of granary's client beside curl. Rounds are interleaved and ratios taken within a round; on a shared
// machine only they mean something, and absolute figures do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the command line's.
type options struct {
	size             int64
	rounds           int
	slice, limit     time.Duration
	clients, uploads int
	only             string
	dir              string
	target, command  string
	token, project   string
	name             string
	pid              int
}

func main() {
	o, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseOptions(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	size := fs.String("size", "1GiB", "large file")
	quick := fs.Bool("quick", false, "one round of one-second slices with 64MiB files: does it work at all")
	fs.IntVar(&o.rounds, "rounds", 3, "rounds; each gives every server one slice")
	fs.DurationVar(&o.slice, "slice", 3*time.Second, "length of a slice; large publications take as long as they take")
	fs.DurationVar(&o.limit, "limit", 270*time.Second, "plan rounds to fit into this: a scenario that is slow today gets fewer; after twice as long the run ends, come what may")
	fs.IntVar(&o.clients, "clients", 16, "clients where there are many")
	fs.IntVar(&o.uploads, "uploads", 4, "the same for large publications, which need disk: 16 of 1GiB write 99 GiB in three rounds")
	fs.StringVar(&o.only, "only", "", "only scenarios with this in their names")
	fs.StringVar(&o.dir, "dir", "/var/tmp", "where the run's folder is made; a real disk, not memory")
	fs.StringVar(&o.target, "target", "", "measure the server at this URL instead of building granary")
	fs.StringVar(&o.command, "command", "", "start this instead of building granary; {dir} is an empty folder; the address comes from -target or from what it prints")
	fs.StringVar(&o.token, "token", "gnpat-bench-0123456789abcdef0123456789", "its PRIVATE-TOKEN")
	fs.StringVar(&o.project, "project", "root%2Fdemo", "its project, as in a URL")
	fs.StringVar(&o.name, "name", "granary", "its name in the table")
	fs.IntVar(&o.pid, "pid", 0, "its process where -target runs already, for CPU and memory")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if *quick {
		o.rounds, o.slice = 1, time.Second
		if !given["size"] {
			*size = "64MiB"
		}
	}
	var err error
	o.size, err = parseSize(*size)
	switch {
	case err != nil:
	case o.size <= smallSize:
		err = fmt.Errorf("-size must be more than %s", sizeText(smallSize))
	case o.rounds < 1 || o.clients < 1 || o.uploads < 1 || fs.NArg() > 0:
		err = errors.New("-rounds, -clients and -uploads are at least 1, and there are no arguments")
	}
	return o, err
}

// run does everything in one folder, which is gone afterwards, as are the
// servers: also after Ctrl-C.
func run(ctx context.Context, o options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*o.limit)
	defer cancel()
	dir, err := os.MkdirTemp(o.dir, "granary-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // nginx's workers are another user
		return err
	}
	list := chosen(o)
	if err := enoughDisk(dir, o, list); err != nil {
		return err
	}
	ours, err := startOurs(ctx, dir, o)
	if err != nil {
		return err
	}
	defer ours.stop()
	nginx, err := startNginx(ctx, dir)
	if err != nil {
		return err
	}
	defer nginx.stop()
	h, err := newHead(filepath.Join(dir, "head"), o.size)
	if err != nil {
		return err
	}
	d := &driver{dir: dir, length: o.slice, size: o.size, head: h, bodies: newBodies(),
		seeded: map[string]bool{}, stamp: time.Now().Unix()}
	results, err := measure(ctx, d, o, list, [2]*server{ours, nginx})
	err = errors.Join(err, printTable(os.Stdout, ours.name, results))
	if err == nil && o.target == "" && o.command == "" { // granary was built, so its client is here
		results, err = measureClients(ctx, d, ours, o)
		err = errors.Join(err, printClients(os.Stdout, results))
	}
	if err != nil {
		logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
		for _, log := range append(logs, filepath.Join(dir, "nginx", "log")) {
			printLog(os.Stderr, log)
		}
	}
	return err
}

func chosen(o options) []scenario {
	return slices.DeleteFunc(scenarios(o.clients, o.uploads), func(s scenario) bool {
		return !strings.Contains(s.name(o.size), o.only)
	})
}

// enoughDisk refuses a run that would fill the disk: nothing is removed before
// its end, since granary keeps what it was given.
func enoughDisk(dir string, o options, list []scenario) error {
	need := int64(2 << 30) // small files
	for _, s := range list {
		switch {
		case s.large && s.publish:
			need += 2 * o.size * int64(s.clients*o.rounds)
		case s.large:
			need += 2 * o.size
		}
	}
	need += o.size
	need += 6 * o.size * int64(o.rounds) // the client's, and curl's
	free, err := freeDisk(dir)
	if err == nil && free < need {
		err = fmt.Errorf("%s has %d GiB free and the run writes %d: give SIZE=64MiB, or -dir on another disk", o.dir, free>>30, need>>30)
	}
	return err
}

// startOurs starts what stands beside nginx, or takes what runs already.
func startOurs(ctx context.Context, dir string, o options) (s *server, err error) {
	u := &url.URL{}
	if o.target != "" {
		if u, err = url.Parse(o.target); err != nil || u.Scheme != "http" || u.Host == "" {
			return nil, fmt.Errorf("-target %q is no http://HOST:PORT", o.target)
		}
	}
	switch {
	case o.command != "":
		s, err = startCommand(ctx, dir, o.command, u.Host)
	case o.target != "":
		s = &server{host: u.Host, pid: o.pid, stop: func() {}}
	default:
		s, err = startGranary(ctx, dir, o.token)
	}
	if err != nil {
		return nil, err
	}
	s.name, s.token = o.name, o.token
	s.prefix = strings.TrimSuffix(u.Path, "/") + "/api/v4/projects/" + o.project + "/packages/generic/"
	return s, nil
}

// measure runs all scenarios. Each has one round in any case, and another as
// long as that leaves the scenarios after it the time they were meant to have.
func measure(ctx context.Context, d *driver, o options, list []scenario, servers [2]*server) ([]result, error) {
	var results []result
	var failed error
	end := time.Now().Add(o.limit)
	planned := time.Duration(o.rounds*len(servers)) * (o.slice + time.Second/2)
	for i, sc := range list {
		r := result{name: sc.name(d.size), large: sc.large}
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
			}
			r.ours, r.theirs = append(r.ours, got[0]), append(r.theirs, got[1])
		}
		results = append(results, r)
	}
	return results, failed
}

// prepare publishes, untimed, what a scenario downloads.
func (d *driver) prepare(ctx context.Context, sc scenario, servers [2]*server) error {
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

// round gives each server one slice. Who goes first changes with the round.
func (d *driver) round(ctx context.Context, sc scenario, round int, servers [2]*server) (got [2]sample, err error) {
	for i := range servers {
		i = (i + round) % len(servers)
		s := servers[i]
		if got[i], err = d.slice(ctx, s, sc); err != nil {
			return got, fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(os.Stderr, "round %d  %-22s  %-8s  %7d in %.2f s\n", round+1, sc.name(d.size), s.name, got[i].ops, got[i].seconds)
	}
	return got, nil
}
