package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const ticksPerSecond = 100 // of /proc; the same on every Linux that Go runs on

// processes is all that ran at one moment, by number.
type processes map[int]procStat

// readProcesses costs a few milliseconds of CPU.
func readProcesses() processes {
	all := processes{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // it ended
		}
		if s, err := parseStat(string(raw)); err == nil {
			all[s.pid] = s
		}
	}
	return all
}

// tree is a process and all its descendants.
func (all processes) tree(pid int) []int {
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		for _, s := range all {
			if s.parent == tree[i] {
				tree = append(tree, s.pid)
			}
		}
	}
	return tree
}

// cpu is the seconds that a process and its descendants have used so far.
func (all processes) cpu(pid int) (sum float64) {
	for _, pid := range all.tree(pid) {
		sum += all[pid].cpu
	}
	return sum
}

// procStat is what the bench needs of /proc/PID/stat.
type procStat struct {
	pid, parent int
	cpu         float64 // seconds, with those of children that ended
}

func parseStat(line string) (procStat, error) {
	// The second field is the command in brackets, and may hold anything.
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return procStat{}, fmt.Errorf("no command in %q", line)
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 15 {
		return procStat{}, fmt.Errorf("too few fields in %q", line)
	}
	var s procStat
	var err error
	if s.pid, err = strconv.Atoi(strings.TrimSpace(line[:open])); err != nil {
		return s, err
	}
	if s.parent, err = strconv.Atoi(fields[1]); err != nil {
		return s, err
	}
	ticks := 0
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.Atoi(f)
		if err != nil {
			return s, err
		}
		ticks += n
	}
	s.cpu = float64(ticks) / ticksPerSecond
	return s, nil
}

// resetPeak makes the kernel measure the peak of resident memory from now on.
func resetPeak(pids []int) error {
	for _, pid := range pids {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
			return err
		}
	}
	return nil
}

// peakMemory is the sum of the peaks since resetPeak, in bytes. Pages that
// processes share count once for each.
func peakMemory(pids []int) (sum int64) {
	for _, pid := range pids {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		sum += parsePeak(string(raw))
	}
	return sum
}

func parsePeak(status string) int64 {
	_, after, _ := strings.Cut(status, "VmHWM:")
	line, _, _ := strings.Cut(after, "\n")
	kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), "kB")), 10, 64)
	return kib << 10
}

// machineCPU is what all processes together have used since boot, with what
// other machines on the same iron took.
func machineCPU() float64 {
	raw, _ := os.ReadFile("/proc/stat")
	return parseMachine(string(raw))
}

func parseMachine(stat string) (busy float64) {
	line, _, _ := strings.Cut(stat, "\n")
	for i, f := range strings.Fields(line) {
		if i >= 1 && i <= 8 && i != 4 && i != 5 { // all but idle and iowait
			ticks, _ := strconv.ParseFloat(f, 64)
			busy += ticks / ticksPerSecond
		}
	}
	return busy
}

// ownCPU is what the bench itself has used, and the programs that it ran to
// their end.
func ownCPU() (sum float64) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if err := syscall.Getrusage(who, &r); err == nil {
			sum += time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
		}
	}
	return sum
}

// syncDisk returns when all that was written to dir's file system is on the
// disk. The command costs a millisecond and saves a system call that the
// standard library does not name.
func syncDisk(ctx context.Context, dir string) error {
	return exec.CommandContext(ctx, "sync", "-f", dir).Run()
}

func freeDisk(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// removeLarge removes the files of that size, and leaves the others: for minutes
// after many were removed, ext4 creates new ones several times slower.
func removeLarge(dir string, size int64) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // a server tidies at the same time
			return nil
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Size() == size {
			err = os.Remove(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}
