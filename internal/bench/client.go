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

// clients compares granary's own client with what GitLab's manual gives its
// users: curl, in a loop where there are many files. Both talk to one server.
type clients struct {
	s      *server
	dir    string
	binary string
	size   int64 // of the large file
	stamp  int64
}

// clientResults is what is measured with clients, nothing where -only chooses
// none of it.
func clientResults(o options) []result {
	large, small := sizeText(o.size), fmt.Sprintf("%d x %s", clientFiles, sizeText(smallSize))
	results := []result{{name: "push " + large, large: true}, {name: "pull " + large, large: true}, {name: "push " + small}, {name: "pull " + small}}
	for i := range results {
		results[i].samples = make([][]sample, 2)
	}
	if !slices.ContainsFunc(results, func(r result) bool { return strings.Contains("client "+r.name, o.only) }) {
		return nil
	}
	return results // all of them: a pull gets what the push left
}

// measureClients runs the client's scenarios, rounds interleaved as for servers.
func measureClients(ctx context.Context, d *driver, s *server, o options) ([]result, error) {
	c := &clients{s: s, dir: filepath.Join(d.dir, "client"), binary: o.granary, size: o.size, stamp: d.stamp}
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
			ours, theirs, err := c.round(ctx, round, r.large, strings.HasPrefix(r.name, "push"))
			if err != nil {
				return nil, fmt.Errorf("client %s: %w", r.name, err)
			}
			r.samples[0], r.samples[1] = append(r.samples[0], ours), append(r.samples[1], theirs)
			fmt.Fprintf(os.Stderr, "round %d  client %-20s  granary %.2f s  curl %.2f s\n", round+1, r.name, ours.seconds, theirs.seconds)
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

// round moves the same by both clients; who goes first changes with the round.
// A pull gets what the push of its round left.
func (c *clients) round(ctx context.Context, round int, large, push bool) (ours, theirs sample, err error) {
	for i := range 2 {
		if (i+round)%2 == 0 {
			ours, err = c.granary(ctx, round, large, push)
		} else {
			theirs, err = c.curl(ctx, round, large, push)
		}
		if err != nil {
			return ours, theirs, err
		}
	}
	return ours, theirs, nil
}

// granary pushes or pulls with our client.
func (c *clients) granary(ctx context.Context, round int, large, push bool) (sample, error) {
	what, files, bytes := "small", clientFiles, int64(clientFiles*smallSize)
	if large {
		what, files, bytes = "large", 1, c.size
	}
	version := fmt.Sprintf("%d.%d.0", c.stamp, round)
	args := []string{"push", "--quiet", c.project(), "ours-" + what, version, filepath.Join(c.dir, what)}
	if !push {
		out := filepath.Join(c.dir, what+"-out-"+strconv.Itoa(round))
		if large { // the disk needs the room
			defer func() { _ = os.RemoveAll(out) }() // with the whole folder at the latest
		} // else it stays: ext4 looks long for numbers of files where many were just removed
		args = []string{"pull", "--quiet", c.project(), "ours-" + what + "@" + version, "--output", out}
	} else if err := c.renew(large); err != nil {
		return sample{}, err
	}
	return c.time(ctx, files, bytes, c.binary, args...)
}

// curl does the same as GitLab's manual shows it.
func (c *clients) curl(ctx context.Context, round int, large, push bool) (sample, error) {
	at := fmt.Sprintf("http://%s%scurl/%d.%d.0/", c.s.host, c.s.prefix, c.stamp, round)
	transfer, out := `--upload-file "$f"`, filepath.Join(c.dir, "curled")
	if !push {
		transfer = `--output "` + out + `/$f"`
		defer func() { _ = os.RemoveAll(out) }() // with the whole folder at the latest
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

// time runs a command to its end.
func (c *clients) time(ctx context.Context, files int, bytes int64, name string, args ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "GRANARY_SERVER=http://"+c.s.host, "GRANARY_TOKEN="+c.s.token)
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

// printClients prints medians and ratios as printTable does.
func printClients(w io.Writer, results []result) error {
	if len(results) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nclient\tgranary\tcurl\tratio (min..max)\tRSS granary\trounds")
	for _, r := range results {
		unit := "%.0f files/s"
		if r.large {
			unit = "%.0f MB/s"
		}
		most := int64(0)
		for _, s := range r.samples[0] {
			most = max(most, s.memory)
		}
		fmt.Fprintf(t, "%s\t"+unit+"\t"+unit+"\t%s\t%d MiB\t%d\n", r.name, median(values(r.samples[0], r.rate)),
			median(values(r.samples[1], r.rate)), r.ratio(0, 1), most>>20, len(r.samples[0]))
	}
	return t.Flush()
}
