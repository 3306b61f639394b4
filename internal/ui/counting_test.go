package ui_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"testing"

	"granary/internal/metadb"
)

// asked are the queries of a database so far.
type asked struct {
	atomic.Int64
	fails atomic.Int64 // the number of the query that fails; 0 for none, -1 for every one
}

// errGone is what a query returns that fails.
var errGone = errors.New("the network is gone")

// another counts a query.
func (a *asked) another() error {
	n := a.Add(1)
	if at := a.fails.Load(); at < 0 || at == n {
		return errGone
	}
	return nil
}

// countReads counts the queries of the database's reads from now on, each time that one
// runs.
func countReads(t *testing.T, db *metadb.DB) *asked {
	t.Helper()
	n := &asked{}
	from := db.Reads
	db.Reads = sql.OpenDB(countedConnector{from, n})
	db.Reads.SetMaxOpenConns(4)
	counting := db.Reads
	t.Cleanup(func() {
		db.Reads = from
		if err := counting.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// countedConnector hands out connections of a database that count.
type countedConnector struct {
	from *sql.DB
	n    *asked
}

func (c countedConnector) Driver() driver.Driver { return c.from.Driver() }

// Connect borrows a connection of the database.
func (c countedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	borrowed, err := c.from.Conn(ctx)
	if err != nil {
		return nil, err
	}
	conn := &countedConn{borrowed: borrowed, n: c.n}
	return conn, borrowed.Raw(func(inner any) error {
		conn.Conn = inner.(driver.Conn)
		return nil
	})
}

type countedConn struct {
	driver.Conn
	borrowed *sql.Conn
	n        *asked
}

func (c *countedConn) Close() error { return c.borrowed.Close() }

// BeginTx implements driver.ConnBeginTx. What begins a transaction is no query.
func (c *countedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

// CheckNamedValue implements driver.NamedValueChecker.
func (c *countedConn) CheckNamedValue(v *driver.NamedValue) error {
	if inner, ok := c.Conn.(driver.NamedValueChecker); ok {
		return inner.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// QueryContext implements driver.QueryerContext.
func (c *countedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.n.another(); err != nil {
		return nil, err
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

// ExecContext implements driver.ExecerContext.
func (c *countedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *countedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	inner, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	return &countedStmt{inner, c}, err
}

// countedStmt is a prepared statement.
type countedStmt struct {
	driver.Stmt
	conn *countedConn
}

// QueryContext implements driver.StmtQueryContext.
func (s *countedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.conn.n.another(); err != nil {
		return nil, err
	}
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

// ExecContext implements driver.StmtExecContext.
func (s *countedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}
