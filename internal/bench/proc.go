package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const ticksPerSecond = 100 // of /proc; the same on every Linux that Go runs on

// processTree is a process and all its descendants, as they are now.
func processTree(pid int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // it ended
		}
		if s, err := parseStat(string(raw)); err == nil {
			children[s.parent] = append(children[s.parent], s.pid)
		}
	}
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree
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

// cpuSeconds is what these processes have used so far.
func cpuSeconds(pids []int) (sum float64) {
	for _, pid := range pids {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if s, err := parseStat(string(raw)); err == nil {
			sum += s.cpu
		}
	}
	return sum
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

// ownCPU is what the bench itself has used.
func ownCPU() float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
}

// syncDisk returns when all that was written to dir's file system is on the
// disk. The command costs a millisecond and saves a system call that the
// standard library does not name.
func syncDisk(ctx context.Context, dir string) error {
	return exec.CommandContext(ctx, "sync", "-f", dir).Run()
}

func freeDisk(dir string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}
