package sqldb

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// parseAddress reads a DSN. libpq's default for sslmode, "prefer", silently falls back
// to plain text: it stays the default on this machine, and is "require" for all
// others. A mode in the DSN or in PGSSLMODE takes precedence.
func parseAddress(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil || os.Getenv("PGSSLMODE") != "" || !fallsBackToPlain(config) {
		return config, err
	}
	return pgx.ParseConfig(requiringTLS(dsn))
}

// fallsBackToPlain reports whether another machine would be tried without TLS after a
// try with TLS.
func fallsBackToPlain(config *pgx.ConnConfig) bool {
	host, withTLS := config.Host, config.TLSConfig != nil
	for _, f := range config.Fallbacks {
		if withTLS && f.TLSConfig == nil && f.Host == host && !onThisMachine(host) {
			return true
		}
		host, withTLS = f.Host, f.TLSConfig != nil
	}
	return false
}

func onThisMachine(host string) bool {
	at, err := netip.ParseAddr(host)
	return err == nil && at.IsLoopback() || host == "localhost"
}

// requiringTLS puts sslmode=require before the DSN's own words: the last one counts.
func requiringTLS(dsn string) string {
	const word = "sslmode=require"
	scheme, rest, _ := strings.Cut(dsn, "://")
	if scheme != "postgres" && scheme != "postgresql" {
		return word + " " + dsn
	}
	// After user and password, which end where pgx sees their end.
	begin := len(dsn) - len(rest)
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		begin += i + 1
	}
	where, words, _ := strings.Cut(dsn[begin:], "?")
	return dsn[:begin] + where + "?" + word + "&" + words
}

// adviceOnTLS says what to do about an error of TLS; "" for any other. If TLS was only
// tried first, the error is the server's answer in plain text.
func adviceOnTLS(err error) string {
	answer, _ := errors.AsType[*pgconn.PgError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	noTLS := strings.Contains(err.Error(), "server refused TLS connection")
	switch {
	case untrusted || strings.Contains(err.Error(), "x509: "): // verify-ca has no type
		return "correct the server's certificate, sslrootcert, or the host in the address"
	case noTLS && answer == nil:
		return "turn TLS on in the server (ssl = on), or say sslmode=disable in the address if nobody else can read the network"
	case !noTLS && answer != nil && answer.Code == "28000" && strings.HasSuffix(answer.Message, "no encryption"):
		return "if the server demands TLS, say sslmode=verify-full in the address"
	}
	return ""
}
