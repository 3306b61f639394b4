package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const pgBouncerConf = `
[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = %s
listen_port = %s
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = %s
`

// PgBouncer prepares Debian's PgBouncer, as it is by default but for its mode of
// pooling (session, transaction or statement), before the server that dsn names,
// and says how to reach the same database through it. home must not be there yet.
func PgBouncer(ctx context.Context, home, dsn, mode string) (p *Process, through string, err error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/pgbouncer") // not in everyone's PATH
	}
	if err != nil {
		return nil, "", errors.New("PgBouncer is not here: tools/install-test-deps")
	}
	server, err := url.Parse(dsn)
	if err != nil {
		return nil, "", err
	}
	address, err := FreeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", err
	}
	if err := os.Mkdir(home, 0o755); err != nil {
		return nil, "", err
	}
	account, err := Unprivileged("postgres", home) // it refuses to run as root
	if err != nil {
		return nil, "", err
	}
	users, conf := filepath.Join(home, "users"), filepath.Join(home, "conf")
	err = errors.Join(
		os.WriteFile(users, fmt.Appendf(nil, "%q \"\"\n", server.User.Username()), 0o644),
		os.WriteFile(conf, fmt.Appendf(nil, pgBouncerConf, server.Hostname(), server.Port(), host, port, users, mode), 0o644))
	if err != nil {
		return nil, "", err
	}
	through = strings.Replace(dsn, server.Host, address, 1)
	return &Process{
		Name: "PgBouncer", Log: filepath.Join(home, "log"), User: account, Args: []string{program, conf},
		Ready: func(ctx context.Context) error {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			return conn.Close()
		},
	}, through, nil
}
