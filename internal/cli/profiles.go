package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"granary/internal/client"
)

// profileName is the profile that a flag or the environment names, "" for none.
func profileName(env Env, flag string) string {
	return cmp.Or(flag, env.getenv("GRANARY_PROFILE"))
}

// isProfileName reports a word that can be typed, and printed as it is.
func isProfileName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return len(name) <= 100 && strings.Trim(name, letters+".-_") == "" && strings.Contains(letters, name[:1])
}

// keep stores a token: under a profile, or for the server, which then is the default.
func (l *logins) keep(name, api, token string) {
	if name == "" {
		l.Default = api
		l.Servers[api] = token
		return
	}
	if l.Profiles == nil {
		l.Profiles = map[string]profile{}
	}
	l.Profiles[name] = profile{api, token}
}

// profile is the one of this name; "" has none, and no server.
func (l *logins) profile(name string) (profile, error) {
	p, ok := l.Profiles[name]
	if name == "" || ok {
		return p, nil
	}
	known := "there are none"
	if len(l.Profiles) > 0 {
		known = "there are " + strings.Join(slices.Sorted(maps.Keys(l.Profiles)), ", ")
	}
	return p, usagef("there is no profile %q (%s); granary login --profile NAME SERVER makes one", name, known)
}

// forgetLast drops the token of the server that was logged in to last.
func (l *logins) forgetLast() error {
	if l.Default != "" {
		return l.forget(l.Default)
	}
	known := "there are none"
	if len(l.Servers) > 0 {
		known = "there are those for " + strings.ReplaceAll(strings.Join(slices.Sorted(maps.Keys(l.Servers)), ", "), "/api/v4", "")
	}
	return exitError{fmt.Errorf("no login is left that was the last one (%s); want granary logout SERVER", known), exitNotFound}
}

// forget drops the token of a server.
func (l *logins) forget(server string) error {
	api, err := client.ParseServer(server)
	if err != nil {
		return usageError{err}
	}
	at := api.String()
	if l.Servers[at] == "" {
		return exitError{fmt.Errorf("there is no login for %s", strings.TrimSuffix(at, "/api/v4")), exitNotFound}
	}
	delete(l.Servers, at)
	if l.Default == at {
		l.Default = ""
	}
	return nil
}

// forgetProfile drops a profile with its token.
func (l *logins) forgetProfile(name string) error {
	if _, ok := l.Profiles[name]; !ok {
		return exitError{fmt.Errorf("there is no profile %q", name), exitNotFound}
	}
	delete(l.Profiles, name)
	return nil
}
