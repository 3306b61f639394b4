package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// Postgres prepares Debian's PostgreSQL with an empty database in dir, and says
// how to reach it. It is as safe as by default: it syncs. settings are its own, such
// as "fsync=off"; the folder of its data is "postgres/data" in dir.
func Postgres(ctx context.Context, dir string, settings ...string) (p *Process, dsn string, err error) {
	bin, err := PostgresPrograms()
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
	home := filepath.Join(dir, "postgres")
	if err := os.Mkdir(home, 0o755); err != nil {
		return nil, "", err
	}
	account, err := Unprivileged("postgres", home)
	if err != nil {
		return nil, "", err
	}
	data := filepath.Join(home, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "granary", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = &syscall.SysProcAttr{Credential: account}, home
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("initdb: %w\n%s", err, out)
	}
	args := []string{filepath.Join(bin, "postgres"), "-D", data, "-h", host, "-p", port, "-k", "", "-c", "max_connections=200"}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	dsn = "postgres://granary@" + address + "/postgres?sslmode=disable"
	return &Process{
		Name: "PostgreSQL", Log: filepath.Join(home, "log"), User: account, Polite: syscall.SIGINT,
		Args: args,
		Ready: func(ctx context.Context) error {
			return exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "-q", "-h", host, "-p", port).Run()
		},
	}, dsn, nil
}

// PostgresPrograms is the folder of initdb and PostgreSQL's other programs: the newest
// of Debian's, or that of the initdb in PATH.
func PostgresPrograms() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		path, err := exec.LookPath("initdb")
		if err != nil {
			return "", errors.New("PostgreSQL 15 or later is not here: run tools/install-test-deps, or apt-get install postgresql-15")
		}
		return filepath.Dir(path), nil
	}
	version := func(initdb string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}
