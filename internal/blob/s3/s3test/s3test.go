// Package s3test starts a real S3-compatible server for tests: versitygw, or
// minio where GRANARY_TEST_S3 says so, over a temporary folder. Both verify
// signatures and digests as Amazon does.
package s3test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// What every server takes.
const (
	Bucket          = "granary"
	AccessKeyID     = "test-access-key"
	SecretAccessKey = "test-secret-key"
	Region          = "us-east-1"
)

// Server is one running server, that may be stopped and started again.
type Server struct {
	URL string // http://127.0.0.1:PORT, the same after every Start
	Dir string // where the bucket's folder is

	kind    kind
	program string
	cmd     *exec.Cmd
	exited  chan error
}

// kind is a make of server.
type kind struct {
	name, module string
	args         func(address, dir string) []string
	env          []string
}

func chosen() kind {
	if os.Getenv("GRANARY_TEST_S3") == "minio" {
		return kind{"minio", "github.com/minio/minio",
			func(address, dir string) []string { return []string{"server", "--quiet", "--address", address, dir} },
			[]string{"MINIO_ROOT_USER=" + AccessKeyID, "MINIO_ROOT_PASSWORD=" + SecretAccessKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off"}}
	}
	return kind{"versitygw", "github.com/versity/versitygw",
		func(address, dir string) []string {
			return []string{"--port", address, "--keep-alive", "--quiet", "posix", dir}
		},
		[]string{"ROOT_ACCESS_KEY=" + AccessKeyID, "ROOT_SECRET_KEY=" + SecretAccessKey}}
}

// Start starts a server with an empty bucket. It ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	kind := chosen()
	program, err := find(kind.name, kind.module)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Dir: t.TempDir(), kind: kind, program: program}
	if err := os.Mkdir(filepath.Join(s.Dir, Bucket), 0o700); err != nil {
		t.Fatal(err)
	}
	address, err := freeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.URL = "http://" + address
	t.Cleanup(s.Stop)
	s.Start(t)
	return s
}

// Start starts the server again, over the same objects.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(s.program, s.kind.args(s.URL[len("http://"):], s.Dir)...)
	cmd.Env = append(os.Environ(), s.kind.env...)
	cmd.SysProcAttr = dieWithUs()
	out, err := os.Create(filepath.Join(s.Dir, "..", "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	s.cmd, s.exited = cmd, exited
	for {
		resp, err := http.Get(s.URL) //nolint:noctx // the server answers or ends
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode < http.StatusInternalServerError { // MinIO's server listens before it serves
				return
			}
		}
		select {
		case err := <-exited:
			s.cmd = nil
			text, _ := os.ReadFile(out.Name())
			t.Fatalf("%s ended: %v\n%s", s.kind.name, err, text)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Stop kills the server, as a crash would. Stopping it twice is stopping it
// once.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.exited
	s.cmd = nil
}

// find is the program that make built of the module, at the version that
// tools/<name>/go.mod asks for.
func find(name, module string) (string, error) {
	root, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "tools", name, "go.mod")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			return "", errors.New("there is no tools/" + name + " above the test's folder")
		}
		root = filepath.Dir(root)
	}
	text, err := os.ReadFile(filepath.Join(root, "tools", name, "go.mod"))
	if err != nil {
		return "", err
	}
	version := regexp.MustCompile(`\s` + regexp.QuoteMeta(module) + ` (v\S+)`).FindSubmatch(text)
	if version == nil {
		return "", fmt.Errorf("tools/%s/go.mod does not ask for %s", name, module)
	}
	program := filepath.Join(root, ".cache", "bin", name+"-"+string(version[1]))
	if _, err := os.Stat(program); err != nil {
		return "", fmt.Errorf("the S3 server for tests is not built: run `make %s` (%w)", name, err)
	}
	return program, nil
}

// freeAddress is one that nobody listens on now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
