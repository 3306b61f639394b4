package servers

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const nginxConf = `
ACCOUNT
daemon off;
worker_processes 2;
pid HOME/pid;
error_log HOME/log;
events { worker_connections 2048; }
http {
	access_log off;
	client_max_body_size 0;
	client_body_temp_path HOME/temp/body;
	proxy_temp_path HOME/temp/proxy;
	fastcgi_temp_path HOME/temp/fastcgi;
	uwsgi_temp_path HOME/temp/uwsgi;
	scgi_temp_path HOME/temp/scgi;
	SITE
}
`

// Nginx prepares nginx with the configuration in site, inside of http, which chooses
// the address. It writes only to home, which must not exist yet; HOME in the site
// stands for it.
func Nginx(home, address, site string) (*Process, error) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx, err = exec.LookPath("/usr/sbin/nginx") // not in everyone's PATH
	}
	if err != nil {
		return nil, errors.New("nginx is not here: tools/install-test-deps")
	}
	for _, d := range []string{home, filepath.Join(home, "temp")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return nil, err
		}
	}
	account, err := Unprivileged(NginxAccount, filepath.Join(home, "temp"))
	if err != nil {
		return nil, err
	}
	line := ""
	if account != nil { // its workers give root up
		line = "user " + NginxAccount + ";"
	}
	conf := strings.Replace(nginxConf, "SITE", site, 1)
	conf = strings.NewReplacer("HOME", home, "ACCOUNT", line).Replace(conf)
	file, log := filepath.Join(home, "conf"), filepath.Join(home, "log")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	return &Process{
		Name: "nginx", Log: log,
		Args:  []string{nginx, "-e", log, "-c", file},
		Ready: Answers("http://" + address + "/-/liveness"),
	}, nil
}

// NginxAccount is the account of nginx's workers if root starts it.
const NginxAccount = "www-data"
