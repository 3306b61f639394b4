package cli

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"granary/internal/client"
)

// netrcCredential is the password that .netrc has for a host, or its default.
// The password is taken for a token, as GitLab's users keep it there.
func netrcCredential(ctx context.Context, env Env, host string) (client.Credential, error) {
	path := env.getenv("NETRC")
	if path == "" && env.home() != "" {
		path = filepath.Join(env.home(), ".netrc")
	}
	if path == "" {
		return client.Credential{}, nil
	}
	text, err := readSmall(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return client.Credential{}, nil
	}
	if err != nil {
		return client.Credential{}, err
	}
	login, password := parseNetrc(string(text), host)
	switch {
	case password == "":
		return client.Credential{}, nil
	case login == "gitlab-ci-token":
		return client.JobToken(password), nil
	case strings.HasPrefix(login, "gitlab+deploy-token"):
		return client.DeployToken(password), nil
	}
	return client.TokenOf(password), nil
}

// parseNetrc finds the first entry for a host, or the default. Macros end at
// an empty line and are left aside.
func parseNetrc(text, host string) (login, password string) {
	words := netrcWords(text)
	for i := 0; i < len(words); i++ {
		matches := words[i] == "default"
		if words[i] == "machine" && i+1 < len(words) {
			i++
			matches = strings.EqualFold(words[i], host)
		}
		if !matches {
			continue
		}
		for i++; i+1 < len(words) && slices.Contains([]string{"login", "password", "account"}, words[i]); i += 2 {
			switch words[i] {
			case "login":
				login = words[i+1]
			case "password":
				password = words[i+1]
			}
		}
		return login, password
	}
	return "", ""
}

func netrcWords(text string) (words []string) {
	macro := false
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
			macro = false
		case macro || strings.HasPrefix(fields[0], "#"):
		case fields[0] == "macdef":
			macro = true
		default:
			words = append(words, fields...)
		}
	}
	return words
}
