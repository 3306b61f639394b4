package cli

import (
	"runtime"
	"slices"
	"strings"
)

// home is the user's directory, "" if no variable names it. Windows has another
// variable.
func (e Env) home() string {
	if home := e.getenv("HOME"); home != "" || runtime.GOOS != "windows" {
		return home
	}
	return e.getenv("USERPROFILE")
}

// withoutSecrets is an environment for other programs: without granary's own
// variables and the token of a job. Most of them are for a server or name one,
// several hold secrets, and those that come later may too; so only what is named
// here is passed on.
func withoutSecrets(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "CI_JOB_TOKEN" || strings.HasPrefix(name, "GRANARY_") && name != "GRANARY_CA_CERT"
	})
}
