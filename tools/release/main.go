// Command release makes all that is published of a version of granary: programs, archives,
// packages, an image, lists of what is in them, and their sums. `make release
// VERSION=v1.2.3` calls it. Two runs on one commit, with one version of Go, write the same
// bytes, wherever they run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is one version of granary, as it is being made.
type release struct {
	version    string    // such as v1.2.3
	commit     string    // in hexadecimal, whole
	date       time.Time // the commit's: every file has it
	source     string    // the folder of granary's go.mod
	work       string    // what is made on the way
	out        string    // the folder of what is published
	maintainer string    // NAME <ADDRESS>, of the packages
	baseURL    string    // where the files of out will be, without a slash at the end; "" if nobody knows yet
	keyFile    string    // minisign's secret key, not encrypted; "" to sign nothing
	log        io.Writer
}

// number is the version as packages have it: without the v.
func (r *release) number() string { return strings.TrimPrefix(r.version, "v") }

// run is the command; getenv gives the variables SOURCE_DATE_EPOCH and MINISIGN_KEY_FILE.
func run(ctx context.Context, args []string, getenv func(string) string, log io.Writer) error {
	r := &release{keyFile: getenv("MINISIGN_KEY_FILE"), log: log}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.StringVar(&r.version, "version", "", "the version, such as v1.2.3 or v1.3.0-rc.1")
	flags.StringVar(&r.source, "source", "../..", "the folder of granary's sources")
	flags.StringVar(&r.out, "out", "", "the new folder for what is made")
	flags.StringVar(&r.baseURL, "base-url", "", "where the files will be: for Homebrew and scoop, which are left out without it")
	flags.StringVar(&r.maintainer, "maintainer", "the granary authors <maintainers@granary.invalid>", "of the packages")
	only := flags.String("only", "", "one system alone, such as linux/amd64")
	if err := flags.Parse(args); err != nil {
		return err
	}
	targets, err := chosen(*only)
	if err != nil {
		return err
	}
	if err := r.check(ctx, getenv("SOURCE_DATE_EPOCH")); err != nil {
		return err
	}
	return r.make(ctx, targets)
}

// check refuses what no release can be made of, and finds out the commit and its time.
func (r *release) check(ctx context.Context, epoch string) (err error) {
	if !regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`).MatchString(r.version) {
		return fmt.Errorf("the version %q is none of a release: want one such as VERSION=v1.2.3 or v1.3.0-rc.1", r.version)
	}
	if r.source, err = filepath.Abs(r.source); err != nil {
		return err
	}
	if r.out == "" {
		return errors.New("-out names no folder for what is made")
	}
	if r.out, err = filepath.Abs(r.out); err != nil {
		return err
	}
	if _, err := os.Lstat(r.out); err == nil {
		return fmt.Errorf("%s is there already: remove it to make the release again", r.out)
	}
	r.baseURL = strings.TrimRight(r.baseURL, "/")
	if !fitsFormulas(r.baseURL) {
		return fmt.Errorf("-base-url %q is no address that starts with https:// and has neither query nor blanks", r.baseURL)
	}
	if r.keyFile != "" {
		if _, err := readKey(r.keyFile); err != nil {
			return err
		}
	}
	changed, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("a release is made of a commit, but these files differ from it:\n%s", changed)
	}
	if r.commit, err = r.git(ctx, "rev-parse", "HEAD"); err != nil {
		return err
	}
	if epoch == "" {
		if epoch, err = r.git(ctx, "log", "-1", "--format=%ct"); err != nil {
			return err
		}
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 {
		return fmt.Errorf("SOURCE_DATE_EPOCH %q is no number of seconds since 1970", epoch)
	}
	r.date = time.Unix(seconds, 0).UTC()
	return nil
}

func (r *release) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.source
	said, err := output(cmd)
	return strings.TrimSpace(said), err
}

// output is what a command prints; if it fails, its messages are in the error.
func output(cmd *exec.Cmd) (string, error) {
	var messages strings.Builder
	cmd.Stderr = &messages
	said, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, messages.String())
	}
	return string(said), nil
}

// make writes the whole release beside its folder, and moves it there when it is whole.
func (r *release) make(ctx context.Context, targets []target) (err error) {
	whole := r.out
	if err := os.MkdirAll(filepath.Dir(whole), 0o755); err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "granary-release-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.work)) }()
	if r.out, err = os.MkdirTemp(filepath.Dir(whole), ".release-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.out)) }() // gone already if all went well
	programs := map[target]string{}
	for _, t := range append([]target{here()}, targets...) {
		if programs[t] != "" {
			continue
		}
		if programs[t], err = r.build(ctx, t); err != nil {
			return err
		}
	}
	if err := r.pack(ctx, targets, programs); err != nil {
		return err
	}
	if err := os.Chmod(r.out, 0o755); err != nil {
		return err
	}
	if err := os.Rename(r.out, whole); err != nil {
		return err
	}
	r.say("%s is whole", whole)
	return nil
}

// pack makes from the programs of the targets, and of the system here, all that is published.
func (r *release) pack(ctx context.Context, targets []target, programs map[target]string) error {
	pages, err := r.writePages(ctx, programs[here()])
	if err != nil {
		return err
	}
	var packed []parts
	for _, t := range targets {
		licences, err := r.writeLicences(ctx, t, programs[t])
		if err != nil {
			return err
		}
		p := parts{target: t, program: programs[t], licences: licences, pages: pages}
		packed = append(packed, p)
		if err := r.writeSBOM(p); err != nil {
			return err
		}
		if err := r.writeArchive(p); err != nil {
			return err
		}
		if err := r.writePackages(p); err != nil {
			return err
		}
	}
	if err := r.writeImage(packed); err != nil {
		return err
	}
	if err := r.writeFormulas(packed); err != nil {
		return err
	}
	return r.writeSums()
}

func (r *release) say(format string, args ...any) { fmt.Fprintf(r.log, format+"\n", args...) }
