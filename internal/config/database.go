package config

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// parseDatabase takes sqlite:PATH, or a URL as PostgreSQL's own tools do.
func parseDatabase(to *Location, v string) error {
	if !strings.HasPrefix(v, "postgres://") && !strings.HasPrefix(v, "postgresql://") {
		err := parsePlace(to, "sqlite", v)
		if err != nil {
			return errors.New(err.Error() + ", or postgres://USER@HOST/DATABASE")
		}
		return nil
	}
	// Several hosts with ports are no URL to Go, and one to PostgreSQL: the
	// driver looks at the rest.
	if strings.ContainsAny(v, "\x00\n ") {
		return errors.New("want a URL without blanks, such as postgres://granary@db.example.com/granary?sslmode=verify-full")
	}
	*to = Location{Scheme: "postgres", URL: Secret(v)}
	return nil
}

// ParseDatabase is the place of a database given on the command line, as written in
// the setting: a password in it is an error, for anyone may read a command line.
func ParseDatabase(v string) (Location, error) {
	var p Location
	err := parseDatabase(&p, v)
	if err == nil && p.hidden() {
		err = errors.New("want the password in PGPASSWORD or a passfile: other users can see command lines")
	}
	return p, err
}

// hidden reports whether the place is more than it shows.
func (p Location) hidden() bool {
	_, hidden := withoutSecrets(p.URL.Reveal())
	return hidden
}

// withoutSecrets is a database's URL as it may be shown, and whether something
// was taken out. What cannot be read is not shown at all.
func withoutSecrets(dsn string) (shown string, hidden bool) {
	scheme, rest, ok := strings.Cut(dsn, "://")
	if !ok {
		return dsn, false
	}
	rest, query, _ := strings.Cut(rest, "?")
	// The last @: a password may contain an unescaped one.
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		if user, _, has := strings.Cut(rest[:at], ":"); has {
			rest, hidden = user+":(hidden)"+rest[at:], true
		}
	}
	shown = scheme + "://" + rest
	if query == "" {
		return shown, hidden
	}
	words, err := url.ParseQuery(query)
	if err != nil {
		return shown + "?(hidden)", true
	}
	for _, name := range []string{"password", "sslpassword"} {
		if words.Has(name) {
			words.Set(name, "(hidden)")
			hidden = true
		}
	}
	if !hidden {
		return dsn, false
	}
	return shown + "?" + words.Encode(), true
}

func parseConnections(to *int, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n != 0 && n < 4 || n > 1000 {
		return errors.New("want 4 to 1000, or 0 for four a core")
	}
	*to = n
	return nil
}
