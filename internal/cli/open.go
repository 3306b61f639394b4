package cli

import (
	"fmt"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

func newOpen(env Env) *cobra.Command {
	o := &connection{env: env}
	var printOnly bool
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
			page := ""
			if len(args) == 1 {
				p, err := c.Project(ctx, project)
				if err != nil {
					return advise(err, project)
				}
				page = p.WebURL
			} else {
				p, _, err := findPackage(ctx, c, project, args[1], false)
				if err != nil {
					return advise(err, project)
				}
				page = p.WebURL
			}
			return openPage(cmd, env, page, printOnly)
		},
	}
	o.addFlags(cmd)
	o.complete(cmd, aProject, aPackage)
	cmd.Flags().BoolVar(&printOnly, "print", false, "print the address, and open nothing")
	return cmd
}

func openPage(cmd *cobra.Command, env Env, page string, printOnly bool) error {
	if _, err := client.ParseServer(page); err != nil { // http and https alone: the server chose it, and a browser opens more
		return exitError{fmt.Errorf("the server names no page (%q)", page), exitNotFound}
	}
	if printOnly {
		_, err := fmt.Fprintln(env.Stdout, page)
		return err
	}
	opener := "xdg-open"
	if runtime.GOOS == "darwin" {
		opener = "open"
	}
	browser := exec.CommandContext(cmd.Context(), opener, page)
	browser.Env = withoutTokens(env.Environ)
	if err := browser.Run(); err != nil {
		return fmt.Errorf("no browser could be started (%w); the page is %s", err, page)
	}
	return nil
}
