package cli

import (
	"runtime"
	"slices"
	"strings"
)

// home is the user's directory, "" where none is named. Windows names it
// otherwise.
func (e Env) home() string {
	if home := e.getenv("HOME"); home != "" || runtime.GOOS != "windows" {
		return home
	}
	return e.getenv("USERPROFILE")
}

// withoutTokens is an environment for programs that have no business with what
// this one was given to show.
func withoutTokens(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GRANARY_TOKEN", "GRANARY_ROOT_TOKEN", "GRANARY_ENCRYPTION_KEY", "CI_JOB_TOKEN"}, name)
	})
}
