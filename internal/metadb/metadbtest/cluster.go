package metadbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"granary/dev/servers"
)

// Cluster is a PostgreSQL server in a temporary directory, on a socket there and
// on a port of 127.0.0.1.
type Cluster struct {
	dir      string
	bin      string
	port     string
	settings []string
	as       *syscall.Credential // PostgreSQL refuses to run as root
	guard    io.Closer           // closed by the end of the process, however that comes
	guarded  *exec.Cmd
}

// DSN addresses a database of the server, over TCP.
func (c *Cluster) DSN(database string) string {
	return fmt.Sprintf("postgres://granary@127.0.0.1:%s/%s?sslmode=disable", c.port, database)
}

func start(settings ...string) (*Cluster, error) {
	bin, err := servers.PostgresPrograms()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin, settings: settings}
	if c.dir, err = os.MkdirTemp("", "granary-postgres-"); err != nil {
		return nil, err
	}
	err = c.setUp()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	return c, c.Start()
}

func (c *Cluster) setUp() error {
	var err error
	if c.as, err = servers.Unprivileged("postgres", c.dir); err != nil {
		return err
	}
	address, err := servers.FreeAddress(context.Background())
	if err != nil {
		return err
	}
	if _, c.port, err = net.SplitHostPort(address); err != nil {
		return err
	}
	err = c.command("initdb", "--pgdata="+c.data(), "--no-sync", "--no-instructions",
		"--encoding=UTF8", "--locale=C", "--auth=trust", "--username=granary")
	if err != nil {
		return err
	}
	return c.watch()
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// watch leaves a shell that ends the server and removes its directory as soon
// as this process is gone: its input closes then.
func (c *Cluster) watch() error {
	const script = `cat >/dev/null; "$1/pg_ctl" -D "$2/data" -m immediate stop >/dev/null 2>&1; rm -rf "$2"`
	c.guarded = exec.Command("/bin/sh", "-c", script, "sh", c.bin, c.dir)
	c.guarded.Dir = c.dir
	c.guarded.SysProcAttr = &syscall.SysProcAttr{Credential: c.as, Setpgid: true}
	in, err := c.guarded.StdinPipe()
	if err != nil {
		return err
	}
	c.guard = in
	return c.guarded.Start()
}

// Start starts the server and waits until it answers.
func (c *Cluster) Start() error {
	options := fmt.Sprintf("-c port=%s -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s", c.port, c.dir)
	for _, s := range slices.Concat([]string{"max_connections=200", "shared_buffers=32MB", "log_min_messages=fatal"}, c.settings) {
		options += " -c " + s
	}
	return c.command("pg_ctl", "-D", c.data(), "-l", filepath.Join(c.dir, "log"), "-o", options, "-w", "-t", "60", "start")
}

// Kill ends the server as a crash would: nothing is finished, and the next start
// recovers.
func (c *Cluster) Kill() error {
	return c.command("pg_ctl", "-D", c.data(), "-m", "immediate", "-w", "stop")
}

func (c *Cluster) end() {
	_ = c.guard.Close()
	_ = c.guarded.Wait() // of a shell whose last word is rm
}

func (c *Cluster) command(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(c.bin, name), args...) //nolint:gosec // PostgreSQL's own commands
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	out, err := os.CreateTemp("", "granary-"+name+"-") // not a pipe: the server would keep it open
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
		return fmt.Errorf("%s: %w\n%s%s", name, err, said, log)
	}
	return nil
}
