package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"granary/dev/servers"
	"granary/internal/eventually"
)

// tlsServer is a server with a certificate in files.
type tlsServer struct {
	*process
	dir, cert, key string
	address        string
}

func startTLS(t *testing.T, args ...string) *tlsServer {
	t.Helper()
	s := &tlsServer{dir: t.TempDir()}
	s.renew(t, time.Now().Add(24*time.Hour))
	p, url := start(t, append([]string{"--data-dir=" + filepath.Join(s.dir, "data"), "--tls-cert=" + s.cert, "--tls-key=" + s.key}, args...)...)
	s.process, s.address = p, strings.TrimPrefix(url, "http://")
	return s
}

// renew replaces the certificate and its key.
func (s *tlsServer) renew(t *testing.T, expires time.Time) {
	t.Helper()
	var err error
	if s.cert, s.key, err = servers.SelfSigned(s.dir, expires, "localhost", "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
}

func (s *tlsServer) client(t *testing.T) *http.Client {
	t.Helper()
	root, err := os.ReadFile(s.cert)
	if err != nil {
		t.Fatal(err)
	}
	return asks(t, s.address, root)
}

// curl asks with the certificate as the only authority that it knows, and returns what
// it wrote.
func (s *tlsServer) curl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "curl", append([]string{
		"--silent", "--show-error", "--max-time", "60", "--cacert", s.cert, "--header", "PRIVATE-TOKEN: " + rootToken,
	}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v", out, err)
	}
	return string(out)
}

// TestTLS: what is published over TLS comes back over it, by HTTP/1.1 and HTTP/2, from
// memory and from disk; links, cookies and metrics know of TLS.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := startTLS(t, "--trusted-hosts=packages.example.com", "--metrics=loopback")
	base := "https://" + s.address
	for _, protocol := range []string{"--http1.1", "--http2"} {
		for _, size := range []int{10, 20 << 20} {
			name := filepath.Join(t.TempDir(), "file")
			body := bytes.Repeat([]byte("granary! "), size)[:size]
			if err := os.WriteFile(name, body, 0o600); err != nil {
				t.Fatal(err)
			}
			url := fmt.Sprintf("%s%stool/1.0.%d/file%s", base, demoFiles, size, strings.TrimPrefix(protocol, "--http"))
			for _, chunked := range [][]string{{"--upload-file", name}, {"--upload-file", name, "--header", "Transfer-Encoding: chunked"}} {
				if protocol == "--http2" && len(chunked) > 2 {
					continue // there are no chunks
				}
				if got := s.curl(t, append(chunked, protocol, "--output", os.DevNull, "--write-out", "%{http_version} %{http_code} %{num_connects}", url)...); got != map[string]string{"--http1.1": "1.1 201 1", "--http2": "2 201 1"}[protocol] {
					t.Fatalf("%s of %d bytes: %s", protocol, size, got)
				}
			}
			if got := s.curl(t, protocol, url); sha256.Sum256([]byte(got)) != sha256.Sum256(body) {
				t.Errorf("%s: %d bytes of %d came back, or others: %.200q", protocol, len(got), size, got)
			}
		}
	}
	answer := s.curl(t, "--head", "--resolve", "packages.example.com:443:127.0.0.1", "--connect-to", "packages.example.com:443:"+s.address, "--insecure",
		"https://packages.example.com/api/v4/projects/root%2Fdemo/packages?per_page=1")
	if !strings.Contains(answer, "<https://packages.example.com/api/v4/projects/root%2Fdemo/packages?") {
		t.Errorf("links are not those of the client:\n%s", answer)
	}
	hasMetric(t, s.client(t), base, `granary_tls_certificate_expires_timestamp_seconds{domain="localhost"} 1.`)
	if got := s.curl(t, "--output", os.DevNull, "--write-out", "%{http_code}", strings.Replace(base, "https", "http", 1)); got != "400" {
		t.Errorf("plain HTTP is answered %s", got)
	}
}

func hasMetric(t *testing.T, client *http.Client, base, want string) {
	t.Helper()
	resp, err := client.Get(base + "/-/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), want) {
		t.Errorf("no metric %s, %v, in\n%.500s", want, err, text)
	}
}

// A refusal comes while the client still sends, by either protocol.
func TestRefusedUploadOverTLS(t *testing.T) {
	t.Parallel()
	s := startTLS(t, "--max-file-size=1MiB")
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, make([]byte, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "https://" + s.address + demoFiles + "tool/1.0.0/file"
	for _, protocol := range []string{"--http1.1", "--http2"} {
		for _, expect := range []string{"Expect: 100-continue", "Expect:"} {
			for _, tt := range []struct{ token, want string }{{"PRIVATE-TOKEN: wrong", "401"}, {"PRIVATE-TOKEN: " + rootToken, "400"}} {
				for range 10 { // what may go wrong is a race
					out, err := exec.CommandContext(t.Context(), "curl", "--silent", "--show-error", "--max-time", "60", "--cacert", s.cert, protocol, "--header", expect,
						"--header", tt.token, "--upload-file", name, "--output", os.DevNull, "--write-out", "%{http_code}", url).CombinedOutput()
					if err != nil || string(out) != tt.want {
						t.Errorf("%s, %s: %s, %v, want %s", protocol, expect, out, err, tt.want)
					}
				}
			}
		}
	}
}

// TestChangedCertificate: a running server takes a new certificate over, keeps the old one
// while the new one does not fit, and ends no connection.
func TestChangedCertificate(t *testing.T) {
	t.Parallel()
	s := startTLS(t)
	before := s.client(t)
	if err := answersOK(before, "https://localhost/-/liveness"); err != nil {
		t.Fatal(err)
	}
	shown := func() string {
		c, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := shown()
	key, err := os.ReadFile(s.key)
	if err != nil {
		t.Fatal(err)
	}
	s.renew(t, time.Now().Add(48*time.Hour))
	right, err := os.ReadFile(s.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.key, key, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "the log tells of the pair that does not fit", func() bool {
		return shown() == first && strings.Count(s.logged(), "level=ERROR msg=\"the changed certificate cannot be used") == 1
	})
	if err := os.WriteFile(s.key, right, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, "the new certificate is shown", func() bool { return shown() != first })
	if err := answersOK(before, "https://localhost/-/liveness"); err != nil {
		t.Errorf("the connection from before: %v", err)
	}
	if err := answersOK(s.client(t), "https://localhost/-/liveness"); err != nil {
		t.Error(err)
	}
}

// TestStopOverTLS: an upload that runs is finished at the end, by either protocol, while
// clients that shake no hands keep nobody waiting.
func TestStopOverTLS(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"1.1", "2"} {
		t.Run(protocol, func(t *testing.T) {
			s := startTLS(t)
			client := s.client(t)
			if protocol == "1.1" {
				client.Transport.(*http.Transport).ForceAttemptHTTP2 = false
			}
			silent, err := net.Dial("tcp", s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			body, more := io.Pipe()
			req, err := http.NewRequestWithContext(t.Context(), "PUT", "https://localhost"+demoFiles+"tool/1.0.0/file", body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Private-Token", rootToken)
			answer := make(chan string, 1)
			go func() {
				resp, err := client.Do(req)
				if err != nil {
					answer <- err.Error()
					return
				}
				_ = resp.Body.Close()
				answer <- fmt.Sprint(resp.Proto, " ", resp.StatusCode)
			}()
			if _, err := more.Write(make([]byte, 1<<20)); err != nil { // it has begun
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() { defer close(ended); s.terminate(t, 20*time.Second) }()
			eventually.Holds(t, "nothing new is accepted", func() bool {
				c, err := net.Dial("tcp", s.address)
				if err == nil {
					_ = c.Close()
				}
				return err != nil
			})
			if _, err := more.Write(make([]byte, 1<<20)); err != nil {
				t.Error(err)
			}
			_ = more.Close()
			if got := <-answer; got != map[string]string{"1.1": "HTTP/1.1 201", "2": "HTTP/2.0 201"}[protocol] {
				t.Errorf("the upload ended with %s", got)
			}
			<-ended
		})
	}
}

// What is wrong with TLS is one line, before anything is made.
func TestWrongTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, err := servers.SelfSigned(dir, time.Now().Add(time.Hour), "a.example")
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		args    []string
		want    string
		setting bool
	}{
		{[]string{"--tls-cert=" + dir + "/none", "--tls-key=" + key}, "cannot read the certificate " + dir + "/none: no such file or directory", true},
		{[]string{"--tls-cert=" + cert, "--tls-key=" + cert}, cert + " has no key in PEM that is not encrypted, which begins with -----BEGIN PRIVATE KEY-----, or with EC or RSA in it", true},
		{[]string{"--tls-cert=" + cert, "--tls-key=" + key, "--http-redirect-listen=" + taken.Addr().String()}, "cannot listen on " + taken.Addr().String() + ": address already in use; --http-redirect-listen chooses another address", false},
	} {
		data := filepath.Join(dir, "data")
		cfg, err := settings([]string{noReserve}, append([]string{"--listen=127.0.0.1:0", "--data-dir=" + data}, tt.args...)...)
		if err != nil {
			t.Fatal(err)
		}
		err = Run(t.Context(), cfg, "test", io.Discard, io.Discard)
		if _, setting := errors.AsType[SettingError](err); err == nil || err.Error() != tt.want || setting != tt.setting {
			t.Errorf("%v\nwant %s", err, tt.want)
		}
		if _, err := os.Stat(data); !os.IsNotExist(err) {
			t.Errorf("%s is there: %v", data, err)
		}
	}
}

// A certificate that has expired is used: the log warns.
func TestExpiredCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key, err := servers.SelfSigned(dir, time.Now().Add(-time.Hour), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	p, _ := start(t, "--data-dir="+filepath.Join(dir, "data"), "--tls-cert="+cert, "--tls-key="+key)
	if want := "level=WARN msg=\"the certificate has expired, so most clients will refuse it\" file=" + cert; !strings.Contains(p.logged(), want) {
		t.Errorf("want %s in\n%s", want, p.logged())
	}
}

// Plain HTTP is sent to https, by the names of this server alone.
func TestRedirects(t *testing.T) {
	s, plain := startTLSWithRedirects(t, "--external-url=https://packages.example.com", "--trusted-hosts=*.corp.example")
	_, port, _ := net.SplitHostPort(s.address)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 20 * time.Second}
	for _, tt := range []struct {
		method, host, target string
		status               int
		location             string
	}{
		{"GET", "packages.example.com", "/api/v4/projects/root%2Fdemo?a=b%20c&d", 308, "https://packages.example.com/api/v4/projects/root%2Fdemo?a=b%20c&d"},
		{"GET", "PACKAGES.example.com:80", "/", 308, "https://packages.example.com/"},
		{"PUT", "a.corp.example:8080", "/x", 308, "https://a.corp.example:" + port + "/x"},
		{"POST", "127.0.0.1", "//evil.example/x", 308, "https://127.0.0.1:" + port + "//evil.example/x"},
		{"GET", "[::1]:80", "/", 308, "https://[::1]:" + port + "/"},
		{"GET", "evil.example", "/", 421, ""},
		{"GET", "evil.example:x@packages.example.com", "/", 421, ""},
		{"GET", "localhost", "/.well-known/acme-challenge/x", 308, "https://localhost:" + port + "/.well-known/acme-challenge/x"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+plain+tt.target, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := resp.Header.Get("Location"); resp.StatusCode != tt.status || got != tt.location {
			t.Errorf("%s %s%s: %s, %q", tt.method, tt.host, tt.target, resp.Status, got)
		}
	}
	if text := raw(t, plain, "GET mailto:x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(text, "HTTP/1.1 400 ") {
		t.Errorf("an address that is no path: %s", text)
	}
	if text := raw(t, plain, "GET http://localhost/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); !strings.Contains(text, "Location: https://localhost:"+port+"/x\r\n") {
		t.Errorf("a whole address: %s", text)
	}
}

func raw(t *testing.T, address, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(c, request)
	text, _ := io.ReadAll(c)
	return string(text)
}

func startTLSWithRedirects(t *testing.T, args ...string) (s *tlsServer, plain string) {
	t.Helper()
	plain, err := servers.FreeAddress(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return startTLS(t, append(args, "--http-redirect-listen="+plain)...), plain
}
