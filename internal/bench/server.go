package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is one of those compared.
type server struct {
	name   string
	host   string // and port
	prefix string // of every path
	token  string
	pid    int // 0: not known, so no CPU and no memory
	stop   func()
}

// process is a server that the bench started.
type process struct {
	pid  int
	log  string // file with all it printed
	stop func()
	done chan struct{} // closed when it has ended
}

// startProcess runs a command in a process group of its own, so that Ctrl-C
// reaches the bench alone, which then ends the servers in order.
func startProcess(ctx context.Context, log string, env []string, name string, args ...string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	// Should the bench be killed outright, the kernel tells the server to end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid, log: log, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in its log
		// What it started and left behind; most often there is nothing.
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}()
	p.stop = func() {
		cancel()
		<-p.done
	}
	return p, nil
}

// await asks until ready says yes, and gives up when the process ends.
func (p *process) await(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for !ready() {
		select {
		case <-time.After(20 * time.Millisecond):
			continue
		case <-p.done:
		case <-ctx.Done():
		}
		return p.failed()
	}
	select {
	case <-p.done: // so whoever answered had its address before
		return p.failed()
	default:
		return nil
	}
}

func (p *process) failed() error {
	text, _ := os.ReadFile(p.log)
	return fmt.Errorf("the server did not start; it printed:\n%s", text)
}

// startGranary builds the server of this tree and starts it on an empty folder.
func startGranary(ctx context.Context, dir, token string) (*server, error) {
	binary := filepath.Join(dir, "granary")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "granary/cmd/granary").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	p, err := startProcess(ctx, filepath.Join(dir, "granary.log"), []string{"GRANARY_ROOT_TOKEN=" + token},
		binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "granary-data"))
	if err != nil {
		return nil, err
	}
	host := ""
	err = p.await(ctx, func() bool {
		text, _ := os.ReadFile(p.log)
		if host = loggedAddress(string(text)); host == "" {
			return false
		}
		status, err := statusOf(ctx, host, "/-/readiness")
		return err == nil && status == 200
	})
	if err != nil {
		p.stop()
		return nil, err
	}
	return &server{host: host, pid: p.pid, stop: p.stop}, nil
}

// startCommand starts any other server of the same API, by a shell's command
// line; {dir} in it is an empty folder.
func startCommand(ctx context.Context, dir, command, host string) (*server, error) {
	data := filepath.Join(dir, "command-data")
	if err := os.Mkdir(data, 0o755); err != nil {
		return nil, err
	}
	p, err := startProcess(ctx, filepath.Join(dir, "command.log"), nil,
		"sh", "-c", "exec "+strings.ReplaceAll(command, "{dir}", data))
	if err != nil {
		return nil, err
	}
	err = p.await(ctx, func() bool {
		text, _ := os.ReadFile(p.log)
		at := host
		if at == "" {
			at = loggedAddress(string(text))
		}
		_, err := statusOf(ctx, at, "/")
		if err == nil {
			host = at
		}
		return err == nil
	})
	if err != nil {
		p.stop()
		return nil, err
	}
	return &server{host: host, pid: p.pid, stop: p.stop}, nil
}

// loggedAddress finds the port that a server says it chose.
func loggedAddress(log string) string {
	return regexp.MustCompile(`127\.0\.0\.1:[1-9][0-9]*`).FindString(log)
}

func statusOf(ctx context.Context, host, path string) (int, error) {
	c, err := dial(ctx, host, "")
	if err != nil {
		return 0, err
	}
	defer c.close()
	if err := c.tcp.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return 0, err
	}
	status, _, err := c.get(path)
	return status, err
}

// startNginx starts the yardstick: two workers, PUT by WebDAV, GET by sendfile.
// It neither hashes nor syncs nor asks who is there. Its buffer for bodies is
// one that whoever cares would choose: with the 16 KiB it has by default it
// takes large files in at less than half the speed. With reuseport the kernel
// shares the connections out; without, one worker may get nearly all of them.
func startNginx(ctx context.Context, dir string) (*server, error) {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary, err = exec.LookPath("/usr/sbin/nginx") // not in everyone's PATH
	}
	if err != nil {
		return nil, errors.New("nginx is not here: tools/install-test-deps")
	}
	host, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	home := filepath.Join(dir, "nginx")
	if err := makeNginxHome(home, host); err != nil {
		return nil, err
	}
	log := filepath.Join(home, "log")
	p, err := startProcess(ctx, log, nil, binary, "-e", log, "-c", filepath.Join(home, "conf"))
	if err != nil {
		return nil, err
	}
	if err := p.await(ctx, func() bool { _, err := statusOf(ctx, host, "/"); return err == nil }); err != nil {
		p.stop()
		return nil, err
	}
	return &server{name: "nginx", host: host, prefix: "/", pid: p.pid, stop: p.stop}, nil
}

func makeNginxHome(home, host string) error {
	for _, d := range []string{home, filepath.Join(home, "data"), filepath.Join(home, "temp")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	account := ""
	if os.Geteuid() == 0 { // the workers give root up, so the folders must be theirs
		u, err := user.Lookup("www-data")
		if err != nil {
			return err
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		for _, d := range []string{"data", "temp"} {
			if err := os.Chown(filepath.Join(home, d), uid, gid); err != nil {
				return err
			}
		}
		account = "user www-data;"
	}
	conf := strings.NewReplacer("HOME", home, "HOST", host, "ACCOUNT", account).Replace(`
ACCOUNT
daemon off;
worker_processes 2;
pid HOME/pid;
error_log HOME/log;
events { worker_connections 1024; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000000;
	client_max_body_size 0;
	client_body_buffer_size 1m;
	client_body_temp_path HOME/temp/body;
	proxy_temp_path HOME/temp/proxy;
	fastcgi_temp_path HOME/temp/fastcgi;
	uwsgi_temp_path HOME/temp/uwsgi;
	scgi_temp_path HOME/temp/scgi;
	server {
		listen HOST reuseport;
		root HOME/data;
		location / {
			dav_methods PUT;
			create_full_put_path on;
		}
	}
}
`)
	return os.WriteFile(filepath.Join(home, "conf"), []byte(conf), 0o644)
}

// freeAddress is one that nobody listened on a moment ago: nginx cannot say
// which one it chose.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// printLog shows the end of what a server printed, after something went wrong.
func printLog(w io.Writer, log string) {
	text, err := os.ReadFile(log)
	if err != nil || len(text) == 0 {
		return
	}
	fmt.Fprintf(w, "%s ends with:\n%s\n", filepath.Base(log), text[max(0, len(text)-2000):])
}
