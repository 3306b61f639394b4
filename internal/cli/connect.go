package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

const connectionHelp = `The server is the first of: --server, that of the profile in --profile or
GRANARY_PROFILE, GRANARY_SERVER, CI_API_V4_URL, that of the last granary login. The token
is the first of: --token, the profile's (for its server), GRANARY_TOKEN (for the server
in GRANARY_SERVER, if that is set), CI_JOB_TOKEN (for the server in CI_API_V4_URL), that
of granary login for this server, the password in .netrc for its host; without a token,
requests are anonymous. Other users can see command lines: prefer the variable to
--token.

--ca-cert, else GRANARY_CA_CERT, else CI_SERVER_TLS_CA_FILE names a PEM file with
authorities to trust in addition to those of this machine. HTTPS_PROXY or HTTP_PROXY, by
the server's scheme, names a proxy; NO_PROXY names hosts that are reached without it.

A project is its path, group/project, or its id; in a CI job "." is the job's own.`

// connection is the flags of every command that asks a server.
type connection struct {
	env           Env
	server, token string
	profile       string
	caCert        string
	retries       int
	quiet         bool
	verbose       bool

	context        func() context.Context // until the command is interrupted
	usedProfile    string                 // whose token is shown, once there is a client; "" for none
	bytesPerSecond int64                  // that transfers may move, 0 for no limit
}

func (o *connection) addFlags(cmd *cobra.Command) {
	o.context = cmd.Context
	f := cmd.Flags()
	f.StringVar(&o.server, "server", "", "the `address` of the server")
	f.StringVar(&o.token, "token", "", "send this `token`: an access, deploy or job token")
	f.StringVar(&o.profile, "profile", "", "use this profile `name`, as granary login stored it")
	f.StringVar(&o.caCert, "ca-cert", "", "trust the authorities in this PEM `file`, too")
	f.IntVar(&o.retries, "retries", client.DefaultAttempts-1, "retry this `number` of times if a connection breaks or the server is busy")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print errors only")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "print every request and answer, without secrets")
	cmd.Long += "\n\n" + connectionHelp
}

// client connects: it settles server and token, and asks nothing yet.
func (o *connection) client() (*client.Client, error) {
	if o.retries < 0 || o.retries > 1000 {
		return nil, usagef("--retries is %d: want 0 to 1000", o.retries)
	}
	logins := &stored{env: o.env}
	api, err := o.address(logins)
	if err != nil {
		return nil, err
	}
	credential, err := o.credential(api, logins)
	if err != nil {
		return nil, err
	}
	authorities, err := readAuthorities(o.context(), o.env, o.caCert)
	if err != nil {
		return nil, err
	}
	var trace func(string)
	if o.verbose {
		trace = func(line string) { o.env.notice("%s", line) }
	}
	return o.env.newClient(client.Config{
		Trace:  trace,
		Server: api.String(), Credential: credential, Authorities: authorities,
		Attempts: o.retries + 1, Waiting: o.waiting,
		Rate: o.bytesPerSecond,
	})
}

// newClient is the client of a command. It silences the standard logger: net/http logs
// there if a server sends unexpected bytes on an idle connection. net/http closes such
// a connection, and no call fails.
func (e Env) newClient(config client.Config) (*client.Client, error) {
	log.SetOutput(io.Discard)
	config.UserAgent = "granary/" + versionOf(e.Version)
	c, err := client.New(config)
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

func (o *connection) waiting(why error, pause time.Duration) {
	if pause >= time.Second && !o.quiet {
		o.env.notice("%v; trying again in %s", why, pause.Round(time.Second))
	}
}

// address is the API of the server.
func (o *connection) address(logins *stored) (*url.URL, error) {
	named, err := o.chosenProfile(logins)
	if err != nil {
		return nil, err
	}
	server := cmp.Or(o.server, named.Server, o.env.getenv("GRANARY_SERVER"), o.env.getenv("CI_API_V4_URL"))
	if server == "" {
		kept, err := logins.read()
		if err != nil {
			return nil, err
		}
		server = kept.Default
	}
	if server == "" {
		return nil, usagef("no server is named; use --server or GRANARY_SERVER, or run granary login")
	}
	api, err := client.ParseServer(server)
	if err != nil {
		return nil, usageError{err}
	}
	return api, nil
}

// chosenProfile is the profile that a flag or the environment names, empty if none does.
func (o *connection) chosenProfile(logins *stored) (profile, error) {
	name := profileName(o.env, o.profile)
	if name == "" {
		return profile{}, nil
	}
	kept, err := logins.read()
	if err != nil {
		return profile{}, err
	}
	return kept.profile(name)
}

// credential finds the token that belongs to the server.
func (o *connection) credential(api *url.URL, logins *stored) (client.Credential, error) {
	if o.token != "" {
		return o.tokenOf(o.token), nil
	}
	p, err := o.chosenProfile(logins)
	if err != nil {
		return client.Credential{}, err
	}
	if p.Server == api.String() {
		o.usedProfile = profileName(o.env, o.profile)
		return client.TokenOf(p.Token), nil
	}
	if token := o.env.getenv("GRANARY_TOKEN"); token != "" && (o.env.getenv("GRANARY_SERVER") == "" || sameServer(o.env.getenv("GRANARY_SERVER"), api)) {
		return o.tokenOf(token), nil
	}
	if token := o.env.getenv("CI_JOB_TOKEN"); token != "" && sameServer(o.env.getenv("CI_API_V4_URL"), api) {
		return client.JobToken(token), nil
	}
	kept, err := logins.read()
	if err != nil {
		return client.Credential{}, err
	}
	if token := kept.Servers[api.String()]; token != "" {
		return client.TokenOf(token), nil
	}
	return netrcCredential(o.context(), o.env, api.Hostname())
}

// tokenOf recognizes the job's token by its value: newer job tokens of GitLab have no
// prefix that shows it.
func (o *connection) tokenOf(token string) client.Credential {
	token = strings.TrimSpace(token)
	if token == o.env.getenv("CI_JOB_TOKEN") {
		return client.JobToken(token)
	}
	return client.TokenOf(token)
}

func sameServer(text string, api *url.URL) bool {
	u, err := client.ParseServer(text)
	return err == nil && *u == *api
}

// project is the project that an argument names.
func (o *connection) project(arg string) (string, error) {
	if arg != "." {
		if strings.Trim(arg, "/") == "" {
			return "", usagef("the project is %q: want group/project, or its id", arg)
		}
		return strings.Trim(arg, "/"), nil
	}
	for _, name := range []string{"CI_PROJECT_ID", "CI_PROJECT_PATH"} {
		if v := o.env.getenv(name); v != "" {
			return v, nil
		}
	}
	return "", usagef(`the project "." is that of a CI job, and CI_PROJECT_ID is not set: want group/project, or its id`)
}

// printer prints a command's results, and keeps its first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		for i, a := range args {
			if text, ok := a.(string); ok {
				args[i] = onOneLine(text)
			}
		}
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// reach is the client and the project of a command.
func (o *connection) reach(arg string) (*client.Client, string, error) {
	c, err := o.client()
	if err != nil {
		return nil, "", err
	}
	project, err := o.project(arg)
	return c, project, err
}

// printDone prints what a change made: as JSON, in words, or with --quiet not at all.
func (o *connection) printDone(json bool, result any, words string) error {
	switch {
	case json:
		return printJSON(o.env, result)
	case o.quiet:
		return nil
	}
	out := &printer{w: o.env.Stdout}
	out.printf("%s\n", words)
	return out.err
}
