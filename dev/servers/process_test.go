package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A program that ends at once fails the start, with what it said, even if
// somebody else answers in its place.
func TestStartOfWhatEnds(t *testing.T) {
	for name, answer := range map[string]error{"answered": nil, "unanswered": errors.New("not yet")} {
		p := &Process{
			Name: "the program", Log: filepath.Join(t.TempDir(), "log"), Args: []string{"sh", "-c", "echo no room; exit 1"},
		}
		p.Ready = func(context.Context) error { <-p.exited; return answer }
		if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "the program") || !strings.Contains(err.Error(), "no room") {
			t.Errorf("%s: %v", name, err)
		}
		p.Stop()
	}
}

// A program ends as it is asked to, with what it started, and starts again.
func TestStopAndStart(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }
	p := &Process{
		Name: "the program", Log: filepath.Join(dir, "log"), Env: []string{"DIR=" + dir},
		Args: []string{"sh", "-c", `trap 'touch "$DIR/polite"; exit' TERM; touch "$DIR/ready"; while :; do sleep 0.01; done`},
		Ready: func(context.Context) error {
			if !file("ready") {
				return errors.New("not yet")
			}
			return nil
		},
	}
	for _, c := range []struct {
		end    func()
		polite bool
	}{{p.Kill, false}, {p.Stop, true}, {p.Stop, true}} {
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p.Pid() == 0 {
			t.Error("it runs without a number")
		}
		c.end()
		c.end() // twice is once
		if p.Pid() != 0 || file("polite") != c.polite {
			t.Errorf("pid %d, asked politely %v, want %v", p.Pid(), file("polite"), c.polite)
		}
		if err := os.Remove(filepath.Join(dir, "ready")); err != nil {
			t.Fatal(err)
		}
	}
}

// No outgoing connection can take an address before its program listens on it.
func TestFreeAddressStaysFree(t *testing.T) {
	lowest := highestPort + 1
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if _, err := fmt.Sscan(string(text), &lowest); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		address, err := FreeAddress(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var port int
		if _, err := fmt.Sscanf(address, "127.0.0.1:%d", &port); err != nil || port < lowestPort || port >= lowest {
			t.Errorf("%s, %v: outgoing connections have ports from %d", address, err, lowest)
		}
	}
}
