package sqldb

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Statement writes, and returns at most one row.
type Statement struct {
	Query string
	Args  []any
	Into  []any // where the row is scanned to
	Err   error // PostgreSQL's, not a fault; sql.ErrNoRows if it returned no row
}

// Run runs a statement as its own transaction, and retries it like Do. It returns
// s.Err. Only for PostgreSQL.
func (db *DB) Run(ctx context.Context, s *Statement) error {
	p := db.writer.(*pool)
	s.Err = retry(ctx, func() error {
		running, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
		defer cancel()
		if err := p.may(); err != nil {
			return err
		}
		p.point("before-commit")
		err := p.db.QueryRowContext(running, s.Query, s.Args...).Scan(s.Into...)
		p.point("after-commit")
		return err
	})
	return s.Err
}

// RunTogether runs statements in one transaction and one round trip. An error means
// that the transaction failed: see IsUndone. Only for PostgreSQL.
func (db *DB) RunTogether(all []*Statement) error {
	p := db.writer.(*pool)
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := p.may(); err != nil {
		return err
	}
	p.point("before-commit")
	err = conn.Raw(func(driver any) error {
		var batch pgx.Batch
		for _, s := range all {
			batch.Queue(s.Query, s.Args...)
		}
		answers := driver.(*stdlib.Conn).Conn().SendBatch(ctx, &batch)
		for _, s := range all {
			s.Err = answers.QueryRow().Scan(s.Into...)
			if errors.Is(s.Err, pgx.ErrNoRows) {
				s.Err = sql.ErrNoRows
			} else if s.Err != nil {
				return errors.Join(s.Err, answers.Close())
			}
		}
		return answers.Close()
	})
	p.point("after-commit")
	return err
}

// IsUndone reports whether PostgreSQL refused a transaction and rolled it back. After
// any other error it may be committed.
func IsUndone(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.SeverityUnlocalized == "ERROR"
}

// PostgreSQL's codes for refused rows.
const (
	UniqueViolation  = "23505"
	NotNullViolation = "23502"
)

// Raised reports whether a trigger ended the statement with this text.
func Raised(err error, text string) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Message == text
	}
	return err != nil && raisedInSQLite(err, text)
}

// IsRefused reports whether PostgreSQL refused a row of the table with this code.
func IsRefused(err error, code, table string) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == code && e.TableName == table
}
