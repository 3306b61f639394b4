package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// within is a database of one connection, which is in a transaction: a transaction of
// this database is a savepoint in it. settle are statements at the end of each. Closing
// the database leaves the connection open.
func within(conn driver.Conn, settle []string) *sql.DB {
	db := sql.OpenDB(connector{conn, settle})
	db.SetMaxOpenConns(1)
	return db
}

type connector struct {
	conn   driver.Conn
	settle []string
}

func (c connector) Connect(context.Context) (driver.Conn, error) {
	return nested{c.conn.(fullConn), c.settle}, nil
}

func (c connector) Driver() driver.Driver { return nil }

// fullConn is what the connections of both drivers can do.
type fullConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
}

// nested is a connection whose transactions are savepoints.
type nested struct {
	fullConn
	settle []string
}

func (n nested) Close() error { return nil }

func (n nested) Begin() (driver.Tx, error) {
	return n.BeginTx(context.Background(), driver.TxOptions{})
}

func (n nested) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return n, n.exec(`SAVEPOINT within`)
}

func (n nested) Commit() error {
	for _, s := range n.settle {
		if err := n.exec(s); err != nil {
			return err
		}
	}
	return n.exec(`RELEASE SAVEPOINT within`)
}

func (n nested) Rollback() error { return n.exec(`ROLLBACK TO SAVEPOINT within`) }

func (n nested) exec(query string) error {
	_, err := n.ExecContext(context.Background(), query, nil)
	return err
}
