package servers

import (
	"context"
	"fmt"
	"os/exec"
)

// Build makes the granary of this tree, as it is installed: linking it takes half
// as long without what a debugger wants.
func Build(ctx context.Context, program string) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", program, "granary/cmd/granary").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}
