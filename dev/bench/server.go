package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"granary/dev/servers"
)

// server is one of those compared.
type server struct {
	name   string
	host   string // and port
	prefix string // of every path
	token  string
	parts  []part // whose CPU is counted; none if they are not known
	nodes  []int  // processes of which the greatest memory counts
	data   string // names what it serves; servers with the same name serve the same
	blobs  string // where large files go when they were looked at; "" keeps them

	open func(context.Context) (session, error) // nil: a conn
	work func(context.Context, scenario) sample // nil: clients with sessions
	stop func()
}

// part is a process with all that it started.
type part struct {
	name string
	pid  int
}

// session is what one client has with a server.
type session interface {
	publish(path string, b body) error
	// download counts what comes until the end; a zero end waits for all, and
	// finds fault with another size.
	download(path string, size int64, end time.Time) (int64, error)
	close()
}

func (s *server) dial(ctx context.Context) (session, error) {
	if s.open != nil {
		return s.open(ctx)
	}
	c, err := dial(ctx, s.host, s.token)
	if err != nil {
		return nil, err // and no session that is a nil conn
	}
	return c, nil
}

// one is a server of one process.
func one(name, host string, pid int, stop func()) *server {
	s := &server{name: name, host: host, data: name, stop: stop}
	if pid != 0 {
		s.parts, s.nodes = []part{{name, pid}}, []int{pid}
	}
	return s
}

// startOurs starts the server that is compared with nginx, or uses a running one.
func startOurs(ctx context.Context, dir string, o options) (s *server, err error) {
	u := &url.URL{}
	if o.target != "" {
		if u, err = url.Parse(o.target); err != nil || u.Scheme != "http" || u.Host == "" {
			return nil, fmt.Errorf("-target %q is no http://HOST:PORT", o.target)
		}
	}
	switch {
	case o.command != "":
		s, err = startCommand(ctx, dir, o, u.Host)
	case o.target != "":
		s = one(o.name, u.Host, o.pid, func() {})
	default:
		s, err = startGranary(ctx, filepath.Join(dir, "granary-data"), o)
	}
	if err != nil {
		return nil, err
	}
	s.token = o.token
	s.prefix = strings.TrimSuffix(u.Path, "/") + o.packages()
	return s, nil
}

// packages begins the paths of the project's packages.
func (o options) packages() string {
	return "/api/v4/projects/" + o.project + "/packages/generic/"
}

// startGranary starts the server of this tree on an empty folder: SQLite and
// disk, and the settings given.
func startGranary(ctx context.Context, data string, o options, settings ...string) (*server, error) {
	host, err := servers.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	p := &servers.Process{
		Name: o.name, Log: data + ".log",
		Env:   []string{"GRANARY_ROOT_TOKEN=" + o.token, "GRANARY_DISK_RESERVE=0"}, // the folder is gone when the bench ends
		Args:  append([]string{o.granary, "serve", "--listen", host, "--data-dir", data}, settings...),
		Ready: servers.Answers("http://" + host + "/-/readiness"),
	}
	if err := p.Start(ctx); err != nil {
		p.Stop()
		return nil, err
	}
	return one(o.name, host, p.Pid(), p.Stop), nil
}

// startCommand starts any other server of the same API, by a shell's command
// line; {dir} in it is an empty folder.
func startCommand(ctx context.Context, dir string, o options, host string) (*server, error) {
	data := filepath.Join(dir, "command-data")
	if err := os.Mkdir(data, 0o755); err != nil {
		return nil, err
	}
	p := &servers.Process{
		Name: o.name, Log: filepath.Join(dir, "command.log"),
		Args: []string{"sh", "-c", "exec " + strings.ReplaceAll(o.command, "{dir}", data)},
	}
	p.Ready = func(ctx context.Context) error {
		text, err := os.ReadFile(p.Log)
		at := host
		if at == "" {
			at = loggedAddress(string(text))
		}
		if err == nil {
			err = servers.Answers("http://" + at + "/")(ctx)
		}
		if err == nil {
			host = at
		}
		return err
	}
	if err := p.Start(ctx); err != nil {
		p.Stop()
		return nil, err
	}
	return one(o.name, host, p.Pid(), p.Stop), nil
}

// loggedAddress finds the port that a server says it chose.
func loggedAddress(log string) string {
	return regexp.MustCompile(`127\.0\.0\.1:[1-9][0-9]*`).FindString(log)
}

// yardstick is nginx as WebDAV, with a large buffer for bodies: with its default of
// 16 KiB it receives large files at less than half the speed. With reuseport the
// kernel distributes the connections; without, one worker may get nearly all of them.
const yardstick = `
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000000;
	client_body_buffer_size 1m;
	server {
		listen ADDRESS reuseport;
		TLS
		root HOME/data;
		location / {
			dav_methods PUT;
			create_full_put_path on;
		}
	}
`

// startNginx starts the yardstick: two workers, PUT by WebDAV, GET by sendfile.
// It neither hashes nor syncs nor checks credentials. secure is its lines for TLS, "" for
// plain HTTP.
func startNginx(ctx context.Context, dir, secure string) (*server, error) {
	host, err := servers.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	home := filepath.Join(dir, "nginx")
	address := host
	if secure != "" {
		address += " ssl"
	}
	p, err := servers.Nginx(home, host, strings.NewReplacer("ADDRESS", address, "TLS", secure).Replace(yardstick))
	if err != nil {
		return nil, err
	}
	data := filepath.Join(home, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		return nil, err
	}
	if _, err := servers.Unprivileged(servers.NginxAccount, data); err != nil {
		return nil, err
	}
	if err := p.Start(ctx); err != nil {
		p.Stop()
		return nil, err
	}
	s := one("nginx", host, p.Pid(), p.Stop)
	s.prefix = "/"
	return s, nil
}

// printLog shows the end of what a server printed, after something went wrong.
func printLog(w io.Writer, log string) {
	text, err := os.ReadFile(log)
	if err != nil || len(text) == 0 {
		return
	}
	fmt.Fprintf(w, "%s ends with:\n%s\n", filepath.Base(log), text[max(0, len(text)-2000):])
}
