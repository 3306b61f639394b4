package sqldb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// atStartup are the parameters of the startup message: every pooler knows the first
// two, the others can be given in no other way.
func atStartup() []string {
	return []string{"application_name", "client_encoding", "options", "replication"}
}

// setOnConnect sets these settings on every new connection, after earlier ones. They
// are set by a query because a pooler refuses startup parameters that it does not
// know.
func setOnConnect(config *pgx.ConnConfig, settings map[string]string) {
	calls, values := make([]string, 0, len(settings)), make([][]byte, 0, 2*len(settings))
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		calls = append(calls, fmt.Sprintf("set_config($%d, $%d, false)", len(values)+1, len(values)+2))
		values = append(values, []byte(name), []byte(settings[name]))
	}
	query := "SELECT " + strings.Join(calls, ", ")
	onConnect(config, func(ctx context.Context, conn *pgconn.PgConn) error {
		_, err := conn.ExecParams(ctx, query, values, nil, nil, nil).Close()
		return err
	})
}

// waitForDisk makes every commit wait for the disk, whatever the other settings say: a
// 201 is a promise.
func waitForDisk(ctx context.Context, conn *pgconn.PgConn) error {
	_, err := ask(ctx, conn, `SELECT set_config('synchronous_commit', 'on', false)
		WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

// onConnect calls fn at the end of every connect, within the timeout for connecting
// (which does not cover AfterConnect).
func onConnect(config *pgx.ConnConfig, fn func(context.Context, *pgconn.PgConn) error) {
	before := config.ValidateConnect
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if err := before(ctx, conn); err != nil {
			return err
		}
		return fn(ctx, conn)
	}
}

// rounds is how many times checkPooler tries. An idle pool needs one: it lends the
// connection that was returned last. In a busy pool a try may find nothing.
const rounds = 20

// checkPooler refuses a pooler that lends a server's connection for one transaction or
// statement: locks, settings and prepared statements would stay on whichever it was.
// With such a pooler two of our connections share one of the server's, or one of ours
// loses a setting.
func checkPooler(ctx context.Context, config *pgx.ConnConfig) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	one, err := pgconn.ConnectConfig(ctx, &config.Config)
	if err != nil {
		return err
	}
	defer one.Close(ctx)
	backend, err := ask(ctx, one, `SELECT pg_backend_pid()`)
	if err != nil || backend == strconv.FormatUint(uint64(one.PID()), 10) {
		return err // a pooler would report a process id of its own
	}
	other, err := pgconn.ConnectConfig(ctx, &config.Config)
	if err != nil {
		return err
	}
	defer other.Close(ctx)
	for range rounds {
		if err := probePooler(ctx, one, other); err != nil {
			return err
		}
	}
	return nil
}

// probePooler makes a setting on one connection, and reads it from both while the
// other is in a transaction.
func probePooler(ctx context.Context, one, other *pgconn.PgConn) error {
	value := rand.Text()
	if _, err := ask(ctx, one, `SELECT set_config('granary.mark', '`+value+`', false)`); err != nil {
		return err
	}
	const look = `SELECT current_setting('granary.mark', true)`
	if _, err := ask(ctx, other, `BEGIN`); err != nil {
		if strings.Contains(err.Error(), "statement pooling mode") {
			return poolerIn("statement")
		}
		return err
	}
	theirs, err := ask(ctx, other, look)
	ours, err2 := ask(ctx, one, look)
	_, err3 := ask(ctx, other, `ROLLBACK`)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	if theirs == value || ours != value {
		return poolerIn("transaction")
	}
	return nil
}

// poolerIn is the error for a pooler in a mode that granary cannot use.
func poolerIn(mode string) error {
	return fmt.Errorf("a pooler in %[1]s mode stands between granary and the server: it lends a connection for one %[1]s, but locks, settings and prepared statements belong to a connection; "+
		"set pool_mode = session for this database in PgBouncer, or use the address of PostgreSQL itself", mode)
}

// ask runs one statement without preparing it, and returns the first text of its
// answer; "" for NULL and for no rows.
func ask(ctx context.Context, conn *pgconn.PgConn, statement string) (string, error) {
	results, err := conn.Exec(ctx, statement).ReadAll()
	if err != nil || len(results) == 0 || len(results[0].Rows) == 0 {
		return "", err
	}
	return string(results[0].Rows[0][0]), nil
}
