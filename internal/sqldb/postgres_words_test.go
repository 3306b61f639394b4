package sqldb

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"

	"granary/internal/fault"
)

// pgx's error about a database that does not answer becomes one line that names each
// address once.
func TestNoAnswerIsOneLine(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, ln, err)
	address := ln.Addr().String()
	must(t, 0, ln.Close())
	for _, mode := range []string{"disable", "prefer"} { // one attempt, and two
		config, err := postgresConfig("postgres://granary:secret@" + address + "/granary?sslmode=" + mode)
		must(t, config, err)
		conns := stdlib.OpenDB(*config)
		_, err = conns.Exec(`SELECT 1`)
		got := Classify(err)
		if want := "cannot connect to " + address + ": connection refused"; got == nil || got.Error() != want {
			t.Errorf("%s: %q\nwant %q", mode, got, want)
		}
		if !fault.Is(got, fault.Unavailable) || !errors.Is(got, err) {
			t.Errorf("%s: the cause is lost: %v", mode, got)
		}
		must(t, 0, conns.Close())
		_, err = openServer(t.Context(), "postgres://granary:secret@"+address+"/granary?sslmode="+mode, files(), Options{StartWait: 1})
		if want := "correct the address: cannot connect to " + address + ": connection refused"; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", mode, err, want)
		}
	}
}

// Names and sockets, several addresses, and what a server said.
func TestAttempts(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1:5432 (db.example.com): dial error: dial tcp 192.0.2.1:5432: connect: connection refused":                                                                                            "db.example.com (192.0.2.1:5432): connection refused",
		"[::1]:5432 (::1): dial error: dial tcp [::1]:5432: connect: connection refused":                                                                                                               "[::1]:5432: connection refused",
		"/run/pg/.s.PGSQL.5432 (/run/pg): dial error: dial unix /run/pg/.s.PGSQL.5432: connect: no such file or directory":                                                                             "/run/pg/.s.PGSQL.5432: no such file or directory",
		"192.0.2.1:1 (192.0.2.1): server error: FATAL: no (SQLSTATE 3D000)":                                                                                                                            "192.0.2.1:1: server error: FATAL: no (SQLSTATE 3D000)",
		"192.0.2.1:1 (a): dial error: timeout: context deadline exceeded\n192.0.2.1:1 (a): dial error: timeout: context deadline exceeded\n192.0.2.2:1 (a): failed to receive message: unexpected EOF": "a (192.0.2.1:1): timeout: context deadline exceeded; a (192.0.2.2:1): failed to receive message: unexpected EOF",
		"hostname resolving error: lookup db: no such host":                                                                                                                                            "hostname resolving error: lookup db: no such host",
	} {
		if got := attempts(text); got != want {
			t.Errorf("%q\nwant %q", got, want)
		}
	}
}
