// Package servers starts the real programs that tests, `make cluster` and `make
// bench` need: PostgreSQL, an S3-compatible server, nginx, and granary.
package servers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Process is one program. It may be stopped or killed and started again; its
// methods are not for concurrent use.
type Process struct {
	Name   string                      // in messages
	Log    string                      // file with all it printed
	Args   []string                    // the program first
	Env    []string                    // in addition to our own
	User   *syscall.Credential         // nil for ours
	Ready  func(context.Context) error // nil once it answers
	Polite os.Signal                   // asks it to end; nil for SIGTERM
	Stays  bool                        // it is not killed at our end: somebody else ends it then

	cmd    *exec.Cmd
	exited chan struct{}
}

const (
	startLimit = 60 * time.Second
	stopLimit  = 40 * time.Second
)

// Start runs the program and waits until it is ready, a minute at most. The
// error holds what it printed. It runs on when ctx is done: Stop ends it.
func (p *Process) Start(ctx context.Context) error {
	out, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(p.Args[0], p.Args[1:]...) //nolint:noctx // it is ended in order, not by a context
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stdout, cmd.Stderr = out, out
	// Ctrl-C reaches only this process; if it is killed, all its programs end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.User}
	if !p.Stays {
		dieWithUs(cmd.SysProcAttr)
	}
	if p.User != nil {
		cmd.Dir = filepath.Dir(p.Log)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is in its log
		// What it started and left behind; most often there is nothing.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}()
	p.cmd, p.exited = cmd, exited
	return p.await(ctx)
}

func (p *Process) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := p.Ready(ctx)
		select {
		case <-p.exited: // so another program answered at its address
			return p.failed(errors.New("it ended"))
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
		case <-ctx.Done():
			return p.failed(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *Process) failed(err error) error {
	text, _ := os.ReadFile(p.Log)
	return fmt.Errorf("%s did not start: %w; it printed:\n%s", p.Name, err, text)
}

// Pid is the program's while it runs, else 0.
func (p *Process) Pid() int {
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// End sends a signal and waits for the end, which is made certain after 40 s.
// Ending it twice is ending it once.
func (p *Process) End(signal os.Signal) {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(signal) // it may have ended already
	select {
	case <-p.exited:
	case <-time.After(stopLimit):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	p.cmd = nil
}

// Stop ends it in order.
func (p *Process) Stop() {
	if p.Polite == nil {
		p.End(syscall.SIGTERM)
		return
	}
	p.End(p.Polite)
}

// Kill ends it as a crash would.
func (p *Process) Kill() { p.End(syscall.SIGKILL) }

// Answers is ready once a URL answers with a status below 500.
func Answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode >= 500 {
			return errors.New(url + " answers " + resp.Status)
		}
		return nil
	}
}

// Ports of FreeAddress. Linux gives ports from 32768 to outgoing connections, each of
// which could take an address between its choice and the start of the program.
const lowestPort, highestPort = 10000, 32767

// FreeAddress is an address on loopback that no program listens on now, and that the
// kernel gives to nobody who does not ask for it by number.
func FreeAddress(ctx context.Context) (string, error) {
	var last error
	for range 100 {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1) //nolint:gosec // any free port will do
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}
		return l.Addr().String(), l.Close()
	}
	return "", fmt.Errorf("none of 100 ports on loopback is free: %w", last)
}
