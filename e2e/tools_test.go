package e2e_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"granary/dev/servers"
)

// full says whether the long counts of `make proof-addresses` are wanted.
func full() bool { return os.Getenv("GRANARY_TEST_ADDRESSES") == "all" }

// tool is the path of a program that a test needs.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, look := range []string{name, "/usr/sbin/" + name} { // not in everyone's PATH
		if path, err := exec.LookPath(look); err == nil {
			return path
		}
	}
	t.Fatalf("%s is missing: %s", name, installClients)
	return ""
}

// proxies are started before a server, named by HOST:PORT, and return their URL.
var proxies = map[string]func(t *testing.T, server string) string{
	"direct": func(_ *testing.T, server string) string { return "http://" + server },
	"nginx":  func(t *testing.T, server string) string { return nginx(t, documented(t, "location /", server)) },
	"nginx that buffers": func(t *testing.T, server string) string {
		return nginx(t, "location / { proxy_pass http://"+server+"; proxy_set_header Host $http_host; "+
			"proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; client_max_body_size 0; }")
	},
	"haproxy": haproxy,
	"varnish": varnish,
}

// documented is a block of docs/operations.md, for a server elsewhere.
func documented(t *testing.T, begins, server string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?m)^    ` + begins + ` \{\n(?:        .*\n)+    \}$`).FindString(string(text))
	if strings.Count(block, "http://127.0.0.1:8080") != 1 {
		t.Fatalf("docs/operations.md has no block %q for nginx: %q", begins, block)
	}
	return strings.Replace(block, "127.0.0.1:8080", server, 1)
}

func nginx(t *testing.T, block string) string {
	t.Helper()
	address := freeAddress(t)
	p, err := servers.Nginx(filepath.Join(openDir(t), "nginx"), address, "server { listen "+address+"; "+block+" }")
	if err != nil {
		t.Fatal(err)
	}
	return startProxy(t, p, address)
}

const haproxyConf = `
defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
frontend front
	bind %s
	default_backend granary
backend granary
	server one %s
`

func haproxy(t *testing.T, server string) string {
	address, conf := freeAddress(t), filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, haproxyConf, address, server), 0o644); err != nil {
		t.Fatal(err)
	}
	return startProxy(t, &servers.Process{Name: "haproxy", Args: []string{tool(t, "haproxy"), "-db", "-f", conf}}, address)
}

// varnish has its built-in rules: what is not GET or HEAD passes.
func varnish(t *testing.T, server string) string {
	address := freeAddress(t)
	return startProxy(t, &servers.Process{
		Name: "varnish",
		Args: []string{tool(t, "varnishd"), "-F", "-j", "none", "-n", filepath.Join(t.TempDir(), "varnish"), "-a", address, "-b", server},
	}, address)
}

func startProxy(t *testing.T, p *servers.Process, address string) string {
	t.Helper()
	if p.Log == "" {
		p.Log = filepath.Join(t.TempDir(), "log")
		p.Ready = servers.Answers("http://" + address + "/-/liveness")
	}
	t.Cleanup(p.Stop)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return "http://" + address
}

// paced is the address of a proxy that brings 4 MB a second from a server, on each
// connection.
func paced(t *testing.T, server string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				_ = in.Close()
				continue
			}
			_ = out.(*net.TCPConn).SetReadBuffer(32 << 10) // else the kernel takes all at once
			pass := func(to, from net.Conn, pace time.Duration) {
				defer func() { _, _ = in.Close(), out.Close() }()
				buffer := make([]byte, 32<<10)
				for {
					n, err := from.Read(buffer)
					if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
						return
					}
					time.Sleep(time.Duration(n) * pace)
				}
			}
			go pass(out, in, 0)
			go pass(in, out, time.Second/4e6)
		}
	}()
	return "http://" + ln.Addr().String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := servers.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// openDir is a directory that programs under other accounts can enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
