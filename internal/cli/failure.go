package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

// interrupted is the end of a command by a signal. Its exit code is that of a
// shell: 128 and the signal's number.
type interrupted struct{ signal syscall.Signal }

func (interrupted) Error() string { return "interrupted" }

// interruption is the signal that ended ctx; any other end counts as Ctrl-C.
func interruption(ctx context.Context) interrupted {
	if i, ok := errors.AsType[interrupted](context.Cause(ctx)); ok {
		return i
	}
	return interrupted{syscall.SIGINT}
}

// untilInterrupted is the command's context, which ends with Ctrl-C and
// SIGTERM. A second signal ends the program at once.
func untilInterrupted(cmd *cobra.Command) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(cmd.Context())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			number, _ := s.(syscall.Signal) // both are
			cancel(interrupted{number})
		case <-ctx.Done():
		}
	}()
	cmd.SetContext(ctx) // Main asks it what ended the command
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

// ended words an end by Ctrl-C.
func ended(ctx context.Context, err error, next string) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w; %s", interruption(ctx), next)
	}
	return err
}

// failure is an error as --json prints it.
type failure struct {
	Message   string `json:"message"` // what is printed for people, without "granary: "
	ExitCode  int    `json:"exit_code"`
	Status    int    `json:"status,omitempty"`     // of HTTP, if a server refused
	RequestID string `json:"request_id,omitempty"` // under which its log knows the call
}

// fail prints the error of a command and returns the exit code: lines for
// people, or one line of JSON. An error without words has been printed already.
func (e Env) fail(cmd *cobra.Command, err error) int {
	if errors.Is(err, context.Canceled) && cmd.Context() != nil {
		if i, ok := errors.AsType[interrupted](context.Cause(cmd.Context())); ok {
			err = i
		}
	}
	if cmd.Flags().Lookup("ca-cert") != nil { // it asks as a client
		err = explain(e, err)
	}
	code := exitCode(err)
	text := strings.TrimSpace(err.Error())
	if text == "" {
		return code
	}
	if !wantsJSON(cmd, e.Args) {
		for line := range strings.SplitSeq(text, "\n") {
			fmt.Fprintln(e.Stderr, "granary: "+onOneLine(line))
		}
		return code
	}
	told := failure{Message: text, ExitCode: code}
	if answer, ok := errors.AsType[*client.Error](err); ok {
		told.Status, told.RequestID = answer.Status, answer.RequestID
	}
	line, _ := json.Marshal(told) // text and numbers always can
	fmt.Fprintf(e.Stderr, "%s\n", escapeControls(line))
	return code
}

// wantsJSON reports whether the arguments ask for JSON, even if they are wrong: the
// arguments after an unknown flag have not been parsed, a value may be invalid, and
// the flag may come before the command that has it.
func wantsJSON(cmd *cobra.Command, args []string) bool {
	flag := cmd.Flags().Lookup("json")
	if flag == nil && !cmd.HasSubCommands() { // it may belong to the command that ci run runs
		return false
	}
	wants := flag != nil && flag.Value.String() == "true"
	for _, arg := range args {
		value, has := strings.CutPrefix(arg, "--json=")
		switch yes, err := strconv.ParseBool(value); {
		case arg == "--":
			return wants
		case arg == "--json":
			wants = true
		case has:
			wants = yes || err != nil
		}
	}
	return wants
}
