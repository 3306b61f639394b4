package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

const (
	fewVersions   = 100
	manyVersions  = 100_000
	quickVersions = 5_000 // with -quick
	wholeFiles    = 64    // files of the version that is fetched as one tar
	listedFiles   = 100   // files of the version whose JSON is timed
)

// versionsTable compares what granary does with versions with the plain way to the same
// bytes: a selector with the exact address, many versions with few, one tar with its
// files, fetched by curl, drafts with open versions.
type versionsTable struct {
	d    *driver
	s    *server
	c    *clients
	o    options
	rows []versionsRow
}

// versionsRow is a comparison: how often as fast the first is, round by round.
type versionsRow struct {
	what, than string
	unit       string
	first      []float64 // rates
	second     []float64
}

// compareVersions measures a server of its own and prints the table, unless -only
// chooses none of it.
func compareVersions(ctx context.Context, w io.Writer, d *driver, o options) error {
	if !strings.Contains("versions", o.only) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*o.limit)
	defer cancel()
	s, err := startGranary(ctx, filepath.Join(d.dir, "versions"), o)
	if err != nil {
		return err
	}
	defer s.stop()
	s.token, s.prefix = o.token, o.packages()
	t := &versionsTable{d: d, s: s, o: o, c: &clients{s: s, dir: d.dir, size: o.size, stamp: d.stamp}}
	if err := t.fill(ctx); err != nil {
		return fmt.Errorf("versions: %w", err)
	}
	for _, row := range []func(context.Context) (versionsRow, error){t.selectors, t.numbers, t.tars, t.drafts} {
		r, err := row(ctx)
		if err != nil {
			return fmt.Errorf("versions: %w", err)
		}
		t.rows = append(t.rows, r)
	}
	middle, err := t.listing(ctx)
	if err != nil {
		return fmt.Errorf("versions: %w", err)
	}
	if err := t.print(w, middle); err != nil {
		return err
	}
	return t.finals(ctx, w)
}

func (t *versionsTable) many() int {
	if t.o.rounds == 1 {
		return quickVersions
	}
	return manyVersions
}

// fill publishes the versions of few and of many, and a version of many files.
func (t *versionsTable) fill(ctx context.Context) error {
	var paths []string
	for i := range t.many() {
		paths = append(paths, fmt.Sprintf("%smany/1.%d.0/file.bin", t.s.prefix, i))
		if i < fewVersions {
			paths = append(paths, fmt.Sprintf("%sfew/1.%d.0/file.bin", t.s.prefix, i))
		}
	}
	for i := range listedFiles {
		paths = append(paths, fmt.Sprintf("%slisted/1.0.0/file%d.bin", t.s.prefix, i))
	}
	if err := t.publish(ctx, paths, smallSize, t.o.clients); err != nil {
		return err
	}
	paths = nil
	for i := range wholeFiles {
		paths = append(paths, fmt.Sprintf("%swhole/1.0.0/file%d.bin", t.s.prefix, i))
	}
	return t.publish(ctx, paths, t.o.size/wholeFiles, t.o.uploads)
}

// publish publishes a body of this size at each path, by some clients.
func (t *versionsTable) publish(ctx context.Context, paths []string, size int64, clients int) error {
	next := make(chan string)
	failed := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			c, err := t.s.dial(ctx)
			if err == nil {
				defer c.close()
			}
			for path := range next {
				if err == nil {
					err = c.publish(path, t.d.bodies.of(t.d.head, size))
				}
			}
			failed[i] = err
		})
	}
	for _, path := range paths {
		next <- path
	}
	close(next)
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// selectors asks for one small file by latest, and by its exact address.
func (t *versionsTable) selectors(ctx context.Context) (versionsRow, error) {
	exact := fmt.Sprintf("%sfew/1.%d.0/file.bin", t.s.prefix, fewVersions-1)
	return t.compare(ctx, versionsRow{what: fmt.Sprintf("latest of a 4 KiB file x %d", t.o.clients), than: "the exact address", unit: "/s"},
		t.o.clients, t.s.prefix+"few/latest/file.bin", exact)
}

// numbers asks which version is the latest, of many and of few. The answer is not kept
// in memory.
func (t *versionsTable) numbers(ctx context.Context) (versionsRow, error) {
	return t.compare(ctx, versionsRow{what: fmt.Sprintf("latest of %d versions x 1", t.many()), than: fmt.Sprintf("of %d", fewVersions), unit: "/s"},
		1, t.s.prefix+"many/latest", t.s.prefix+"few/latest")
}

// compare asks for two paths for a slice each, in each round.
func (t *versionsTable) compare(ctx context.Context, r versionsRow, clients int, first, second string) (versionsRow, error) {
	for range t.o.rounds {
		a, err := t.rate(ctx, first, clients)
		if err != nil {
			return r, err
		}
		b, err := t.rate(ctx, second, clients)
		if err != nil {
			return r, err
		}
		r.first, r.second = append(r.first, a), append(r.second, b)
	}
	return r, nil
}

// rate is how often a second clients get a path.
func (t *versionsTable) rate(ctx context.Context, path string, clients int) (float64, error) {
	times, err := t.times(ctx, path, clients)
	sum := 0
	for _, of := range times {
		sum += len(of)
	}
	return float64(sum) / t.d.length.Seconds(), err
}

// times is how long each client waited for each answer, for a slice.
func (t *versionsTable) times(ctx context.Context, path string, clients int) ([][]float64, error) {
	all, failed := make([][]float64, clients), make([]error, clients)
	end := time.Now().Add(t.d.length)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			c, err := dial(ctx, t.s.host, t.s.token)
			if err != nil {
				failed[i] = err
				return
			}
			defer c.close()
			for time.Now().Before(end) {
				begun := time.Now()
				status, _, err := c.get(path)
				if err == nil && status != 200 {
					err = fmt.Errorf("GET %s: status %d", path, status)
				}
				if failed[i] = err; err != nil {
					return
				}
				all[i] = append(all[i], time.Since(begun).Seconds())
			}
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// tars fetches a version as one tar and file by file, with curl.
func (t *versionsTable) tars(ctx context.Context) (versionsRow, error) {
	r := versionsRow{what: fmt.Sprintf("tar of %s in %d files", sizeText(t.o.size), wholeFiles), than: "curl --parallel of the files", unit: " MB/s"}
	const head = `curl --silent --show-error --fail --header "PRIVATE-TOKEN: $GRANARY_TOKEN" `
	at := fmt.Sprintf("http://%s%swhole/1.0.0/", t.s.host, t.s.prefix)
	for range t.o.rounds {
		tar, err := t.c.time(ctx, 1, t.o.size, "sh", "-c", head+`--output /dev/null "`+at+`@all.tar"`)
		if err != nil {
			return r, err
		}
		files, err := t.c.time(ctx, wholeFiles, t.o.size, "sh", "-c",
			head+fmt.Sprintf(`--parallel --output /dev/null "%sfile[0-%d].bin"`, at, wholeFiles-1))
		if err != nil {
			return r, err
		}
		r.first, r.second = append(r.first, float64(t.o.size)/1e6/tar.seconds), append(r.second, float64(t.o.size)/1e6/files.seconds)
		fmt.Fprintf(os.Stderr, "versions  tar %.2f s  files %.2f s\n", tar.seconds, files.seconds)
	}
	return r, nil
}

// listing is the median time, in ms, of a version's JSON.
func (t *versionsTable) listing(ctx context.Context) (float64, error) {
	times, err := t.times(ctx, t.s.prefix+"listed/1.0.0", 1)
	if err != nil {
		return 0, err
	}
	return median(times[0]) * 1000, nil
}

func (t *versionsTable) print(w io.Writer, listing float64) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nversions\tgranary\tbeside\t\tratio (min..max)\trounds")
	for _, r := range t.rows {
		ratios := make([]float64, len(r.first))
		for i := range r.first {
			ratios[i] = r.first[i] / r.second[i]
		}
		fmt.Fprintf(table, "%s\t%.0f%s\t%s\t%.0f%s\t%s\t%d\n", r.what, median(r.first), r.unit, r.than, median(r.second), r.unit, inBrackets(ratios), len(ratios))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "JSON of a version of %d files: p50 %.2f ms\n", listedFiles, listing)
	return err
}
