// Package metadbtest gives tests PostgreSQL servers and fresh databases in
// them. A machine without PostgreSQL fails the tests: what was not tried was
// not passed. -short leaves them out.
package metadbtest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Wanted reports whether this pass of the tests is the one on PostgreSQL:
// GRANARY_TEST_DATABASE=postgres.
func Wanted() bool { return os.Getenv("GRANARY_TEST_DATABASE") == "postgres" }

// shared is the server of the whole process, and its template.
type shared struct {
	once     sync.Once
	postgres *Server
	err      error
	made     atomic.Int64
}

var server shared

const template = "granary_template"

// Postgres is the DSN of a fresh database that only this test has: a copy of
// one that prepare filled, once in a process. It does not sync, for nobody needs
// what is in it after a crash of the machine.
func Postgres(tb testing.TB, prepare func(dsn string) error) string {
	tb.Helper()
	skipIfShort(tb)
	server.once.Do(func() {
		if server.postgres, server.err = start("fsync=off", "full_page_writes=off"); server.err != nil {
			return
		}
		if server.err = server.postgres.run(`CREATE DATABASE ` + template); server.err == nil {
			server.err = prepare(server.postgres.DSN(template))
		}
	})
	if server.err != nil {
		tb.Fatal(server.err)
	}
	name := fmt.Sprint("test_", server.made.Add(1))
	if err := server.postgres.run(`CREATE DATABASE ` + name + ` TEMPLATE ` + template); err != nil {
		tb.Fatal(err)
	}
	// It stays until the process ends: a drop waits for a checkpoint.
	return server.postgres.DSN(name)
}

// NewServer is a server of its own for a test that stops it, with an empty
// database "granary". It syncs: what it acknowledged survives Kill.
func NewServer(tb testing.TB) *Server {
	tb.Helper()
	skipIfShort(tb)
	c, err := start()
	if err == nil {
		err = c.run(`CREATE DATABASE granary`)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.end)
	return c
}

// skipIfShort leaves a test out of `make test-fast`, which starts no other program.
func skipIfShort(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("-short: it needs PostgreSQL")
	}
}

// Run runs a statement as the server's owner.
func (c *Server) Run(tb testing.TB, statement string) {
	tb.Helper()
	if err := c.run(statement); err != nil {
		tb.Fatal(err)
	}
}

// run runs a statement as the server's owner.
func (c *Server) run(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	if err != nil {
		verb, _, _ := strings.Cut(statement, " ")
		return fmt.Errorf("%s: %w", verb, err)
	}
	return nil
}
