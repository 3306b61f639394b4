package daemon

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"granary/internal/access"
	"granary/internal/api"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/config"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
)

// tokenFile holds the first administrator's token until the operator removes it.
const tokenFile = "initial_root_token"

// firstStart gives an empty database an administrator, a token and a project, and
// says once how to use them: on terminal, which may be nil, with the token, and in
// the log with the token's file. If several nodes start, one does it and the others
// wait.
func (s *server) firstStart(ctx context.Context, cfg config.Config, url string, terminal io.Writer, log *slog.Logger) error {
	return s.db.Exclusive(ctx, "first start", func(ctx context.Context) error { return s.fill(ctx, cfg, url, terminal, log) })
}

// fill makes what an empty database needs. The token comes last: a start that
// was cut short is taken up by the next.
func (s *server) fill(ctx context.Context, cfg config.Config, url string, terminal io.Writer, log *slog.Logger) error {
	tokens, err := s.db.ListPersonalTokens(ctx, auth.TokenFilter{}, page.Request{Number: 1, Size: 1})
	if err != nil || tokens.Total > 0 {
		return err
	}
	root, err := s.makeRoot(ctx, audit.Author{})
	if err != nil {
		return err
	}
	actor := access.Actor{
		Kind: access.User, UserID: root.ID, Username: root.Username, Name: root.Name, Admin: true, Scopes: []access.Scope{access.ScopeAPI},
	}
	_, err = s.projects.CreateProject(ctx, actor, root.NamespaceID, projects.Project{
		Name: "demo", Path: "demo", DefaultBranch: "main", PackageAccess: access.PackagesEnabled,
	})
	if err != nil && !fault.Is(err, fault.Rejected) { // taken: by the start that was cut short
		return err
	}
	secret, path := cfg.RootToken.Reveal(), ""
	if secret == "" {
		secret, path = newRootToken(), filepath.Join(cfg.DataDir, tokenFile)
		if err := writeSecret(path, secret); err != nil {
			return err
		}
	}
	shown := greeting{url: url, token: "$TOKEN", pages: cfg.Pages} // the operator who set it knows it; others may see the terminal
	if terminal != nil && path != "" {
		shown.token, shown.path = secret, path
		if shown.pages {
			if shown.code, _, err = s.auth.MakeSignInLink(ctx, console(root), root.ID); err != nil {
				return err
			}
		}
	}
	_, err = s.auth.NewPersonalToken(ctx, audit.Author{}, auth.PersonalToken{
		UserID: root.ID, Name: "initial root token", Scopes: []access.Scope{access.ScopeAPI},
	}, secret)
	if err != nil {
		return err
	}
	said, told := "first start: the administrator's token is the one in the settings", []any{"user", rootName, "project", "root/demo"}
	if path != "" {
		said, told = "first start: the administrator's token is in a file", append(told, "file", path)
	}
	if cfg.Pages {
		told = append(told, "sign_in", signInCommand)
	}
	log.Info(said, told...)
	if terminal == nil {
		return nil
	}
	return shown.write(terminal)
}

// signInCommand prints a link that signs an administrator in.
const signInCommand = "granary admin sign-in-link"

func newRootToken() string { return "gnpat-" + rand.Text() + rand.Text() }

// rootName is the user name of the first administrator.
const rootName = "root"

// makeRoot makes the first administrator, or finds the one of a start that was
// cut short.
func (s *server) makeRoot(ctx context.Context, by audit.Author) (auth.User, error) {
	root, err := s.db.FindUser(ctx, rootName)
	if !fault.Is(err, fault.NotFound) {
		return root, err
	}
	return s.auth.NewUser(ctx, by, auth.User{
		Username: rootName, Name: "Administrator", Email: "admin@example.com",
		Admin: true, CanCreateGroup: true, ProjectsLimit: 100000,
	})
}

// writeSecret writes a file that only its owner can read, whatever was there.
func writeSecret(path, secret string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // Sync has reported already whether the bytes are there
	if _, err := f.WriteString(secret + "\n"); err != nil {
		return err
	}
	return f.Sync()
}

// greeting is what the first start shows on a terminal.
type greeting struct {
	url   string
	token string
	path  string // of the token's file; "": the token is that of the settings, which is not shown
	code  string // of a sign-in link; shown with the token only
	pages bool   // there is something to sign in to
}

// write says how to use the server.
func (g greeting) write(w io.Writer) error {
	file := g.url + "/api/v4/projects/root%2Fdemo/packages/generic/hello/1.0.0/hello.txt"
	shown := g.token + "\n                 (shown only once, and stored in " + g.path + ")"
	if g.path == "" {
		shown = "the one in the settings, not shown: TOKEN=..."
	}
	_, err := fmt.Fprintf(w, `granary is ready at %[1]s

  administrator  root
  token          %[3]s
  project        root/demo
%[5]s
Publish a file, and install it:

  echo "hello, granary" > hello.txt
  curl --fail-with-body --header "PRIVATE-TOKEN: %[2]s" --upload-file hello.txt "%[4]s"
  curl --fail-with-body --header "PRIVATE-TOKEN: %[2]s" --remote-name "%[4]s"

`, g.url, g.token, shown, file, g.signIn())
	return err
}

// signIn says how to sign a browser in; "" without pages.
func (g greeting) signIn() string {
	const line = "  sign in        %s\n"
	switch {
	case !g.pages:
		return ""
	case g.code == "":
		return fmt.Sprintf(line, signInCommand+" prints a link")
	}
	page, fragment, _ := strings.Cut(api.SignInPath, "#")
	at, err := url.Parse(g.url)
	if err != nil {
		return ""
	}
	to := url.QueryEscape(at.Path + "/root/demo")
	return fmt.Sprintf(line, g.url+page+"?to="+to+"#"+fragment+g.code+"   (works once, for an hour)")
}
