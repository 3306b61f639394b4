package cli

import (
	"slices"
	"strings"
)

// withoutTokens is an environment for programs that have no business with what
// this one was given to show.
func withoutTokens(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GRANARY_TOKEN", "GRANARY_ROOT_TOKEN", "GRANARY_ENCRYPTION_KEY", "CI_JOB_TOKEN"}, name)
	})
}
