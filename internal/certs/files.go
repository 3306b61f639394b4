// Package certs has the certificates that a server of TLS shows to its clients: of two
// files, or of an ACME authority.
package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// lookEvery is how often the files are looked at, at most.
const lookEvery = 10 * time.Second

// Files is a certificate and its key in files, which are read again when they change. A
// pair that cannot be used leaves the one before in use. Make one with OpenFiles; it is
// safe for concurrent use.
type Files struct {
	cert, key string // paths
	log       *slog.Logger
	now       func() time.Time
	current   atomic.Pointer[tls.Certificate]

	looking sync.Mutex
	looked  time.Time
	seen    [2]fs.FileInfo // of the pair in use
	failure string         // what was told of a pair that cannot be used; "" for none
}

// OpenFiles reads a certificate, with those between it and its authority, and its key,
// both in PEM. An error says in plain words which file is wrong, and never shows what is
// in it. A certificate that is not valid now is used, with a warning in the log.
func OpenFiles(cert, key string, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log, now: time.Now}
	f.looked = f.now()
	var err error
	if f.seen, err = f.stat(); err != nil {
		return nil, err
	}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// GetCertificate is for tls.Config. It looks whether the files have changed, but only
// every 10 s, and in one handshake of those that come together.
func (f *Files) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.look()
	return f.current.Load(), nil
}

// Expires is when the certificate in use expires, by its first name.
func (f *Files) Expires() map[string]time.Time {
	f.look()
	leaf := f.current.Load().Leaf
	return map[string]time.Time{nameOf(leaf): leaf.NotAfter}
}

func nameOf(leaf *x509.Certificate) string {
	switch {
	case len(leaf.DNSNames) > 0:
		return leaf.DNSNames[0]
	case len(leaf.IPAddresses) > 0:
		return leaf.IPAddresses[0].String()
	}
	return leaf.Subject.CommonName
}

func (f *Files) look() {
	if !f.looking.TryLock() {
		return
	}
	defer f.looking.Unlock()
	if f.now().Sub(f.looked) < lookEvery {
		return
	}
	f.looked = f.now()
	now, err := f.stat()
	if err == nil {
		if f.failure == "" && same(f.seen[0], now[0]) && same(f.seen[1], now[1]) {
			return
		}
		err = f.read()
	}
	if err != nil {
		if err.Error() != f.failure {
			f.failure = err.Error()
			f.log.Error("the changed certificate cannot be used, so the one before stays in use", "error", err)
		}
		return
	}
	f.seen, f.failure = now, ""
	f.log.Info("a changed certificate is in use", "file", f.cert, "expires", f.current.Load().Leaf.NotAfter)
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func (f *Files) stat() (both [2]fs.FileInfo, err error) {
	if both[0], err = os.Stat(f.cert); err != nil {
		return both, unreadable("certificate", f.cert, err)
	}
	if both[1], err = os.Stat(f.key); err != nil {
		return both, unreadable("key", f.key, err)
	}
	return both, nil
}

// read takes the pair into use.
func (f *Files) read() error {
	cert, err := readFile(f.cert)
	if err != nil {
		return unreadable("certificate", f.cert, err)
	}
	key, err := readFile(f.key)
	if err != nil {
		return unreadable("key", f.key, err)
	}
	if !hasBlock(cert, "CERTIFICATE") {
		return fmt.Errorf("%s has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----", f.cert)
	}
	if !hasBlock(key, "PRIVATE KEY") || hasBlock(key, "ENCRYPTED PRIVATE KEY") || bytes.Contains(key, []byte("\nDEK-Info:")) {
		return fmt.Errorf("%s has no key in PEM that is not encrypted, which begins with -----BEGIN PRIVATE KEY-----, or with EC or RSA in it", f.key)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		reason := strings.TrimPrefix(err.Error(), "tls: ")
		if strings.Contains(reason, "match") {
			reason += "; the server's own certificate has to be the first of its file"
		}
		return fmt.Errorf("the certificate in %s and the key in %s cannot be used together: %s", f.cert, f.key, reason)
	}
	switch now := f.now(); {
	case now.After(pair.Leaf.NotAfter):
		f.log.Warn("the certificate has expired, so most clients will refuse it", "file", f.cert, "expired", pair.Leaf.NotAfter)
	case now.Before(pair.Leaf.NotBefore):
		f.log.Warn("the certificate is not valid yet, so most clients will refuse it", "file", f.cert, "from", pair.Leaf.NotBefore)
	}
	f.current.Store(&pair)
	return nil
}

// maxPEM is the size of a file at most, in bytes: hundreds of certificates.
const maxPEM = 1 << 20

// readFile reads a regular file. Opening a pipe would wait for somebody who writes to it.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case info.Size() > maxPEM:
		return nil, fmt.Errorf("it has more than %d bytes", maxPEM)
	}
	return io.ReadAll(io.LimitReader(f, maxPEM))
}

func unreadable(what, path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("cannot read the %s %s: %w", what, path, err)
}

// hasBlock reports whether a text has a block of PEM whose kind ends so.
func hasBlock(text []byte, kind string) bool {
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			return false
		}
		if strings.HasSuffix(b.Type, kind) {
			return true
		}
	}
}
