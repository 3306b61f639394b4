package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

const marksHelp = `VERSION is the exact name of a version (NAME@VERSION or NAME VERSION). It takes the
right to delete the version. The server must be granary: GitLab has no such marks.`

// mark is what yank, unyank and deprecate have in common.
type mark struct {
	connection
	json bool
}

func (m *mark) command(cmd *cobra.Command, most int, run func(ctx context.Context, c *client.Client, project string, words []string) (client.Package, error)) *cobra.Command {
	cmd.Args = packageArguments(2, most)
	cmd.Long += "\n\n" + marksHelp
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := untilInterrupted(cmd)
		defer stop()
		if name, version, _ := versioned(args[1:]); version == "" {
			return usagef("which version of %s? want NAME@VERSION", name)
		}
		c, project, err := m.reach(args[0])
		if err != nil {
			return err
		}
		marked, err := run(ctx, c, project, args[1:])
		if err != nil {
			return advise(err, project)
		}
		return m.print(marked)
	}
	m.addFlags(cmd)
	m.complete(cmd, aProject, aPackage)
	cmd.Flags().BoolVar(&m.json, "json", false, "print the version as JSON")
	return cmd
}

// print says how the version is marked now.
func (m *mark) print(p client.Package) error {
	row := listed(p)
	return m.printDone(m.json, row, p.Name+" "+p.Version+": "+cmp.Or(row.marks(), "no marks"))
}

func newYank(env Env) *cobra.Command {
	m := &mark{connection: connection{env: env}}
	var why string
	cmd := m.command(&cobra.Command{
		Use:   "yank PROJECT NAME@VERSION --reason TEXT",
		Short: "Take a version out of what latest, ranges and channels choose",
		Long: "Yank a version: latest, ranges such as ^1.4, and channels do not choose it any more. By\n" +
			"its exact name it can be installed as before, and granary pull prints the reason. The\n" +
			"reason of a version that is yanked already is replaced.",
		Example: "  granary yank acme/tools firmware@1.4.0 --reason 'bricks model B; use 1.4.1'",
	}, 3, func(ctx context.Context, c *client.Client, project string, words []string) (client.Package, error) {
		name, version, rest := versioned(words)
		if len(rest) > 0 {
			return client.Package{}, twoVersions(name, version, rest[0])
		}
		if why == "" {
			return client.Package{}, usagef("why? want --reason TEXT, for all who install %s %s", name, version)
		}
		return c.Yank(ctx, project, name, version, why)
	})
	cmd.Flags().StringVar(&why, "reason", "", "tell this `text` to all who install the version")
	return cmd
}

func newUnyank(env Env) *cobra.Command {
	m := &mark{connection: connection{env: env}}
	return m.command(&cobra.Command{
		Use:   "unyank PROJECT NAME@VERSION",
		Short: "Undo granary yank",
		Long:  "Undo granary yank: latest and ranges may choose the version again. Channels that led to\nit lead to it again.",
	}, 3, func(ctx context.Context, c *client.Client, project string, words []string) (client.Package, error) {
		name, version, rest := versioned(words)
		if len(rest) > 0 {
			return client.Package{}, twoVersions(name, version, rest[0])
		}
		return c.Unyank(ctx, project, name, version)
	})
}

func newDeprecate(env Env) *cobra.Command {
	m := &mark{connection: connection{env: env}}
	var undo bool
	cmd := m.command(&cobra.Command{
		Use:   "deprecate PROJECT NAME@VERSION MESSAGE",
		Short: "Give a version a message that advises against it",
		Long: "Give a version a message for all who install it, such as what to use instead. It can be\n" +
			"installed as before, also by latest and ranges. --undo takes the message away.",
		Example: "  granary deprecate acme/tools firmware@1.3.0 'use 1.4: it is faster'\n" +
			"  granary deprecate --undo acme/tools firmware@1.3.0",
	}, 4, func(ctx context.Context, c *client.Client, project string, words []string) (client.Package, error) {
		name, version, rest := versioned(words)
		switch {
		case undo && len(rest) > 0:
			return client.Package{}, usagef("%q is an argument too many: --undo takes the message away", rest[0])
		case !undo && (len(rest) == 0 || rest[0] == ""):
			return client.Package{}, usagef("the message is missing; want granary deprecate PROJECT NAME@VERSION MESSAGE, or --undo")
		case len(rest) > 1:
			return client.Package{}, usagef("%q is an argument too many; put the message in quotes", rest[1])
		case undo:
			return c.Deprecate(ctx, project, name, version, "")
		}
		return c.Deprecate(ctx, project, name, version, rest[0])
	})
	cmd.Flags().BoolVar(&undo, "undo", false, "take the message away")
	return cmd
}
