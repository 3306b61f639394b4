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

// atStartup are the parameters that go with the request for a connection: the
// first two are known to every pooler, the others can be given in no other way.
func atStartup() []string {
	return []string{"application_name", "client_encoding", "options", "replication"}
}

// beginWith has every connection begin with these settings, behind those that it
// began with before. A pooler refuses startup parameters that it does not know, so
// they are set once the connection is there.
func beginWith(config *pgx.ConnConfig, settings map[string]string) {
	calls, values := make([]string, 0, len(settings)), make([][]byte, 0, 2*len(settings))
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		calls = append(calls, fmt.Sprintf("set_config($%d, $%d, false)", len(values)+1, len(values)+2))
		values = append(values, []byte(name), []byte(settings[name]))
	}
	query := "SELECT " + strings.Join(calls, ", ")
	afterwards(config, func(ctx context.Context, conn *pgconn.PgConn) error {
		_, err := conn.ExecParams(ctx, query, values, nil, nil, nil).Close()
		return err
	})
}

// waitForDisk has every commit wait for the disk, whatever the settings before
// said: a 201 is a promise.
func waitForDisk(ctx context.Context, conn *pgconn.PgConn) error {
	_, err := ask(ctx, conn, `SELECT set_config('synchronous_commit', 'on', false)
		WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

// afterwards has every connection end its beginning with fn, within the limit of time
// for connecting (which AfterConnect would not be).
func afterwards(config *pgx.ConnConfig, fn func(context.Context, *pgconn.PgConn) error) {
	before := config.ValidateConnect
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if err := before(ctx, conn); err != nil {
			return err
		}
		return fn(ctx, conn)
	}
}

// rounds are how often checkPooler looks. In a pool that nobody else uses one is
// enough: it lends what came back last. In a busy one each round may miss.
const rounds = 20

// checkPooler refuses a pooler that lends a connection of the server for one
// transaction or statement: locks, settings and prepared statements would be left
// on whichever it was. Two connections of ours then meet on one of the server's, or
// one of ours does not find what it left there.
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
		return err // nobody is between, who would have a number of its own
	}
	other, err := pgconn.ConnectConfig(ctx, &config.Config)
	if err != nil {
		return err
	}
	defer other.Close(ctx)
	for range rounds {
		if err := meets(ctx, one, other); err != nil {
			return err
		}
	}
	return nil
}

// meets leaves a mark on one connection, and looks for it from both while the
// other is in a transaction.
func meets(ctx context.Context, one, other *pgconn.PgConn) error {
	mark := rand.Text()
	if _, err := ask(ctx, one, `SELECT set_config('granary.mark', '`+mark+`', false)`); err != nil {
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
	if theirs == mark || ours != mark {
		return poolerIn("transaction")
	}
	return nil
}

// poolerIn says what to do about a pooler in a mode that does not do.
func poolerIn(mode string) error {
	return fmt.Errorf("a pooler in %[1]s mode is between: it lends a connection for one %[1]s, but locks, settings and prepared statements belong to a connection; "+
		"set pool_mode = session for this database in PgBouncer, or name PostgreSQL itself in the address", mode)
}

// ask runs one statement without preparing it, and returns the text it answers; ""
// for NULL and for no rows.
func ask(ctx context.Context, conn *pgconn.PgConn, statement string) (string, error) {
	results, err := conn.Exec(ctx, statement).ReadAll()
	if err != nil || len(results) == 0 || len(results[0].Rows) == 0 {
		return "", err
	}
	return string(results[0].Rows[0][0]), nil
}
