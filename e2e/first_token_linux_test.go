package e2e

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/cli"
)

// TestFirstToken: the first token is shown on a terminal only; else, and in any case
// in the log, the file is named that has it. A token that the settings gave is shown
// nowhere, and kept in no file. The same goes for the link that signs in.
func TestFirstToken(t *testing.T) {
	for _, tc := range []struct {
		name            string
		terminal, given bool
	}{
		{"on a terminal", true, false}, {"elsewhere", false, false},
		{"given, on a terminal", true, true}, {"given, elsewhere", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			file := filepath.Join(data, "initial_root_token")
			var environ []string
			if tc.given {
				environ = append(environ, "GRANARY_ROOT_TOKEN="+token)
			}
			printed, logged := startOnce(t, tc.terminal, environ, data)
			kept, err := os.ReadFile(file)
			if tc.given {
				if !os.IsNotExist(err) {
					t.Errorf("%s was made: %v", file, err)
				}
				if strings.Contains(printed+logged, token) {
					t.Errorf("the token is repeated:\n%s\n%s", printed, logged)
				}
			} else {
				secret := strings.TrimSpace(string(kept))
				if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 || len(secret) < 20 {
					t.Fatalf("%s: %v, %d bytes", file, err, len(secret))
				}
				if !strings.Contains(logged, "file="+file) || strings.Contains(logged, secret) {
					t.Errorf("the log does not name the file, or has the token:\n%s", logged)
				}
				if strings.Contains(printed, secret) != tc.terminal {
					t.Errorf("the token is shown: %v, want %v:\n%s", !tc.terminal, tc.terminal, printed)
				}
			}
			link := strings.Contains(printed, "/-/sign_in/link?to=%2Froot%2Fdemo#gnsl-") && strings.Contains(printed, "(works once, for an hour)")
			if link != (tc.terminal && !tc.given) || tc.terminal && tc.given != strings.Contains(printed, "sign in        granary admin sign-in-link") {
				t.Errorf("a link that signs in is shown: %v:\n%s", link, printed)
			}
			if strings.Contains(logged, "gnsl-") || !strings.Contains(logged, `sign_in="granary admin sign-in-link"`) {
				t.Errorf("the log has the link, or does not name the command:\n%s", logged)
			}
			if !tc.terminal && printed != "" || tc.terminal && !strings.Contains(printed, "granary is ready at http://127.0.0.1:") {
				t.Errorf("printed:\n%s", printed)
			}
			if printed, logged := startOnce(t, tc.terminal, environ, data); printed != "" || strings.Contains(logged, "first start") {
				t.Errorf("the second start prints %s and logs %s", printed, logged)
			}
		})
	}
}

// startOnce runs the server until it listens, and says what it printed and logged.
func startOnce(t *testing.T, onTerminal bool, environ []string, data string) (printed, logged string) {
	t.Helper()
	reader, stdout, err := os.Pipe()
	if onTerminal {
		reader, stdout, err = openTerminal()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	logs, stderr := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(ctx, cli.Env{
			Args: []string{"serve", "--listen=127.0.0.1:0", "--data-dir=" + data}, Environ: environ,
			Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr,
		})
		_, _ = stderr.Close(), stdout.Close()
	}()
	seen := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(reader) // of a terminal it ends with an error
		seen <- string(text)
	}()
	var log strings.Builder
	for lines := bufio.NewScanner(logs); lines.Scan(); {
		log.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "msg=listening") {
			cancel()
		}
	}
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d:\n%s", code, log.String())
	}
	return <-seen, log.String()
}
