package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

// A command that a signal ended says so in a word, with the exit code of a shell,
// however deep the end of its context came from; no other end is taken for it.
func TestExitCodeOfSignals(t *testing.T) {
	for _, tt := range []struct {
		cause error
		err   error
		code  int
		text  string
	}{
		{interrupted{syscall.SIGINT}, fmt.Errorf("a file: %w", context.Canceled), 130, "granary: interrupted\n"},
		{interrupted{syscall.SIGTERM}, context.Canceled, 143, "granary: interrupted\n"},
		{nil, errors.New("of a\tserver\nnext"), 1, "granary: of a?server\ngranary: next\n"},
		{interrupted{syscall.SIGINT}, errors.New("the disk is full"), 1, "granary: the disk is full\n"},
		{nil, context.Canceled, 1, "granary: context canceled\n"},
	} {
		var out bytes.Buffer
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(tt.cause)
		cmd := &cobra.Command{}
		cmd.SetContext(ctx)
		if code := (Env{Stderr: &out}).fail(cmd, tt.err); code != tt.code || out.String() != tt.text {
			t.Errorf("%+v: exit %d, %q", tt, code, out.String())
		}
		if tt.cause != nil {
			if code := exitCode(ended(ctx, tt.err, "again")); code != 128+int(interruption(ctx).signal) {
				t.Errorf("%+v: exit %d of a transfer", tt, code)
			}
		}
	}
}

// With --json an error is one object on one line.
func TestErrorsAsJSON(t *testing.T) {
	var out bytes.Buffer
	cmd := &cobra.Command{}
	cmd.Flags().Bool("json", true, "")
	err := advise(&client.Error{Status: 429, Message: "later", RequestID: "r-1"}, "p")
	if code := (Env{Stderr: &out}).fail(cmd, err); code != 1 {
		t.Errorf("exit %d", code)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
		t.Fatalf("%v: %s", err, out.String())
	}
	want := map[string]any{"message": "the server answered 429 Too Many Requests: later\ntry again later, or raise --retries", "exit_code": 1.0, "status": 429.0, "request_id": "r-1"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	out.Reset()
	if code := (Env{Stderr: &out}).fail(cmd, exitError{errors.New(""), 17}); code != 17 || out.Len() > 0 {
		t.Errorf("what is told already: exit %d, %q", code, out.String())
	}
}
