package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// proveImage unpacks the image of this processor by other people's programs, and runs it.
func proveImage(t *testing.T, file string) {
	checkImage(t, file, 2)
	if info, err := os.Stat(file); err != nil || info.Size() > 35*megabyte {
		t.Errorf("the image of two systems has more than 35 MiB: %v, %v", info, err)
	}
	folder := t.TempDir()
	command(t, folder, "skopeo", "copy", "--insecure-policy", "--quiet", "oci-archive:"+file+":1.2.3", "oci:one:1.2.3")
	command(t, folder, "umoci", "unpack", "--image", "one:1.2.3", "bundle")
	root := filepath.Join(folder, "bundle/rootfs")
	for name, want := range map[string]string{"tmp": "1777 0", "data": "700 65532", "usr/bin/granary": "755 0", "etc/ssl/certs/ca-certificates.crt": "644 0"} {
		if got := strings.TrimSpace(command(t, root, "stat", "--format=%a %u", name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	size := strings.Fields(command(t, root, "du", "--bytes", "--summarize", "."))[0]
	t.Logf("the image, unpacked, has %s bytes", size)
	s := serve(t, root, "/data", "--userspec=65532:65532")
	s.publish(t, "from-the-image")
	s.stop(t)
	s = serve(t, root, "/data", "--userspec=65532:65532")
	s.has(t, "from-the-image")
	s.stop(t)
}

// proveDeb installs the package in a Debian of its own, serves from it, replaces it by the next
// version, removes and purges it.
func proveDeb(t *testing.T, deb, next string) {
	root := debian(t)
	inside := func(args ...string) string { return command(t, ".", append([]string{"chroot", root}, args...)...) }
	install := func(file string) {
		command(t, ".", "cp", file, filepath.Join(root, "package.deb"))
		inside("dpkg", "--install", "/package.deb")
	}
	there := func(name string, want bool) {
		t.Helper()
		if _, err := os.Lstat(filepath.Join(root, name)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}
	const enabled, settings = "etc/systemd/system/multi-user.target.wants/granary.service", "etc/granary/granary.env"
	install(deb)
	there(enabled, false) // the administrator starts it
	inside("systemctl", "enable", "granary.service")
	there(enabled, true)
	inside("systemd-analyze", "verify", "--man=no", "granary.service")
	own := "GRANARY_NAMING=relaxed\n"
	if err := os.WriteFile(filepath.Join(root, settings), []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	// The unit's DynamicUser= makes these two.
	inside("mkdir", "-p", "-m", "700", "/var/lib/private/granary")
	inside("ln", "-s", "private/granary", "/var/lib/granary")
	s := serve(t, root, "/var/lib/granary")
	s.publish(t, "before")
	s.stop(t)

	install(next)
	if got := inside("granary", "version"); !strings.HasPrefix(got, "granary v1.2.4 ") {
		t.Errorf("the next version says %q", got)
	}
	if text, err := os.ReadFile(filepath.Join(root, settings)); err != nil || string(text) != own {
		t.Errorf("the settings after it: %q, %v", text, err)
	}
	there(enabled, true)
	s = serve(t, root, "/var/lib/granary")
	s.has(t, "before")
	s.stop(t)

	inside("dpkg", "--remove", "granary")
	there("usr/bin/granary", false)
	there(enabled, false)
	there("var/lib/private/granary/granary.db", true)
	there(settings, true)
	install(next)
	s = serve(t, root, "/var/lib/granary")
	s.has(t, "before")
	s.stop(t)
	inside("dpkg", "--purge", "granary")
	there("var/lib/private/granary", false)
	there("var/lib/granary", false)
	there("etc/granary", false)
	proveUpgrade(t, root, install, deb, next)
	proveCalls(t, root, deb, next)
}

// proveUpgrade replaces the package of a server under load, whose socket stays open as that of
// granary.socket does: no client is refused, and none gets another answer than it should.
func proveUpgrade(t *testing.T, root string, install func(string), deb, next string) {
	install(deb)
	const data = "/srv/granary"
	s := serve(t, root, data) // the first start, which makes a token
	s.publish(t, "before")
	s.stop(t)
	var plain net.ListenConfig
	plain.SetMultipathTCP(false) // systemd's sockets are not, either
	ln, err := plain.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	_ = ln.Close() // socket is another descriptor of it
	s = servePassed(t, root, data, socket)
	loaded := startLoad(t, s)
	for range 3 {
		time.Sleep(time.Second)
		install(next)
		s.stop(t) // systemctl restart
		s = servePassed(t, root, data, socket)
	}
	time.Sleep(time.Second)
	answered, wrong := loaded()
	t.Logf("%d requests, each by a connection of its own, during three restarts", answered)
	if len(wrong) > 0 || answered < 100 {
		t.Errorf("%d answered, and these were not: %q", answered, wrong)
	}
	if status, said := s.ask(t, http.MethodGet, "/api/v4/metadata", ""); status != http.StatusOK || !strings.Contains(said, "1.2.4") {
		t.Errorf("it serves version %d %s", status, said)
	}
	s.stop(t)
	command(t, ".", "chroot", root, "dpkg", "--purge", "granary")
}

// proveCalls looks at what the package asks of a systemd that runs: no chroot has one, so that
// a script in its place writes down how it is called.
func proveCalls(t *testing.T, root, deb, next string) {
	command(t, root, "mkdir", "-p", "run/systemd/system")
	for _, step := range []struct{ name, args, want string }{
		{"install", "--install /first.deb", "daemon-reload\n"},
		{"upgrade", "--install /next.deb", "daemon-reload\ndaemon-reload\ntry-restart granary.service\n"},
		{"remove", "--remove granary", "stop UNITS\n--no-reload disable UNITS\ndaemon-reload\n"},
	} {
		for name, from := range map[string]string{"first.deb": deb, "next.deb": next} {
			command(t, ".", "cp", from, filepath.Join(root, name))
		}
		command(t, root, "rm", "-f", "calls", "bin/systemctl", "usr/bin/systemctl")
		script := []byte("#!/bin/sh\necho \"$*\" >>/calls\n")
		if err := os.WriteFile(filepath.Join(root, "usr/bin/systemctl"), script, 0o755); err != nil {
			t.Fatal(err)
		}
		command(t, ".", append([]string{"chroot", root, "dpkg"}, strings.Fields(step.args)...)...)
		calls, err := os.ReadFile(filepath.Join(root, "calls"))
		units, _ := filepath.Glob("../../deploy/granary.*")
		for i := range units {
			units[i] = filepath.Base(units[i])
		}
		if want := strings.ReplaceAll(step.want, "UNITS", strings.Join(units, " ")); err != nil || string(calls) != want {
			t.Errorf("%s calls %q, want %q (%v)", step.name, calls, want, err)
		}
	}
}

// debian is a root with a new Debian 12 and systemd's programs in it.
func debian(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	command(t, ".", "debootstrap", "--variant=minbase", "--include=systemd", "bookworm", root)
	return root
}
