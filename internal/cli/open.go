package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

func newOpen(env Env) *cobra.Command {
	o := &connection{env: env}
	var printOnly, asJSON bool
	cmd := &cobra.Command{
		Use:   "open [PROJECT [NAME[@VERSION]]]",
		Short: "Open the web pages of the server, a project or a package",
		Long: "Open the web page of a project or of a version of a package in the browser; without a\n" +
			"project, the first page of the server. If the token is a person's, and the server is\n" +
			"granary, the browser is signed in after one click, with the rights of the token. If the\n" +
			"page is on another server, its address is printed, and not opened.",
		Args: packageArguments(0, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			c, page, err := o.page(ctx, args, printOnly || asJSON)
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				return printJSON(env, page)
			case printOnly:
				_, err := fmt.Fprintln(env.Stdout, onOneLine(page.WebURL))
				return err
			}
			if !sameSite(page.WebURL, c.Server()) {
				_, err := fmt.Fprintln(env.Stdout, onOneLine(page.WebURL))
				return errors.Join(err, refused("that page is not on %s, so it was not opened", c.Server()))
			}
			return browse(ctx, env, signInAddress(ctx, c, page.WebURL), page.WebURL)
		},
	}
	o.addFlags(cmd)
	o.complete(cmd, aProject, aPackage)
	cmd.Flags().BoolVar(&printOnly, "print", false, "print the address, and open nothing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the page as JSON, and open nothing")
	return cmd
}

// webPage is a page as open prints it as JSON.
type webPage struct {
	Project string `json:"project,omitempty"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	WebURL  string `json:"web_url"`
}

// page is the page that the arguments name. plain is an address that is not opened, so
// that a token is not needed for the first page.
func (o *connection) page(ctx context.Context, args []string, plain bool) (*client.Client, webPage, error) {
	if len(args) > 0 {
		c, project, err := o.reach(args[0])
		if err != nil {
			return nil, webPage{}, err
		}
		page, err := findPage(ctx, c, project, args[1:])
		return c, page, err
	}
	c, err := o.client()
	if err != nil {
		return nil, webPage{}, err
	}
	page := webPage{WebURL: strings.TrimSuffix(c.Server(), "/") + "/"}
	if plain || c.Credential().Kind() == "" {
		return c, page, nil
	}
	if _, err := identify(ctx, c); err != nil { // a token that has ended signs nobody in
		return nil, page, advise(err, c.Server())
	}
	return c, page, nil
}

// findPage asks the server for the page of a project, or of the version that is
// named.
func findPage(ctx context.Context, c *client.Client, project string, named []string) (webPage, error) {
	page := webPage{Project: project}
	if len(named) == 0 {
		p, err := c.Project(ctx, project)
		if err != nil {
			return page, advise(err, project)
		}
		page.WebURL = p.WebURL
	} else {
		name, version, rest := versioned(named)
		if len(rest) > 0 {
			return page, twoVersions(name, version, rest[0])
		}
		p, err := c.Find(ctx, project, name, version, false)
		if err == nil {
			err = addPages(ctx, c, project, &p, false)
		}
		if err != nil {
			return page, advise(err, project)
		}
		page.Name, page.Version, page.WebURL = p.Name, p.Version, p.WebURL
	}
	if page.WebURL == "" {
		return page, exitError{errors.New("the server names no page"), exitNotFound}
	}
	return page, nil
}

// sameSite reports that an address which a server chose is one of its pages:
// absolute, by its scheme, host and port. A desktop opens more than pages, and
// hands some of it to programs.
func sameSite(page, server string) bool {
	at, err := url.Parse(page)
	own, ownErr := url.Parse(server)
	if err != nil || ownErr != nil {
		return false
	}
	web := own.Scheme == "http" || own.Scheme == "https"
	return web && at.User == nil && at.Scheme == own.Scheme &&
		strings.EqualFold(at.Hostname(), own.Hostname()) && portOf(at) == portOf(own)
}

// portOf is the port that an address of the web leads to.
func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// signInAddress is an address that signs the browser in and leads to the page: with a link
// that works for a minute. It is the page if the server makes no such link for this token.
func signInAddress(ctx context.Context, c *client.Client, page string) string {
	if !c.HasPages() {
		return page
	}
	link, err := c.SignInLink(ctx)
	if err != nil || !sameSite(link.URL, c.Server()) {
		return page
	}
	at, err := url.Parse(link.URL)
	to, badPage := url.Parse(page)
	if err != nil || badPage != nil {
		return page
	}
	at.RawQuery = url.Values{"to": {to.EscapedPath()}}.Encode()
	return at.String()
}

// browse opens an address in the browser. page is what it shows of it: an address may have a
// secret.
func browse(ctx context.Context, env Env, address, page string) error {
	opener := []string{"xdg-open"}
	switch runtime.GOOS {
	case "darwin":
		opener = []string{"open"}
	case "windows":
		opener = []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	browser := exec.CommandContext(ctx, opener[0], append(opener[1:], address)...)
	browser.Env = withoutSecrets(env.Environ)
	if err := browser.Run(); err != nil {
		return fmt.Errorf("no browser could be started (%w); the page is %s", err, onOneLine(page))
	}
	return nil
}
