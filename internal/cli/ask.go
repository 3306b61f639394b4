package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// canAsk reports whether the command can ask a person: on a terminal.
func canAsk(env Env) bool {
	_, reads := terminal(env.Stdin)
	_, sees := terminal(env.Stderr)
	return reads && sees
}

// ask asks a question whose answer is yes or no, and anything but yes is no. What it
// names came from a server, and stays on the question's line.
func ask(ctx context.Context, env Env, question string) (bool, error) {
	fmt.Fprintf(env.Stderr, "%s [y/N] ", onOneLine(question))
	text, _ := orInterrupted(ctx, func() (string, error) { return bufio.NewReader(env.Stdin).ReadString('\n') }) // no answer is no
	if ctx.Err() != nil {
		fmt.Fprintln(env.Stderr)
		return false, ctx.Err()
	}
	text = strings.ToLower(strings.TrimSpace(text))
	return text == "y" || text == "yes", nil
}
