package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

const connectionHelp = `The server is --server, else GRANARY_SERVER, else CI_API_V4_URL, else that of the
last granary login. The token is --token, else GRANARY_TOKEN (with the server of
GRANARY_SERVER, where that is set), else CI_JOB_TOKEN (with the server of
CI_API_V4_URL), else that of granary login for this server, else the password in
.netrc for its host; without one you are nobody. Others can read a command line:
prefer the variable to --token.

A project is its path, group/project, or its id; in a CI job "." is the job's own.`

// connection is the flags of every command that asks a server.
type connection struct {
	env           Env
	server, token string
	retries       int
	quiet         bool

	bytesPerSecond int64 // that transfers may move, 0 for no limit
}

func (o *connection) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.server, "server", "", "ask the server at this `address`")
	f.StringVar(&o.token, "token", "", "show this `token`: an access, deploy or job token")
	f.IntVar(&o.retries, "retries", client.DefaultAttempts-1, "try again this `number` of times where a connection breaks or the server is busy")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print errors only")
	cmd.Long += "\n\n" + connectionHelp
}

// client connects: it settles server and token, and asks nothing yet.
func (o *connection) client() (*client.Client, error) {
	if o.retries < 0 || o.retries > 1000 {
		return nil, usagef("--retries is %d: want 0 to 1000", o.retries)
	}
	logins, err := readLogins(o.env)
	if err != nil {
		return nil, err
	}
	api, err := o.address(logins)
	if err != nil {
		return nil, err
	}
	credential, err := o.credential(api, logins)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{
		Server: api.String(), Credential: credential,
		UserAgent: "granary/" + versionOf(o.env.Version), Attempts: o.retries + 1, Waiting: o.waiting,
		Rate: o.bytesPerSecond,
	})
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
func (o *connection) address(logins logins) (*url.URL, error) {
	for _, server := range []string{o.server, o.env.getenv("GRANARY_SERVER"), o.env.getenv("CI_API_V4_URL"), logins.Default} {
		if server == "" {
			continue
		}
		api, err := client.ParseServer(server)
		if err != nil {
			return nil, usageError{err}
		}
		return api, nil
	}
	return nil, usagef("no server is named; use --server or GRANARY_SERVER, or run granary login")
}

// credential finds the token that belongs to the server.
func (o *connection) credential(api *url.URL, logins logins) (client.Credential, error) {
	if o.token != "" {
		return o.tokenOf(o.token), nil
	}
	if token := o.env.getenv("GRANARY_TOKEN"); token != "" && (o.env.getenv("GRANARY_SERVER") == "" || sameServer(o.env.getenv("GRANARY_SERVER"), api)) {
		return o.tokenOf(token), nil
	}
	if token := o.env.getenv("CI_JOB_TOKEN"); token != "" && sameServer(o.env.getenv("CI_API_V4_URL"), api) {
		return client.JobToken(token), nil
	}
	if token := logins.Servers[api.String()]; token != "" {
		return client.TokenOf(token), nil
	}
	return netrcCredential(o.env, api.Hostname())
}

// tokenOf knows the job's token by its value: in GitLab's newer ones nothing
// tells.
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

// advise adds what to do next to what the server said.
func advise(err error, project string) error {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	next := ""
	switch e.Status {
	case 401:
		next = "the server does not know the token, or wants one: set GRANARY_TOKEN, or run granary login"
	case 403:
		next = "the token may not do this; granary whoami tells whose it is"
	case 404:
		next = project + " is not there, or not for this token; granary whoami tells whose it is"
	case 429:
		next = "come back later, or raise --retries"
	}
	if next == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, next)
}

// untilInterrupted is the command's context, which ends with Ctrl-C and
// SIGTERM. A second signal ends the program at once.
func untilInterrupted(cmd *cobra.Command) (context.Context, func()) {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	release := context.AfterFunc(ctx, stop)
	return ctx, func() { release(); stop() }
}

// ended words an end by Ctrl-C.
func ended(ctx context.Context, err error, next string) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted; %s", next)
	}
	return err
}

// printer is where a command's results go: all of it fails where it fails.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
