package servers

import (
	"context"
	"fmt"
	"os/exec"
)

// Build makes the granary of this tree.
func Build(ctx context.Context, program string) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "granary/cmd/granary").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}
