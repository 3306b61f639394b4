package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"granary/internal/client"
)

const (
	seemsUnescaped = "the address contains a slash as %2F, and a proxy on the way seems to unescape it\n"
	mayBeUnescaped = "the address contains a slash as %2F, and a proxy on the way may refuse that, if nothing else is wrong with it\n"
)

const slashAdvice = `a proxy must pass addresses on unchanged (nginx: proxy_pass without a path;
Apache: AllowEncodedSlashes NoDecode, and nocanon); until then name the project by its id`

const elsewhereAdvice = `your token is not the reason, it was not sent there: the store refused the link that the
server gave; perhaps a machine's clock is wrong, the link has expired, or the store does
not let the link's signer read; ask the server's operators`

const deployTokenAdvice = `a deploy token can publish files, and download files by name (granary pull PROJECT
NAME@VERSION FILE...; from granary without FILE, too), as its scopes allow; it cannot read lists
or delete: use an access token for that. Or the token has expired, or belongs to another project`

// advise adds what to do next to what the server said.
func advise(err error, project string) error {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	next := ""
	switch {
	case e.Elsewhere != "" && e.Status < 500 && e.Status != 429:
		next = elsewhereAdvice
	case e.Unescaped && e.Status == 404:
		next = seemsUnescaped + slashAdvice
	case e.Unescaped: // many things are a 400 without GitLab's words
		next = mayBeUnescaped + slashAdvice
	case e.Shown == "deploy token" && slices.Contains([]int{401, 403, 404}, e.Status):
		next = deployTokenAdvice
	case e.Status == 401:
		next = tokenAdvice(e)
	case e.Status == 403 && strings.Contains(e.Message, " is final; "):
		return err // whoever asks
	case e.Status == 403:
		next = "the token may not do this; granary whoami shows whose it is"
	case e.Status == 404 && !strings.HasPrefix(e.Message, "Project ") && e.Message != "" && e.Message != "Not found":
		return err // it is said what is not there: the project is
	case e.Status == 404 && e.Shown == "":
		next = project + " does not exist, or is not visible without a token: set GRANARY_TOKEN, or run granary login"
	case e.Status == 404:
		next = project + " does not exist, or is not visible to this token; granary whoami shows whose it is"
	case e.Status == 429:
		next = "try again later, or raise --retries"
	}
	if next == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, next)
}

// tokenAdvice says what to do after a 401.
func tokenAdvice(e *client.Error) string {
	if e.Shown == "" {
		return "the server wants a token: set GRANARY_TOKEN, or run granary login"
	}
	return fmt.Sprintf("the server does not know this %s: it has expired, was revoked, or belongs to another server; set GRANARY_TOKEN, or run granary login", e.Shown)
}

// statusOf is the status of HTTP that a server refused with, 0 for no such error.
func statusOf(err error) int {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Status
	}
	return 0
}

// nobodyError is the refusal of a command that needs a token and has none.
type nobodyError struct{ server string }

func (e nobodyError) Error() string {
	return fmt.Sprintf("no token for %s is set, so requests are anonymous; set GRANARY_TOKEN, or run granary login", e.server)
}

// explain adds advice to the errors of a client's command: a certificate that this
// machine does not trust, the wrong scheme, and a token that was not sent because it
// belongs to another server.
func explain(env Env, err error) error {
	next := ""
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		next = "if the authority is your own, name the PEM file of its certificate with --ca-cert or GRANARY_CA_CERT (in CI jobs CI_SERVER_TLS_CA_FILE)"
	} else if errors.Is(err, http.ErrSchemeMismatch) {
		next = "the server speaks plain HTTP there: name it as http://..."
	} else if wasNobody(err) {
		next = withheld(env)
	}
	if next == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, next)
}

// wasNobody reports whether a request was refused that had no token.
func wasNobody(err error) bool {
	if _, ok := errors.AsType[nobodyError](err); ok {
		return true
	}
	e, ok := errors.AsType[*client.Error](err)
	return ok && e.Shown == "" && e.Elsewhere == "" && slices.Contains([]int{401, 403, 404}, e.Status)
}

// withheld names the token of the environment that was not shown, "" for none.
func withheld(env Env) string {
	for _, v := range [][2]string{{"GRANARY_TOKEN", "GRANARY_SERVER"}, {"CI_JOB_TOKEN", "CI_API_V4_URL"}} {
		if env.getenv(v[0]) != "" && env.getenv(v[1]) != "" {
			return fmt.Sprintf("%s was not sent: it belongs to the server of %s, %s", v[0], v[1], env.getenv(v[1]))
		}
	}
	return ""
}

// authoritiesFile is the file of certificates that a flag or the environment
// names, and what names it; "" for none.
func authoritiesFile(env Env, flag string) (path, from string) {
	if flag != "" {
		return flag, "--ca-cert"
	}
	for _, name := range []string{"GRANARY_CA_CERT", "CI_SERVER_TLS_CA_FILE"} {
		if path := env.getenv(name); path != "" {
			return path, name
		}
	}
	return "", ""
}

// readAuthorities reads that file, nil for none. A CI job has its variable from
// its runner, whether or not there is such a file in the job's container.
func readAuthorities(ctx context.Context, env Env, flag string) ([]byte, error) {
	path, from := authoritiesFile(env, flag)
	if path == "" {
		return nil, nil
	}
	text, err := readSmall(ctx, path)
	given := from == "CI_SERVER_TLS_CA_FILE"
	switch {
	case given && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, usagef("%s: %w", from, err)
	case x509.NewCertPool().AppendCertsFromPEM(text):
		return text, nil
	case given:
		return nil, nil
	}
	return nil, usagef("%s: there is no certificate in PEM in %s", from, path)
}
