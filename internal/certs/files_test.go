package certs

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"granary/dev/servers"
)

// pair writes a certificate for a name, and its key.
func pair(t *testing.T, cert, key, name string, expires time.Time) {
	t.Helper()
	made, of, err := servers.SelfSigned(t.TempDir(), expires, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(made, cert), os.Rename(of, key)); err != nil {
		t.Fatal(err)
	}
}

// write replaces a file as tools do that renew certificates.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// log is written while it is read.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// taken is what was logged since the last call.
func (l *log) taken() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// shown is the name in the certificate that a client gets.
func shown(t *testing.T, f *Files) string {
	t.Helper()
	cert, err := f.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return nameOf(cert.Leaf)
}

// A changed pair is used ten seconds later. One that does not fit leaves the one before in
// use and is told of once, and what ends that, too.
func TestFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	later := time.Now().Add(time.Hour).Truncate(time.Second)
	pair(t, cert, key, "a.example", later)
	var out log
	f, err := OpenFiles(cert, key, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	f.now = func() time.Time { return now }
	after := func(d time.Duration, want, said string) {
		t.Helper()
		now = now.Add(d)
		got, text := shown(t, f), out.taken()
		if got != want || (said == "") != (text == "") || !strings.Contains(text, said) || strings.Count(text, "\n") > 1 {
			t.Errorf("%s is shown, want %s; the log says %q, want %q", got, want, text, said)
		}
	}
	after(time.Minute, "a.example", "")
	pair(t, cert, key, "b.example", later)
	after(lookEvery/2, "a.example", "")
	after(lookEvery/2, "b.example", "level=INFO msg=\"a changed certificate is in use\"")

	whole, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	pair(t, cert, filepath.Join(dir, "next.pem"), "c.example", later)
	after(lookEvery, "b.example", "level=ERROR msg=\"the changed certificate cannot be used, so the one before stays in use\" error=\"the certificate in "+cert)
	after(lookEvery, "b.example", "")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	after(lookEvery, "b.example", "level=ERROR")
	after(lookEvery, "b.example", "")
	if err := os.Rename(filepath.Join(dir, "next.pem"), key); err != nil {
		t.Fatal(err)
	}
	after(lookEvery, "c.example", "level=INFO")
	after(lookEvery, "c.example", "")

	write(t, key, string(whole)) // of b.example
	after(lookEvery, "c.example", "level=ERROR")
	pair(t, cert, key, "d.example", now.Add(-time.Hour))
	now = now.Add(lookEvery)
	if at := f.Expires()["d.example"]; at.Unix() != now.Add(-lookEvery).Add(-time.Hour).Unix() {
		t.Errorf("it expires at %v", at)
	}
	if text := out.taken(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "level=WARN msg=\"the certificate has expired") {
		t.Errorf("the log says %s", text)
	}
	pair(t, cert, key, "10.1.2.3", later) // no name
	after(lookEvery, "10.1.2.3", "level=INFO")
}

// Each fault names the file, and shows nothing of what is in it.
func TestFaultsOfFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	later := time.Now().Add(time.Hour)
	pair(t, in("cert"), in("key"), "a.example", later)
	pair(t, in("other"), in("other.key"), "b.example", later)
	write(t, in("empty"), "")
	write(t, in("der"), "\x30\x82\x01\x0a")
	write(t, in("broken"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	write(t, in("encrypted"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	write(t, in("old"), "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n")
	write(t, in("large"), strings.Repeat("x", maxPEM+1))
	if err := syscall.Mkfifo(in("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ cert, key, want string }{
		{"none", "key", "cannot read the certificate DIR/none: no such file or directory"},
		{"cert", "none", "cannot read the key DIR/none: no such file or directory"},
		{".", "key", "cannot read the certificate DIR: it is a directory"},
		{"pipe", "key", "cannot read the certificate DIR/pipe: it is no regular file"},
		{"cert", "pipe", "cannot read the key DIR/pipe: it is no regular file"},
		{"large", "key", "cannot read the certificate DIR/large: it has more than 1048576 bytes"},
		{"empty", "key", "DIR/empty has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"},
		{"der", "key", "DIR/der has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"},
		{"key", "cert", "DIR/key has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"},
		{"cert", "empty", "DIR/empty has no key in PEM that is not encrypted, which begins with -----BEGIN PRIVATE KEY-----, or with EC or RSA in it"},
		{"cert", "encrypted", "DIR/encrypted has no key in PEM that is not encrypted, which begins with -----BEGIN PRIVATE KEY-----, or with EC or RSA in it"},
		{"cert", "old", "DIR/old has no key in PEM that is not encrypted, which begins with -----BEGIN PRIVATE KEY-----, or with EC or RSA in it"},
		{"cert", "other.key", "the certificate in DIR/cert and the key in DIR/other.key cannot be used together: private key does not match public key; the server's own certificate has to be the first of its file"},
		{"broken", "key", "the certificate in DIR/broken and the key in DIR/key cannot be used together: x509: malformed certificate"},
	} {
		_, err := OpenFiles(in(tt.cert), in(tt.key), slog.New(slog.DiscardHandler))
		if got := strings.ReplaceAll(errorText(err), dir, "DIR"); got != tt.want {
			t.Errorf("%s and %s: %s\nwant %s", tt.cert, tt.key, got, tt.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// Handshakes do not wait for one another while the files are read.
func TestFilesUnderManyHandshakes(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pair(t, cert, key, "a.example", time.Now().Add(time.Hour))
	f, err := OpenFiles(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f.looking.Lock() // as a handshake holds it on a disk that does not answer
	if got := shown(t, f); got != "a.example" {
		t.Error(got)
	}
	f.looking.Unlock()
	start := time.Now()
	var tick sync.Mutex
	f.now = func() time.Time { tick.Lock(); defer tick.Unlock(); start = start.Add(lookEvery); return start }
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if c, err := f.GetCertificate(nil); err != nil || c.Leaf == nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		pair(t, cert, key, "b.example", time.Now().Add(time.Hour))
	}
	all.Wait()
	f.look()
	if got := shown(t, f); got != "b.example" {
		t.Error(got)
	}
}
