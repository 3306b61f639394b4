// Package e2e runs the program as its users run it. The scripts in testdata
// are to be read: each tells one story, with curl as the client. Beside
// testscript's own commands they have
//
//	serve [flags]   start `granary serve` on a free port with ./data as its
//	                data directory and wait for it; sets $URL, $API, $TOKEN (the
//	                administrator's), and $DEMO, where root/demo has its files
//	halt            end it with SIGTERM; its exit code must be 0
//	api METHOD PATH [curl arguments]
//	                call the API as the administrator; fails where it does
//	let NAME PATTERN
//	                set $NAME to what the group in the pattern matches in the
//	                last output
//	status CODE curl arguments
//	                call with curl and want this status; the answer is the output
//	soon CODE curl arguments
//		status, again and again until it is so
//	code CODE granary arguments
//	                run granary and want this exit code
//	gitlab [old] [objects] [throttle] [protect] [unique] [chatty]
//	                start a server that is not granary (gitlab_test.go)
//	cut BYTES CONNECTIONS
//	                from here on the client reaches $URL through a proxy that cuts
//	                the first so many connections, each after so many bytes
//	slow BYTES      from here on the client reaches $URL through a proxy that moves
//	                so many bytes a second
//	terminal [-type FILE | -answer FILE | -interrupt] granary arguments
//	                run granary on a terminal, type FILE or send SIGINT where it asks
//	                for a token, or type FILE ahead; the output is what a person would
//	                have seen
//	interrupt BYTES granary arguments
//	                run granary and send it SIGINT when so many bytes have moved; what it
//	                said is in the file interrupted
//	below           start nginx as docs/operations.md shows it for a server below a
//	                path; sets $BACKEND, where granary is to listen, and $SITE, its
//	                --external-url
//	bytes FILE COUNT
//	                make a file of random bytes
//
// (testscript has a command stop of its own: it ends a script there, which passes.)
//
// serve and gitlab set what granary's own client reads, too, and $P, a project.
package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"granary/dev/servers"

	"github.com/rogpeppe/go-internal/testscript"
)

const token = "gnpat-the-administrators-token"

func TestScripts(t *testing.T) {
	manual, err := filepath.Abs("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("http_proxy", "")
			env.Setenv("OPERATIONS", manual)
			env.Setenv("EXAMPLES", examples)
			// A program with the race detector sleeps for a second at its end, and
			// scripts run hundreds of them.
			env.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
			env.Values[servedKey{}] = &served{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"serve": serve, "halt": halt, "api": api, "let": let, "status": status, "soon": soon,
			"gitlab": startGitlab, "cut": cut, "slow": slow, "terminal": terminal, "interrupt": interrupt, "bytes": makeBytes, "code": code,
			"below": below, "certificate": certificate,
		},
	})
}

// certificate writes cert.pem and key.pem for 127.0.0.1, valid for a day or, with "expired", until
// an hour ago.
func certificate(ts *testscript.TestScript, neg bool, args []string) {
	expires := time.Now().AddDate(0, 0, 1)
	if len(args) == 1 && args[0] == "expired" {
		expires = time.Now().Add(-time.Hour)
	} else if neg || len(args) > 0 {
		ts.Fatalf("usage: certificate [expired]")
	}
	_, _, err := servers.SelfSigned(ts.MkAbs("."), expires, "127.0.0.1")
	ts.Check(err)
}

type servedKey struct{}

// served is the server of one script.
type served struct {
	cmd    *exec.Cmd
	exited chan error
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(servedKey{}).(*served)
	if neg || s.cmd != nil {
		ts.Fatalf("serve: it runs already, or should not")
	}
	cmd := exec.Command(granaryPath(ts), append([]string{"serve", "--listen=127.0.0.1:0", "--data-dir=" + ts.MkAbs("data")}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "GRANARY_ROOT_TOKEN="+token, "GRANARY_DISK_RESERVE=0", "GORACE="+ts.Getenv("GORACE"))
	logs, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	s.cmd, s.exited = cmd, make(chan error, 1)
	ts.Defer(func() { _ = s.end() }) // `halt` tells how it ended
	listening := make(chan string, 1)
	go func() {
		var log strings.Builder
		pattern := regexp.MustCompile(`msg=listening .*url=(\S+)`)
		for lines := bufio.NewScanner(logs); lines.Scan(); {
			if m := pattern.FindStringSubmatch(lines.Text()); m != nil {
				listening <- m[1]
				_, _ = io.Copy(io.Discard, logs)
			}
			fmt.Fprintln(&log, lines.Text())
		}
		err := cmd.Wait()
		close(listening)
		if err != nil {
			err = fmt.Errorf("granary serve: %w\n%s", err, log.String())
		}
		s.exited <- err
	}()
	url, ok := <-listening
	if !ok {
		s.cmd = nil
		ts.Fatalf("%v", <-s.exited)
	}
	ts.Setenv("URL", url)
	ts.Setenv("API", url+"/api/v4")
	ts.Setenv("TOKEN", token)
	ts.Setenv("GRANARY_SERVER", url)
	ts.Setenv("GRANARY_TOKEN", token)
	ts.Setenv("P", "root/demo")
	ts.Setenv("DEMO", url+"/api/v4/projects/root%2Fdemo/packages/generic")
}

// granaryPath is the program under test.
func granaryPath(ts *testscript.TestScript) string {
	for _, dir := range strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		if _, err := os.Stat(dir + "/granary"); err == nil {
			return dir + "/granary"
		}
	}
	ts.Fatalf("there is no granary in PATH")
	return ""
}

// end asks the server to end, and tells how it did.
func (s *served) end() error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.exited:
		return err
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill()
		return fmt.Errorf("it did not end within 20 s of SIGTERM")
	}
}

func halt(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(ts.Value(servedKey{}).(*served).end())
}

// api is curl as the administrator.
func api(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: api METHOD PATH [curl arguments]")
	}
	curl := []string{"--silent", "--show-error", "--fail-with-body", "--header", "PRIVATE-TOKEN: " + token,
		"--request", args[0], ts.Getenv("API") + args[1]}
	if err := ts.Exec("curl", append(curl, args[2:]...)...); (err != nil) != neg {
		ts.Fatalf("api %s: %v", strings.Join(args, " "), err)
	}
}

func let(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: let NAME PATTERN")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("let %s: no match of %s", args[0], args[1])
	}
	ts.Setenv(args[0], m[1])
}

// status is curl, and a look at the status of the answer.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE curl arguments")
	}
	ts.Check(ts.Exec("curl", append([]string{"--silent", "--show-error", "--write-out", "%{stderr}%{http_code}"}, args[1:]...)...))
	if got := ts.ReadFile("stderr"); got != args[0] {
		ts.Fatalf("status %s, want %s", got, args[0])
	}
}

// soon is status for what comes within seconds. A server forgets by itself, but
// after ten.
func soon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: soon CODE curl arguments")
	}
	for until := time.Now().Add(8 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		ts.Check(ts.Exec("curl", append([]string{"--silent", "--show-error", "--write-out", "%{stderr}%{http_code}"}, args[1:]...)...))
		got := ts.ReadFile("stderr")
		if got == args[0] {
			return
		}
		if time.Now().After(until) {
			ts.Fatalf("still status %s, want %s", got, args[0])
		}
	}
}

// code is granary, and a look at its exit code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code CODE granary arguments")
	}
	got := 0
	err := ts.Exec("granary", args[1:]...)
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}
