// Bench drives servers side by side on this machine and prints tables: granary and
// nginx, without TLS and with it; granary's client and curl; versions by selector, and as
// one tar; pages and JSON; publishing beside records, verification and backups; backups and
// those of restic; an embedded node and clusters of 1, 2 and 3 nodes; a node over PostgreSQL
// and S3, and these two themselves. Rounds are interleaved and ratios taken within a round:
// on a shared machine only they mean something, and absolute figures do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"granary/dev/servers"
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
	granary          string // the program, once it is built
	before           string // the program of another build, "" for none
	gate             bool
	budget           float64 // of the gate, in percent of CPU
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
	fs.DurationVar(&o.limit, "limit", 270*time.Second, "plan the rounds of each table to fit into this: a scenario that is slow today gets fewer; after twice as long the run ends, come what may")
	fs.StringVar(&o.before, "before", "", "the granary of another build, whose client is compared with this one's")
	fs.BoolVar(&o.gate, "gate", false, "only compare the CPU of each small operation with the build of -before, and fail above -budget")
	fs.Float64Var(&o.budget, "budget", 5, "percent of CPU that the gate allows on top")
	fs.IntVar(&o.clients, "clients", 16, "clients where there are many")
	fs.IntVar(&o.uploads, "uploads", 4, "the same for large publications, which need disk: 16 of 1GiB write 99 GiB in three rounds")
	fs.StringVar(&o.only, "only", "", "only scenarios with this in their names; those of the other tables begin with client, tls, versions, pages, safety, restic, cluster, PostgreSQL + S3")
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
		if !given["rounds"] {
			o.rounds = 1
		}
		if !given["slice"] {
			o.slice = time.Second
		}
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
	case o.gate && (o.before == "" || o.target != "" || o.command != ""):
		err = errors.New("-gate compares this build with that of -before")
	case o.rounds < 1 || o.clients < 1 || o.uploads < 1 || fs.NArg() > 0:
		err = errors.New("-rounds, -clients and -uploads are at least 1, and there are no arguments")
	}
	return o, err
}

// run does everything in one folder, which is gone afterwards, as are the
// servers: also after Ctrl-C.
func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp(o.dir, "granary-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // others run below it: www-data, postgres
		return err
	}
	if err := enoughDisk(dir, o); err != nil && !o.gate { // which has no large files
		return err
	}
	built := o.target == "" && o.command == ""
	if built {
		o.granary = filepath.Join(dir, "granary")
		if err := servers.Build(ctx, o.granary); err != nil {
			return err
		}
	}
	d, err := newDriver(dir, o)
	if err != nil {
		return err
	}
	if o.gate {
		return gate(ctx, d, o, os.Stdout)
	}
	if err := compareNginx(ctx, d, o, built); err != nil || !built {
		return err
	}
	if err := removeLarge(dir, o.size); err != nil { // the next tables need the room
		return err
	}
	if err := compareTLS(ctx, os.Stdout, d, o); err != nil {
		return err
	}
	if err := compareVersions(ctx, os.Stdout, d, o); err != nil {
		return err
	}
	if err := comparePages(ctx, os.Stdout, d, o); err != nil {
		return err
	}
	if err := compareSafety(ctx, os.Stdout, d, o); err != nil {
		return err
	}
	if err := compareRestic(ctx, os.Stdout, d, o); err != nil {
		return err
	}
	return compareClusters(ctx, d, o)
}

// compareNginx prints the table of granary and nginx, and, if granary was built, that
// of its client and curl.
func compareNginx(ctx context.Context, d *driver, o options, built bool) (err error) {
	list := o.chosen("", scenarios(o.clients, o.uploads))
	if len(list) == 0 && len(clientResults(o)) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*o.limit)
	defer cancel()
	defer func() {
		if err != nil {
			logs, _ := filepath.Glob(filepath.Join(d.dir, "*.log"))
			for _, log := range append(logs, filepath.Join(d.dir, "nginx", "log")) {
				printLog(os.Stderr, log)
			}
		}
	}()
	ours, err := startOurs(ctx, d.dir, o)
	if err != nil {
		return err
	}
	defer ours.stop()
	nginx, err := startNginx(ctx, d.dir, "")
	if err != nil {
		return err
	}
	defer nginx.stop()
	results, err := measure(ctx, d, o, list, []*server{ours, nginx})
	err = errors.Join(err, printTable(os.Stdout, ours.name, results))
	if err != nil || !built {
		return err
	}
	results, err = measureClients(ctx, d, ours, o)
	err = errors.Join(err, printClients(os.Stdout, o.contenders(), results))
	if err == nil && len(results) > 0 {
		err = printHelp(ctx, os.Stdout, o.granary)
	}
	return err
}

// chosen is the scenarios whose names, after that of their table, -only chooses.
func (o options) chosen(table string, list []scenario) []scenario {
	return slices.DeleteFunc(list, func(s scenario) bool {
		return !strings.Contains(table+" "+s.name(o.size), o.only)
	})
}

// enoughDisk refuses a run that would fill the disk. Beside nginx nothing is
// removed before the end of the table, since granary keeps what it was given.
func enoughDisk(dir string, o options) error {
	nginx := int64(0)
	if len(clientResults(o)) > 0 {
		nginx = 3 * int64(len(o.contenders())) * o.size * int64(o.rounds)
	}
	for _, s := range o.chosen("", scenarios(o.clients, o.uploads)) {
		switch {
		case s.large && s.publish:
			nginx += 2 * o.size * int64(s.clients*o.rounds)
		case s.large:
			nginx += 2 * o.size
		}
	}
	clusters := o.size * int64(2+3*o.uploads)     // what was downloaded, and one slice: staged, and copied
	need := max(nginx, clusters) + o.size + 4<<30 // and small files
	free, err := freeDisk(dir)
	if err == nil && free < need {
		err = fmt.Errorf("%s has %d GiB free and the run writes %d: give SIZE=64MiB, or -dir on another disk", o.dir, free>>30, need>>30)
	}
	return err
}
