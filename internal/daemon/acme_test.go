package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"granary/dev/servers"
	"granary/internal/eventually"
)

// authority is pebble, Let's Encrypt's authority for tests, and the addresses at which it
// looks for the servers of domains.
func authority(t *testing.T) (p *servers.Pebble, secure, plain string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: it needs an ACME authority")
	}
	var ports [2]int
	var at [2]string
	for i := range at {
		var err error
		if at[i], err = servers.FreeAddress(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(at[i])
		ports[i], _ = strconv.Atoi(port)
	}
	p, err := servers.NewPebble(t.Context(), t.TempDir(), ports[0], ports[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, at[0], at[1]
}

// asks is a client that finds every domain at one address, and believes one authority.
func asks(t *testing.T, at string, root []byte) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		t.Fatalf("no certificate: %s", root)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	dialer := &net.Dialer{}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, at)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// TestACME: a server gets certificates for its domains, by either challenge, and uses what
// it got after a restart without the authority. It gives none to other names.
func TestACME(t *testing.T) {
	for _, challenge := range []string{"tls-alpn-01", "http-01"} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			p, secure, plain := authority(t)
			dir := filepath.Join(t.TempDir(), "data")
			const one, two = "packages.example.com", "www.example.com"
			environ := []string{"SSL_CERT_FILE=" + p.Authority}
			args := []string{"--data-dir=" + dir, "--listen=" + secure, "--acme=" + one + "," + two, "--acme-directory=" + p.Directory, "--acme-email=admin@example.com"}
			if challenge == "http-01" { // the authority finds nobody at the port for the other
				moved, err := servers.FreeAddress(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				secure, args[1] = moved, "--listen="+moved
				args = append(args, "--http-redirect-listen="+plain)
			}
			server, _ := startIn(t, environ, args...)
			root, err := p.Root(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			client := asks(t, secure, root)
			for _, name := range []string{one, two} { // the first clients wait for the certificate
				eventually.Holds(t, name+" answers", func() bool { return answersOK(client, "https://"+name+"/-/liveness") == nil })
			}
			if resp, err := client.Get("https://other.example.com/"); err == nil {
				_ = resp.Body.Close()
				t.Error("a name that the settings do not have got a certificate")
			}
			c, err := tls.Dial("tcp", secure, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
			if err != nil {
				t.Fatal(err)
			}
			if got := c.ConnectionState().PeerCertificates[0].DNSNames; len(got) != 1 || got[0] != one {
				t.Errorf("a client that names no server gets the certificate of %q", got)
			}
			_ = c.Close()
			hasMetric(t, client, "https://"+one, `granary_tls_certificate_expires_timestamp_seconds{domain="`+two+`"} 1.`)
			onlyOwnersRead(t, filepath.Join(dir, "acme"), one, two)

			server.terminate(t, time.Minute)
			p.Stop()
			startIn(t, environ, args...)
			if err := answersOK(asks(t, secure, root), "https://"+one+"/-/liveness"); err != nil {
				t.Errorf("after a restart without the authority: %v", err)
			}
		})
	}
}

// TestACMEFails: without the authority the server runs, says what is wrong, and refuses
// handshakes at once.
func TestACMEFails(t *testing.T) {
	nobody, err := servers.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, url := start(t, "--data-dir="+filepath.Join(t.TempDir(), "data"), "--acme=packages.example.com", "--acme-directory=https://"+nobody+"/dir")
	address := strings.TrimPrefix(url, "http://")
	eventually.Holds(t, "the log says why", func() bool {
		return strings.Contains(p.logged(), `level=ERROR msg="cannot get a certificate from the ACME authority" domain=packages.example.com`)
	})
	begun := time.Now()
	if c, err := tls.Dial("tcp", address, &tls.Config{ServerName: "packages.example.com", InsecureSkipVerify: true}); err == nil {
		_ = c.Close()
		t.Error("there is a certificate from nowhere")
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the handshake was refused after %v", took)
	}
	p.terminate(t, 20*time.Second)
}

// onlyOwnersRead looks at the cache of certificates: one for each domain, and the account.
func onlyOwnersRead(t *testing.T, dir string, domains ...string) {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v, %v", dir, info, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(domains)+1 {
		t.Errorf("%s has %v, %v", dir, entries, err)
	}
	for _, d := range domains {
		text, err := os.ReadFile(filepath.Join(dir, d))
		if err != nil {
			t.Error(err)
		}
		if key, _ := pem.Decode(text); key == nil || key.Type != "EC PRIVATE KEY" {
			t.Errorf("the key of %s is no EC PRIVATE KEY", d)
		}
	}
}

func answersOK(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
