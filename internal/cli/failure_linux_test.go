package cli

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
)

// The first signal ends the context. Where a command does not come back of that, the
// second ends the program.
func TestSecondSignal(t *testing.T) {
	const child = "GRANARY_TEST_SECOND_SIGNAL"
	if os.Getenv(child) != "" {
		cmd := &cobra.Command{}
		cmd.SetContext(t.Context())
		ctx, stop := untilInterrupted(cmd)
		defer stop()
		fmt.Println("begun")
		<-ctx.Done()
		fmt.Println("told")
		select {}
	}
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSecondSignal$")
		program.Env = append(os.Environ(), child+"=1")
		out, err := program.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := program.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for _, want := range []string{"begun", "told"} {
			if !lines.Scan() || lines.Text() != want {
				t.Fatalf("%v: %q, want %s", s, lines.Text(), want)
			}
			if err := program.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
		_ = program.Wait() // how it ended is looked at
		if status, ok := program.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != s {
			t.Errorf("%v: it ended with %v", s, program.ProcessState)
		}
	}
}
