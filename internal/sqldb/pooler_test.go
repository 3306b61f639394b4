package sqldb

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"granary/internal/metadb/metadbtest"
)

// worded is an address with one more word.
func worded(t *testing.T, dsn, name, value string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	must(t, u, err)
	words := u.Query()
	words.Set(name, value)
	u.RawQuery = words.Encode()
	return u.String()
}

// The settings of a connection also hold behind a pooler in session mode, on each
// connection, and those of the address take precedence: but a commit waits for the
// disk.
func TestSettingsOfConnections(t *testing.T) {
	plain := metadbtest.Postgres(t, migrated)
	for way, dsn := range map[string]string{"directly": plain, "through PgBouncer": metadbtest.Pooler(t, plain, "session")} {
		t.Run(way, func(t *testing.T) {
			check := func(dsn string, want map[string]string) {
				t.Helper()
				db, err := openServer(t.Context(), dsn, files(), Options{})
				must(t, db, err)
				for range 3 { // another connection each time
					conn, err := db.Reads.Conn(t.Context())
					must(t, conn, err)
					defer conn.Close()
					for name, value := range want {
						var is string
						if err := conn.QueryRowContext(t.Context(), `SELECT current_setting($1)`, name).Scan(&is); err != nil || is != value {
							t.Errorf("%s: %s is %q, %v, want %q", dsn, name, is, err, value)
						}
					}
				}
				t.Cleanup(func() { must(t, 0, db.Close()) })
			}
			check(dsn, map[string]string{
				"application_name": "granary", "statement_timeout": "30s", "lock_timeout": "15s", "idle_in_transaction_session_timeout": "1min",
				"default_transaction_isolation": "read committed", "synchronous_commit": "on",
				"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
			})
			own := worded(t, worded(t, worded(t, dsn, "statement_timeout", "7s"), "synchronous_commit", "off"), "work_mem", "5MB")
			check(own, map[string]string{"statement_timeout": "7s", "lock_timeout": "15s", "synchronous_commit": "on", "work_mem": "5MB"})

			_, err := openServer(t.Context(), worded(t, dsn, "no_such_thing", "7"), files(), Options{})
			if err == nil || !strings.Contains(err.Error(), "no_such_thing") || strings.Contains(err.Error(), "TLS (") || strings.Contains(err.Error(), "sslmode") {
				t.Errorf("a word that is no setting: %v", err)
			}
		})
	}
}

// A pooler that lends connections for less than a session is refused, by an error that
// names its mode, whether it is idle or busy, before anything is written.
func TestPoolerModes(t *testing.T) {
	for _, mode := range []string{"transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			server := metadbtest.NewServer(t)
			dsn := metadbtest.Pooler(t, server.DSN("granary"), mode)
			refused := func(when string) {
				t.Helper()
				began := time.Now()
				db, err := openServer(t.Context(), dsn, files(), Options{})
				if err == nil {
					t.Fatal(errors.Join(errors.New(when+" it was taken"), db.Close()))
				}
				if text := err.Error(); !strings.Contains(text, "a pooler in "+mode+" mode stands between") || !strings.Contains(text, "pool_mode = session") || time.Since(began) > startWait/2 {
					t.Errorf("%s: %v", when, err)
				}
			}
			refused("alone")
			if mode == "transaction" {
				busy, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				for range 8 {
					go func() { defer func() { done <- struct{}{} }(); keepBusy(busy, dsn) }()
				}
				for range 5 {
					refused("beside others")
				}
				stop()
				for range 8 {
					<-done
				}
			}
			conn, err := pgconn.Connect(t.Context(), server.DSN("granary"))
			must(t, conn, err)
			defer conn.Close(t.Context())
			tables, err := ask(t.Context(), conn, `SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'`)
			if must(t, tables, err) != "0" {
				t.Errorf("%s tables were made", tables)
			}
		})
	}
}

// If TLS is only tried first, as by default on this machine, an error that a server
// sends in plain text has no advice about TLS.
func TestNoAdviceOnTLS(t *testing.T) {
	server := metadbtest.NewServer(t)
	through := metadbtest.Pooler(t, server.DSN("granary"), "session")
	for _, tc := range []struct{ dsn, want string }{
		{at(t, server.DSN("missing"), "127.0.0.1", ""), `database "missing" does not exist`},
		{at(t, through, "127.0.0.1", "options=-c%20geqo%3Doff"), "unsupported startup parameter: options"},
		{at(t, metadbtest.Pooler(t, server.DSN("granary"), "transaction"), "127.0.0.1", ""), "a pooler in transaction mode"},
	} {
		db, err := openServer(t.Context(), tc.dsn, files(), Options{})
		if err == nil {
			t.Error(errors.Join(errors.New(tc.want), db.Close()))
			continue
		}
		if text := err.Error(); !strings.Contains(text, tc.want) || strings.Contains(text, "ssl = on") || strings.Contains(text, "sslmode") {
			t.Errorf("want %q and no advice on TLS: %v", tc.want, err)
		}
	}
}

// keepBusy runs transactions of some milliseconds.
func keepBusy(ctx context.Context, dsn string) {
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return
	}
	defer conn.Close(context.Background())
	for ctx.Err() == nil {
		_, _ = ask(ctx, conn, `BEGIN; SELECT pg_sleep(random() * 0.01); COMMIT`)
	}
}

// Locks hold behind a pooler in session mode, and are released when a connection ends:
// one at a time does the exclusive work.
func TestExclusiveBehindPooler(t *testing.T) {
	plain := metadbtest.Postgres(t, migrated)
	dsn := metadbtest.Pooler(t, plain, "session")
	one, err := openServer(t.Context(), dsn, files(), Options{MaxConnections: 4})
	closing(t, one, err)
	other, err := openServer(t.Context(), plain, files(), Options{MaxConnections: 4})
	closing(t, other, err)
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- one.Exclusive(t.Context(), "work", func(ctx context.Context) error {
			close(begun)
			<-ctx.Done()
			return nil
		})
	}()
	<-begun
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := other.Exclusive(short, "work", func(context.Context) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the lock is had by two: %v", err)
	}
	_, err = List(t.Context(), other, func(row Scanner) (cut bool, err error) { return cut, row.Scan(&cut) },
		`SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE l.locktype = 'advisory'
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	must(t, 0, err)
	must(t, 0, other.Exclusive(t.Context(), "work", func(context.Context) error { return nil }))
	if err := <-ended; !errors.Is(err, ErrLockLost) {
		t.Errorf("who lost the lock got %v", err)
	}
}

// Waiting for a server that becomes silent before a connection is set up ends.
func TestBeginningIsBounded(t *testing.T) {
	config, err := postgresConfig(worded(t, metadbtest.Postgres(t, migrated), "connect_timeout", "1"))
	must(t, config, err)
	onConnect(config, func(ctx context.Context, conn *pgconn.PgConn) error {
		_, err := ask(ctx, conn, `SELECT pg_sleep(60)`)
		return err
	})
	if _, err := pgconn.ConnectConfig(t.Context(), &config.Config); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want an end of waiting", err)
	}
}
