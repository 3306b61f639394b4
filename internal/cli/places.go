package cli

import (
	"net/url"
	"strings"

	"granary/internal/client"
)

// place is a project on a server.
type place struct {
	client  *client.Client
	project string
}

// String is the place as people write it.
func (p place) String() string { return p.client.Server() + "/" + p.project }

// splitPlace reads SERVER/PROJECT. The server is "" if none is named: then it is the
// one that other commands use.
//
// The text before /api/v4/ is a server. So is a server that is known from a login or
// the environment, the longest first: it may be below a path. Else the first word is a
// server if it looks like one: it has a scheme, a dot or a port.
func (o *connection) splitPlace(arg string, logins *stored) (server, project string, err error) {
	if arg == "." {
		project, err = o.project(arg)
		return "", project, err
	}
	server, project, found := strings.Cut(arg, "/api/v4/")
	if !found {
		if server, project, found, err = o.knownServer(arg, logins); err != nil {
			return "", "", err
		}
	}
	if !found {
		scheme, rest, named := strings.Cut(arg, "://")
		if !named {
			scheme, rest = "", arg
		}
		first, after, _ := strings.Cut(rest, "/")
		if !named && first != "localhost" && !strings.ContainsAny(first, ".:") {
			after = arg // no server
		} else if server = first; named {
			server = scheme + "://" + first
		}
		project = after
	}
	if project = strings.Trim(project, "/"); project == "" || project == "." {
		return "", "", usagef("%q names no project: want SERVER/PROJECT, such as packages.example.com/acme/tools", arg)
	}
	return server, project, nil
}

// knownServer cuts the address of a known server off the start of arg.
func (o *connection) knownServer(arg string, logins *stored) (server, project string, found bool, err error) {
	kept, err := logins.read()
	if err != nil {
		return "", "", false, err
	}
	known := []string{o.server, o.env.getenv("GRANARY_SERVER"), o.env.getenv("CI_API_V4_URL")}
	for api := range kept.Servers {
		known = append(known, api)
	}
	longest := 0
	for _, text := range known {
		u, err := client.ParseServer(text)
		if err != nil {
			continue
		}
		address := strings.TrimSuffix(u.String(), "/api/v4")
		_, bare, _ := strings.Cut(address, "://")
		for _, start := range []string{address, bare} {
			if rest, ok := strings.CutPrefix(arg, start+"/"); ok && len(bare) > longest {
				server, project, longest = address, rest, len(bare)
			}
		}
	}
	return server, project, longest > 0, nil
}

// twoPlaces connects to both. Every server is shown the token that belongs to it.
func (o *connection) twoPlaces(from, to, toToken string) (source, target place, err error) {
	logins := &stored{env: o.env}
	a, b := *o, *o
	b.token = toToken
	var server string
	for _, end := range []struct {
		arg string
		o   *connection
		p   *place
	}{{from, &a, &source}, {to, &b, &target}} {
		if server, end.p.project, err = o.splitPlace(end.arg, logins); err != nil {
			return source, target, err
		}
		if server != "" {
			end.o.server = server
		}
	}
	if err := o.settleTokens(&a, &b, logins); err != nil {
		return source, target, err
	}
	if source.client, err = a.client(); err != nil {
		return source, target, err
	}
	target.client, err = b.client()
	return source, target, err
}

// settleTokens makes sure that no token is sent to both of two servers, and that a
// token of the environment without a server is sent only to the server that other
// commands use: a group whose name has a dot may be mistaken for a stranger's host.
func (o *connection) settleTokens(a, b *connection, logins *stored) error {
	var at [2]*url.URL
	for i, end := range []*connection{a, b} {
		api, err := end.address(logins)
		if err != nil {
			return err
		}
		at[i] = api
	}
	unowned := o.env.getenv("GRANARY_TOKEN") != "" && o.env.getenv("GRANARY_SERVER") == ""
	if *at[0] != *at[1] {
		if unowned && (a.token == "" || b.token == "") {
			return usagef("GRANARY_TOKEN is set without GRANARY_SERVER, so nothing tells whether it is for %s or %s; set GRANARY_SERVER to the one, and run granary login for the other", at[0].Host, at[1].Host)
		}
		return nil
	}
	if usual, err := o.address(logins); unowned && a.token == "" && (err != nil || *usual != *at[0]) {
		return usagef("GRANARY_TOKEN is set without GRANARY_SERVER, so nothing tells that it is for %s; set GRANARY_SERVER to the server that it is for", at[0].Host)
	}
	if b.token == "" {
		b.token = a.token
	}
	return nil
}
