package cli

import (
	"context"
	"fmt"
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
		Use:   "open PROJECT [NAME[@VERSION]]",
		Short: "Open the web page of a project or a package",
		Long:  "Open the web page of a project or of a version of a package in the browser.",
		Args:  arguments(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			c, err := o.client()
			if err != nil {
				return err
			}
			project, err := o.project(args[0])
			if err != nil {
				return err
			}
			page, err := findPage(ctx, c, project, args[1:])
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				return printJSON(env, page)
			case printOnly:
				_, err := fmt.Fprintln(env.Stdout, page.WebURL)
				return err
			}
			return browse(ctx, env, page.WebURL)
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
	Project string `json:"project"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	WebURL  string `json:"web_url"`
}

// findPage asks the server for the page of a project, or of the NAME[@VERSION]
// that is named.
func findPage(ctx context.Context, c *client.Client, project string, named []string) (webPage, error) {
	page := webPage{Project: project}
	if len(named) == 0 {
		p, err := c.Project(ctx, project)
		if err != nil {
			return page, advise(err, project)
		}
		page.WebURL = p.WebURL
	} else {
		name, version, _ := strings.Cut(named[0], "@")
		p, err := c.Resolve(ctx, project, name, version, false)
		if err != nil {
			return page, advise(err, project)
		}
		page.Name, page.Version, page.WebURL = p.Name, p.Version, p.WebURL
	}
	if _, err := client.ParseServer(page.WebURL); err != nil { // http and https alone: the server chose it, and a browser opens more
		return page, exitError{fmt.Errorf("the server names no page (%q)", page.WebURL), exitNotFound}
	}
	return page, nil
}

func browse(ctx context.Context, env Env, page string) error {
	opener := []string{"xdg-open"}
	switch runtime.GOOS {
	case "darwin":
		opener = []string{"open"}
	case "windows":
		opener = []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	browser := exec.CommandContext(ctx, opener[0], append(opener[1:], page)...)
	browser.Env = withoutTokens(env.Environ)
	if err := browser.Run(); err != nil {
		return fmt.Errorf("no browser could be started (%w); the page is %s", err, page)
	}
	return nil
}
