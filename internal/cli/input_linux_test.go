package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a person names may stream, and nobody may ever write to it. A signal ends the
// wait, which is the end of the context.
func TestInterruptedWaits(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	silent, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{"HOME=" + dir, "GRANARY_SERVER=http://127.0.0.1:9"}
	for _, tt := range []struct {
		args    string
		environ string
	}{
		{"push a/b c 1.0.0 --files-from " + fifo, ""},
		{"push a/b c 1.0.0 --files-from -", ""},
		{"push a/b c 1.0.0 - --name x", ""},
		{"ls a/b --ca-cert " + fifo, ""},
		{"ls a/b", "NETRC=" + fifo},
		{"login 127.0.0.1:9 --ca-cert " + fifo, ""},
		{"login 127.0.0.1:9", ""},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		go func() {
			ended <- Main(ctx, Env{
				Args: strings.Fields(tt.args), Environ: append(environ, tt.environ),
				Stdin: silent, Stdout: io.Discard, Stderr: io.Discard,
			})
		}()
		cancel()
		select {
		case code := <-ended:
			if code == exitOK {
				t.Errorf("%s ended well", tt.args)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s waits for ever", tt.args)
		}
	}
}

// What nobody streams is refused at once where it is not a file.
func TestNoRegularFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, path := range []string{"logins/granary", "tree"} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, "tree/a", "a")
	for _, fifo := range []string{"logins/granary/logins.json", "tree/" + ignoreFile} {
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"ls a/b --server http://127.0.0.1:9":                     "logins.json is not a regular file",
		"push a/b c 1.0.0 tree --server http://127.0.0.1:9":      ".granaryignore is not a regular file",
		"ls a/b --server http://127.0.0.1:9 --ca-cert /dev/zero": "--ca-cert: /dev/zero has more than 16777216 bytes",
	} {
		environ := []string{"XDG_CONFIG_HOME=" + dir}
		if strings.Contains(want, "logins") {
			environ = []string{"XDG_CONFIG_HOME=" + dir + "/logins"}
		}
		var errs bytes.Buffer
		code := Main(t.Context(), Env{Args: strings.Fields(args), Environ: environ, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &errs})
		if code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: %d %s, want %s", args, code, errs.String(), want)
		}
	}
}
