package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// balancerConf is nginx's, with words to replace.
const balancerConf = `
ACCOUNT
daemon off;
worker_processes 2;
pid HOME/pid;
error_log HOME/log;
events { worker_connections 2048; }
http {
	access_log off;
	client_max_body_size 0;
	client_body_temp_path HOME/body;
	proxy_temp_path HOME/proxy;
	fastcgi_temp_path HOME/fastcgi;
	uwsgi_temp_path HOME/uwsgi;
	scgi_temp_path HOME/scgi;
	upstream nodes {
		SERVERS
		keepalive 64;
	}
	server {
		listen ADDRESS reuseport;
		location / {
			proxy_pass http://nodes;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_request_buffering off;
			proxy_buffering off;
			proxy_connect_timeout 2s;
			error_page 502 504 = @unavailable;
		}
		location @unavailable {
			internal;
			default_type application/json;
			add_header Retry-After 1 always;
			return 503 '{"message":"503 Service Unavailable"}';
		}
	}
}
`

// balancer prepares nginx before the nodes. Bodies pass as they come. A node
// that does not answer gets nothing for two seconds; what it had not begun to
// answer is asked of another where asking twice is safe, and is a 503 else.
func (c *cluster) balancer(address string, nodes []string) (*process, error) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx, err = exec.LookPath("/usr/sbin/nginx") // not in everyone's PATH
	}
	if err != nil {
		return nil, errors.New("nginx is not here: tools/install-test-deps")
	}
	home := filepath.Join(c.dir, "nginx")
	if err := os.Mkdir(home, 0o755); err != nil {
		return nil, err
	}
	account := ""
	if os.Geteuid() == 0 {
		account = "user www-data;"
		if _, err := unprivileged(home, "www-data"); err != nil {
			return nil, err
		}
	}
	var servers strings.Builder
	for _, node := range nodes {
		servers.WriteString("server " + node + " max_fails=1 fail_timeout=2s;\n")
	}
	conf := strings.NewReplacer("HOME", home, "ADDRESS", address, "ACCOUNT", account, "SERVERS", servers.String()).Replace(balancerConf)
	file := filepath.Join(home, "conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	log := filepath.Join(home, "log")
	return &process{
		name: "the balancer", log: log, polite: syscall.SIGTERM,
		args:  []string{nginx, "-e", log, "-c", file},
		ready: answers("http://" + address + "/-/liveness"),
	}, nil
}
