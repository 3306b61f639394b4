package sqldb

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/internal/metadb/metadbtest"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // with its own certificate
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, 0, err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	must(t, 0, err)
	file := filepath.Join(t.TempDir(), "root.pem")
	must(t, 0, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return authority{cert, key, file}
}

// server is a certificate and its key for 127.0.0.1, by no name.
func (a authority) server(t *testing.T) (certificate, private []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, 0, err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	must(t, 0, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, 0, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// at is an address with another host and other words.
func at(t *testing.T, dsn, host, words string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	must(t, u, err)
	u.Host, u.RawQuery = net.JoinHostPort(host, u.Port()), words
	return u.String()
}

// TLS is used as the address says, and by default for every other machine (0.0.0.0
// counts as other). What is impossible is refused at once, in one line that says what
// to do.
func TestPostgresTLS(t *testing.T) {
	ours, others := newAuthority(t, "ours"), newAuthority(t, "others")
	server := metadbtest.NewServer(t)
	refused := func(dsn, want string) {
		t.Helper()
		began := time.Now()
		db, err := openServer(t.Context(), dsn, files(), Options{})
		if err == nil {
			t.Error(errors.Join(errors.New(dsn+" was taken"), db.Close()))
			return
		}
		if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, "\n") || time.Since(began) > startWait/2 {
			t.Errorf("%s: after %v: %v\nwant %s", dsn, time.Since(began), err, want)
		}
	}
	taken := func(dsn string, encrypted bool) {
		t.Helper()
		db, err := openServer(t.Context(), dsn, files(), Options{})
		if err != nil {
			t.Error(err)
			return
		}
		var is bool
		must(t, 0, db.Row(t.Context(), `SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`).Scan(&is))
		if is != encrypted {
			t.Errorf("%s: encrypted %v", dsn, is)
		}
		must(t, 0, db.Close())
	}
	const turnOn = "turn TLS on in the server (ssl = on), or say sslmode=disable"
	plain := server.DSN("granary")
	taken(at(t, plain, "127.0.0.1", ""), false)
	refused(at(t, plain, "127.0.0.1", "sslmode=require"), turnOn)
	refused(at(t, plain, "0.0.0.0", ""), turnOn)

	certificate, key := ours.server(t)
	server.DemandTLS(t, certificate, key)
	encrypted := server.DSN("encrypted")
	const correct = "; correct the server's certificate, sslrootcert, or the host in the address"
	taken(at(t, encrypted, "127.0.0.1", "sslmode=verify-full&sslrootcert="+ours.file), true)
	taken(at(t, encrypted, "localhost", "sslmode=verify-ca&sslrootcert="+ours.file), true)
	taken(at(t, encrypted, "127.0.0.1", ""), true)
	taken(at(t, encrypted, "0.0.0.0", ""), true)
	taken(at(t, encrypted, "0.0.0.0", "sslrootcert="+ours.file), true)
	refused(at(t, encrypted, "127.0.0.1", "sslmode=verify-full&sslrootcert="+others.file), "certificate signed by unknown authority"+correct)
	refused(at(t, encrypted, "0.0.0.0", "sslrootcert="+others.file), "certificate signed by unknown authority")
	refused(at(t, encrypted, "localhost", "sslmode=verify-full&sslrootcert="+ours.file), "but wanted to match localhost")
	refused(at(t, encrypted, "127.0.0.1", "sslmode=verify-full&sslrootcert=/nowhere.pem"), "the database's address: ")
	refused(at(t, encrypted, "127.0.0.1", "sslmode=disable"), "no encryption (SQLSTATE 28000); if the server demands TLS, say sslmode=verify-full in the address")
}

// The hosts that may be tried in plain text, as pgx reads the address.
func TestTLSDefault(t *testing.T) {
	for _, tc := range []struct {
		dsn   string
		plain bool
	}{
		{"postgres://u@db.example.com/granary", false},
		{"postgres://u:p?a%40ss@db.example.com:5433/granary?application_name=x", false},
		{"postgres://db.example.com", false},
		{"postgres://u@10.0.0.1,10.0.0.2:5433/granary", false},
		{"postgres://u@127.0.0.1,10.0.0.2/granary", false},
		{"host=db.example.com user=u password='a b'", false},
		{"postgres://u@db.example.com/granary?sslmode=verify-full", false},
		{"postgres://u@db.example.com/granary?sslmode=prefer", true},
		{"postgres://u@db.example.com/granary?sslmode=disable", true},
		{"host=db.example.com user=u sslmode=disable", true},
		{"postgres://u@127.0.0.1/granary", true},
		{"postgres://u@[::1]/granary", true},
		{"postgres://u@localhost/granary", true},
		{"postgres://u@/granary?host=/run/postgresql", true},
	} {
		config, err := postgresConfig(tc.dsn)
		if err != nil {
			t.Errorf("%s: %v", tc.dsn, err)
			continue
		}
		plain := config.TLSConfig == nil
		for _, f := range config.Fallbacks {
			plain = plain || f.TLSConfig == nil
		}
		if plain != tc.plain || config.RuntimeParams["application_name"] == "x" != strings.Contains(tc.dsn, "application_name=x") {
			t.Errorf("%s: plain text %v, want %v", tc.dsn, plain, tc.plain)
		}
	}
}
