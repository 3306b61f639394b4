package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

const (
	clientFiles = 5000 // of 4 KiB, by granary's client
	curlFiles   = 200  // of them, by the loop around curl: rates are per file
	helpRuns    = 20   // of granary --help
)

// clients compares granary's own client with curl, as in GitLab's manual, in a loop if
// there are many files; and with the client of another build if there is one. All talk
// to one server.
type clients struct {
	s     *server
	dir   string
	all   []contender
	size  int64 // of the large file
	stamp int64
}

// contender is a build of granary, or curl, which has no binary here.
type contender struct{ name, binary string }

// contenders are the columns of the table, ours first.
func (o options) contenders() []contender {
	all := []contender{{"granary", o.granary}, {"curl", ""}}
	if o.before != "" {
		all = append(all, contender{"before", o.before})
	}
	return all
}

// clientResults is what is measured with clients; empty if -only chooses none of it.
func clientResults(o options) []result {
	large, small := sizeText(o.size), fmt.Sprintf("%d x %s", clientFiles, sizeText(smallSize))
	results := []result{{name: "push " + large, large: true}, {name: "pull " + large, large: true}, {name: "push " + small}, {name: "pull " + small}}
	for i := range results {
		results[i].samples = make([][]sample, len(o.contenders()))
	}
	if !slices.ContainsFunc(results, func(r result) bool { return strings.Contains("client "+r.name, o.only) }) {
		return nil
	}
	return results // all of them: a pull gets what the push left
}

// measureClients runs the client's scenarios, rounds interleaved as for servers.
func measureClients(ctx context.Context, d *driver, s *server, o options) ([]result, error) {
	c := &clients{s: s, dir: filepath.Join(d.dir, "client"), all: o.contenders(), size: o.size, stamp: d.stamp}
	results := clientResults(o)
	if len(results) == 0 {
		return nil, nil
	}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	for round := range o.rounds {
		for i := range results {
			r := &results[i]
			if err := c.round(ctx, round, r); err != nil {
				return nil, fmt.Errorf("client %s: %w", r.name, err)
			}
		}
	}
	return results, nil
}

// prepare makes the files that are pushed.
func (c *clients) prepare() error {
	if err := os.MkdirAll(filepath.Join(c.dir, "small"), 0o755); err != nil {
		return err
	}
	random, err := os.Open("/dev/urandom")
	if err != nil {
		return err
	}
	defer random.Close()
	if err := fill(filepath.Join(c.dir, "large"), random, c.size); err != nil {
		return err
	}
	for i := range clientFiles {
		if err := fill(filepath.Join(c.dir, "small", "f"+strconv.Itoa(i)), random, smallSize); err != nil {
			return err
		}
	}
	return nil
}

func fill(path string, from io.Reader, n int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(f, from, n); err != nil {
		_ = f.Close() // the error says more
		return err
	}
	return f.Close()
}

// round moves the same by every client; the first client changes with the round.
// A pull gets what the push of its round left.
func (c *clients) round(ctx context.Context, round int, r *result) error {
	push := strings.HasPrefix(r.name, "push")
	line := fmt.Sprintf("round %d  client %-20s", round+1, r.name)
	for i := range c.all {
		i = (i + round) % len(c.all)
		move := c.granary
		if c.all[i].binary == "" {
			move = c.curl
		}
		s, err := move(ctx, c.all[i], round, r.large, push)
		if err != nil {
			return err
		}
		r.samples[i] = append(r.samples[i], s)
		line += fmt.Sprintf("  %s %.2f s", c.all[i].name, s.seconds)
	}
	fmt.Fprintln(os.Stderr, line)
	return nil
}

// granary pushes or pulls with granary's client.
func (c *clients) granary(ctx context.Context, by contender, round int, large, push bool) (sample, error) {
	what, files, bytes := "small", clientFiles, int64(clientFiles*smallSize)
	if large {
		what, files, bytes = "large", 1, c.size
	}
	name, version := by.name+"-"+what, fmt.Sprintf("%d.%d.0", c.stamp, round)
	args := []string{"push", "--quiet", c.project(), name, version, filepath.Join(c.dir, what)}
	if !push {
		out := filepath.Join(c.dir, name+"-out-"+strconv.Itoa(round))
		if large { // the disk needs the room
			defer func() { _ = os.RemoveAll(out) }() // with the whole folder at the latest
		} // else it stays: ext4 is slow to find inode numbers after many removals
		args = []string{"pull", "--quiet", c.project(), name + "@" + version, "--output", out}
	} else if err := c.renew(large); err != nil {
		return sample{}, err
	}
	return c.time(ctx, files, bytes, by.binary, args...)
}

// curl does the same as GitLab's manual shows it.
func (c *clients) curl(ctx context.Context, _ contender, round int, large, push bool) (sample, error) {
	at := fmt.Sprintf("http://%s%scurl/%d.%d.0/", c.s.host, c.s.prefix, c.stamp, round)
	transfer, out := `--upload-file "$f"`, filepath.Join(c.dir, "curl-out-"+strconv.Itoa(round))
	if !push {
		transfer = `--output "` + out + `/$f"`
		if large {
			defer func() { _ = os.RemoveAll(filepath.Join(out, "large")) }() // as above
		}
		if err := os.MkdirAll(out, 0o755); err != nil {
			return sample{}, err
		}
	} else if err := c.renew(large); err != nil {
		return sample{}, err
	}
	one := `curl --silent --show-error --fail --header "PRIVATE-TOKEN: $GRANARY_TOKEN" ` + transfer + ` "` + at + `$f" || exit 1`
	if large {
		return c.time(ctx, 1, c.size, "sh", "-c", "cd "+c.dir+" && f=large && "+one+" >&2")
	}
	loop := fmt.Sprintf("cd %s/small && for f in $(seq -f f%%g 0 %d); do %s; done >&2", c.dir, curlFiles-1, one)
	return c.time(ctx, curlFiles, curlFiles*smallSize, "sh", "-c", loop)
}

// renew changes the large file, so that no push finds its bytes on the server.
func (c *clients) renew(large bool) error {
	if !large {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(c.dir, "large"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(strconv.FormatInt(time.Now().UnixNano(), 10)), 0)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// project is as the client takes it: the prefix has it escaped for URLs.
func (c *clients) project() string {
	_, rest, _ := strings.Cut(c.s.prefix, "/projects/")
	project, _, _ := strings.Cut(rest, "/")
	return strings.ReplaceAll(project, "%2F", "/")
}

// time runs a command to its end. Before it begins, the disk has written what the
// commands before left, which would be counted with this one.
func (c *clients) time(ctx context.Context, files int, bytes int64, name string, args ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "GRANARY_SERVER=http://"+c.s.host, "GRANARY_TOKEN="+c.s.token)
	syscall.Sync()
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w\n%s", name, err, out[:min(len(out), 2000)])
	}
	s := sample{ops: files, bytes: bytes, seconds: time.Since(begun).Seconds()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.memory = usage.Maxrss << 10
	}
	return s, nil
}

// printHelp prints how much CPU the program takes to begin, say its help and end.
func printHelp(ctx context.Context, w io.Writer, binary string) error {
	used := make([]float64, helpRuns) // ms
	for i := range used {
		cmd := exec.CommandContext(ctx, binary, "--help")
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s --help: %w", binary, err)
		}
		used[i] = float64((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Microseconds()) / 1000
	}
	_, err := fmt.Fprintf(w, "granary --help: %.1f ms of CPU (median of %d)\n", median(used), helpRuns)
	return err
}

// printClients prints medians and ratios as printTable does, of granary's client to
// each of the others.
func printClients(w io.Writer, all []contender, results []result) error {
	if len(results) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\nclient\tgranary")
	for _, c := range all[1:] {
		fmt.Fprintf(t, "\t%s\tratio (min..max)", c.name)
	}
	fmt.Fprintln(t, "\tRSS granary\trounds")
	for _, r := range results {
		unit := "%.0f files/s"
		if r.large {
			unit = "%.0f MB/s"
		}
		most := int64(0)
		for _, s := range r.samples[0] {
			most = max(most, s.memory)
		}
		fmt.Fprintf(t, "%s\t"+unit, r.name, median(values(r.samples[0], r.rate)))
		for i := range all[1:] {
			fmt.Fprintf(t, "\t"+unit+"\t%s", median(values(r.samples[i+1], r.rate)), r.ratio(0, i+1))
		}
		fmt.Fprintf(t, "\t%d MiB\t%d\n", most>>20, len(r.samples[0]))
	}
	return t.Flush()
}
