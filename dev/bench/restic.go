package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

const (
	backedUp      = 20_000 // files of 100 KiB
	quickBackedUp = 500
	backedUpSize  = 100 << 10
)

// resticTable compares granary's backups of an idle server with those that restic makes of
// the folder with the same blobs.
type resticTable struct {
	*versionsTable
	data  string
	files int
	steps []resticStep
}

// resticStep is a command of each, and what it took round by round.
type resticStep struct {
	name            string
	granary, restic []string
	new             int // files that are published before, in hundredths of all

	took   [2][]float64 // seconds
	memory [2]int64     // most bytes
}

func resticSteps() []resticStep {
	return []resticStep{
		{name: "first backup", granary: []string{"backup"}, restic: []string{"backup"}},
		{name: "unchanged backup", granary: []string{"backup"}, restic: []string{"backup"}},
		{name: "nothing copied", granary: []string{"backup", "--dry-run"}},
		{name: "backup after 1 % new", granary: []string{"backup"}, restic: []string{"backup"}, new: 1},
		{name: "check", granary: []string{"backup", "check"}, restic: []string{"check"}},
		{name: "check of 5 %", granary: []string{"backup", "check", "--read-data-subset=5%"}, restic: []string{"check", "--read-data-subset=5%"}},
		{name: "check of all data", granary: []string{"backup", "check", "--read-data-subset=all"}, restic: []string{"check", "--read-data"}},
		{name: "fsck", granary: []string{"fsck"}},
		{name: "fsck of all data", granary: []string{"fsck", "--read-data"}},
	}
}

// compareRestic measures a server of its own and prints the table.
func compareRestic(ctx context.Context, w io.Writer, d *driver, o options) error {
	if !strings.Contains("restic", o.only) {
		return nil
	}
	if _, err := exec.LookPath("restic"); err != nil {
		return fmt.Errorf("restic, which backups are compared with: %w", err)
	}
	data := filepath.Join(d.dir, "backed-up")
	s, err := startGranary(ctx, data, o)
	if err != nil {
		return err
	}
	defer s.stop()
	s.token, s.prefix = o.token, o.packages()
	t := &resticTable{versionsTable: &versionsTable{d: d, s: s, o: o}, data: data, files: backedUp, steps: resticSteps()}
	if o.rounds == 1 {
		t.files = quickBackedUp
	}
	if err := t.add(ctx, "all", t.files); err != nil {
		return err
	}
	for round := range o.rounds {
		if err := t.round(ctx, round); err != nil {
			return fmt.Errorf("restic: %w", err)
		}
	}
	return t.print(w)
}

// add publishes files.
func (t *resticTable) add(ctx context.Context, name string, files int) error {
	paths := make([]string, files)
	for i := range paths {
		paths[i] = fmt.Sprintf("%s%s/1.%d.0/file.bin", t.s.prefix, name, i)
	}
	return t.publish(ctx, paths, backedUpSize, t.o.clients)
}

// round does all steps with each program, into new places. They stay until the end of the run:
// for half a minute after many files are removed, ext4 takes long to make others.
func (t *resticTable) round(ctx context.Context, round int) error {
	var places [2]string
	for n, name := range []string{"granary", "restic"} {
		places[n] = filepath.Join(t.d.dir, fmt.Sprintf("place-%s-%d", name, round))
	}
	if _, _, err := t.command(ctx, exec.CommandContext(ctx, "restic", "init", "--quiet", "--repo", places[1])); err != nil {
		return err
	}
	for i := range t.steps {
		step := &t.steps[i]
		if step.new > 0 {
			if err := t.add(ctx, fmt.Sprintf("new%d", round), t.files*step.new/100); err != nil {
				return err
			}
		}
		for n := range 2 {
			n = (n + round) % 2
			cmd := t.ours(ctx, step, places[0])
			if n == 1 {
				cmd = t.theirs(ctx, step, places[1])
			}
			if cmd == nil {
				continue
			}
			if err := syncDisk(ctx, t.d.dir); err != nil {
				return err
			}
			// A check comes long after its backup: both read the disk.
			if err := leaveMemory(places[n]); err != nil {
				return err
			}
			took, memory, err := t.command(ctx, cmd)
			if err != nil {
				return err
			}
			step.took[n], step.memory[n] = append(step.took[n], took), max(step.memory[n], memory)
			fmt.Fprintf(os.Stderr, "round %d  %-22s %-7s %.2f s\n", round+1, step.name, []string{"granary", "restic"}[n], took)
		}
	}
	return nil
}

// leaveMemory has the kernel forget what it keeps of the files of a place.
func leaveMemory(place string) error {
	return filepath.WalkDir(place, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // not made yet
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	})
}

func (t *resticTable) ours(ctx context.Context, step *resticStep, place string) *exec.Cmd {
	args := append(step.granary[:len(step.granary):len(step.granary)], "--data-dir="+t.data)
	if step.granary[0] == "backup" {
		args = append(args, "--to=file:"+place)
	}
	return exec.CommandContext(ctx, t.o.granary, args...)
}

func (t *resticTable) theirs(ctx context.Context, step *resticStep, place string) *exec.Cmd {
	if step.restic == nil {
		return nil
	}
	args := append(step.restic[:len(step.restic):len(step.restic)], "--quiet", "--repo", place)
	if step.restic[0] == "backup" {
		args = append(args, filepath.Join(t.data, "blobs"))
	}
	return exec.CommandContext(ctx, "restic", args...)
}

// command runs a program, and returns its seconds and most memory.
func (t *resticTable) command(ctx context.Context, cmd *exec.Cmd) (took float64, memory int64, err error) {
	cmd.Env = append(os.Environ(), "RESTIC_PASSWORD=bench", "RESTIC_CACHE_DIR="+filepath.Join(t.d.dir, "restic-cache"), "TMPDIR="+t.d.dir)
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, out)
	}
	took = time.Since(begun).Seconds()
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		memory = use.Maxrss << 10
	}
	return took, memory, ctx.Err()
}

func (t *resticTable) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\nbackups of %d files of 100 KiB\tgranary\trestic\tas fast (min..max)\tRSS granary\tRSS restic\trounds\n", t.files)
	for _, s := range t.steps {
		restic, ratio, memory := "-", "-", "-"
		if s.restic != nil {
			restic = fmt.Sprintf("%.2f s", median(s.took[1]))
			ratio, memory = inBrackets(ratiosOf(s.took[1], s.took[0])), fmt.Sprintf("%d MiB", s.memory[1]>>20)
		}
		fmt.Fprintf(table, "%s\t%.2f s\t%s\t%s\t%d MiB\t%s\t%d\n", s.name, median(s.took[0]), restic, ratio, s.memory[0]>>20, memory, len(s.took[0]))
	}
	return table.Flush()
}
