package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	redrawEvery = 200 * time.Millisecond // on a terminal
	tellEvery   = 10 * time.Second       // in a log
)

// progress shows how far a transfer is: on a terminal one line that changes, elsewhere
// a plain line now and then, with --quiet nothing.
type progress struct {
	w        io.Writer
	terminal bool
	width    func() int
	verb     string
	files    int
	size     int64

	mu    sync.Mutex
	done  int   // files
	moved int64 // bytes
	rate  float64
	last  int64 // moved at the last tick
	stop  chan struct{}
	ended sync.WaitGroup
}

// newProgress starts the display. size is -1 if it is not known.
func newProgress(env Env, quiet bool, verb string, files int, size int64) *progress {
	p := &progress{w: raw(env.Stderr), verb: verb, files: files, size: size, stop: make(chan struct{})}
	if quiet {
		return p
	}
	every := tellEvery
	if fd, ok := terminal(env.Stderr); ok {
		every, p.terminal = redrawEvery, true
		p.width = func() int {
			width, _, err := term.GetSize(fd)
			if err != nil {
				return 80
			}
			return width
		}
	}
	p.ended.Go(func() { p.tell(every) })
	return p
}

func (p *progress) tell(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			if p.terminal {
				fmt.Fprint(p.w, clearLine)
			}
			return
		case <-tick.C:
		}
		p.mu.Lock()
		now := float64(p.moved-p.last) / every.Seconds()
		p.rate += (now - p.rate) * min(1, max(0.2, every.Seconds()/tellEvery.Seconds())) // recent ticks count most
		p.last = p.moved
		line := p.line()
		p.mu.Unlock()
		if p.terminal {
			fmt.Fprint(p.w, "\r"+line[:min(len(line), max(0, p.width()-1))]+"\x1b[K")
		} else {
			fmt.Fprintln(p.w, line)
		}
	}
}

// line is ASCII, so that it can be cut anywhere.
func (p *progress) line() string {
	parts := []string{formatBytes(p.moved)}
	if p.files > 1 {
		parts = []string{fmt.Sprintf("%d of %d files", p.done, p.files), formatBytes(p.moved)}
	}
	if p.size >= 0 {
		parts[len(parts)-1] += " of " + formatBytes(p.size)
	}
	if p.rate > 0 {
		parts = append(parts, formatBytes(int64(p.rate))+"/s")
		if left := p.size - p.moved; left > 0 {
			parts = append(parts, formatLeft(time.Duration(float64(left)/p.rate*float64(time.Second)))+" left")
		}
	}
	return p.verb + ": " + strings.Join(parts, ", ")
}

// add counts bytes.
func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved += n
}

// fileDone counts a file.
func (p *progress) fileDone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
}

// reached sets what add and fileDone count up, and the number of all files.
func (p *progress) reached(done, files int, moved int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.files, p.moved = done, files, moved
}

// close ends the telling.
func (p *progress) close() {
	close(p.stop)
	p.ended.Wait()
}

func formatBytes(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/(1<<10), 0
	for value >= 1<<10 && unit < len(units)-1 {
		value, unit = value/(1<<10), unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}

func formatLeft(d time.Duration) string {
	if d > 100*time.Hour {
		return "days"
	}
	return d.Round(time.Second).String()
}
