package metadbtest

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"granary/dev/servers"
)

// Server is a PostgreSQL server in a temporary directory, on a port of 127.0.0.1.
type Server struct {
	dir     string
	process *servers.Process
	dsn     string    // of the database "postgres"
	guard   io.Closer // closed by the end of the process, however that comes
	guarded *exec.Cmd
}

// DSN addresses a database of the server, over TCP.
func (c *Server) DSN(database string) string {
	at, err := url.Parse(c.dsn)
	if err != nil {
		return err.Error() // of what servers.Postgres made
	}
	at.Path = "/" + database
	return at.String()
}

func start(settings ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "granary-postgres-")
	if err != nil {
		return nil, err
	}
	c := &Server{dir: dir}
	if err := c.setUp(append(settings, "shared_buffers=32MB", "log_min_messages=fatal")); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, c.Start()
}

func (c *Server) setUp(settings []string) error {
	if err := os.Chmod(c.dir, 0o755); err != nil { //nolint:gosec // PostgreSQL runs as another account, and reads below it
		return err
	}
	var err error
	if c.process, c.dsn, err = servers.Postgres(context.Background(), c.dir, settings...); err != nil {
		return err
	}
	c.process.Stays = true
	return c.watch()
}

// data is the folder of the server's files.
func (c *Server) data() string { return filepath.Join(c.dir, "postgres", "data") }

// watch leaves a shell that ends the server and removes its directory as soon
// as this process is gone: its input closes then. A server that were killed
// outright would leave a piece of shared memory behind.
func (c *Server) watch() error {
	const script = `cat >/dev/null; at="$1/postgres/data/postmaster.pid"; read -r pid <"$at" && kill -QUIT "$pid"
		for i in $(seq 500); do [ -e "$at" ] || break; sleep 0.02; done; rm -rf "$1"`
	c.guarded = exec.Command("/bin/sh", "-c", script, "sh", c.dir)
	c.guarded.Dir = "/"
	c.guarded.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := c.guarded.StdinPipe()
	if err != nil {
		return err
	}
	c.guard = in
	return c.guarded.Start()
}

// Start starts the server and waits until it answers.
func (c *Server) Start() error { return c.process.Start(context.Background()) }

// Kill ends the server as a crash would: nothing is finished, and the next start
// recovers.
func (c *Server) Kill() error {
	if c.process.Pid() == 0 {
		return errors.New("PostgreSQL does not run")
	}
	c.process.End(syscall.SIGQUIT)
	return nil
}

func (c *Server) end() {
	_ = c.guard.Close()
	_ = c.guarded.Wait() // of a shell whose last word is rm
}
