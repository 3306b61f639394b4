package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/client"
	"granary/internal/versions"
	"granary/internal/wire"
)

const channelHelp = `A channel is a name, such as stable, that leads to one version of a package:
granary pull PROJECT NAME@@stable installs that. The name is a lower-case letter, then
up to 62 lower-case letters, digits and hyphens; it may be written with or without @.
The server must be granary: GitLab has no channels.`

func newChannel(env Env) *cobra.Command {
	cmd := &cobra.Command{Use: "channel", Short: "Manage names that lead from version to version, such as stable",
		Long: "Manage the channels of a package.\n\n" + channelHelp}
	cmd.AddCommand(newChannelSet(env), newChannelLs(env), newChannelRm(env))
	asGroup(cmd)
	return cmd
}

// channel is what the commands of channels have in common.
type channel struct {
	connection
	json bool
}

func (c *channel) command(cmd *cobra.Command, words int, kinds []word, run func(ctx context.Context, api *client.Client, project string, words []string) error) *cobra.Command {
	count := arguments(words, words)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := count(cmd, args); err != nil {
			return err
		}
		if args[1] == "" || strings.Contains(args[1], "@") {
			return usagef("%q is not the name of a package; want %s", args[1], cmd.UseLine())
		}
		if words > 2 && !versions.IsChannel(channelName(args[2])) {
			return usagef("%q is not the name of a channel: want a lower-case letter, then up to 62 lower-case letters, digits and hyphens", args[2])
		}
		return nil
	}
	cmd.Long += "\n\n" + channelHelp
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := untilInterrupted(cmd)
		defer stop()
		api, project, err := c.reach(args[0])
		if err != nil {
			return err
		}
		return advise(run(ctx, api, project, args[1:]), project)
	}
	c.addFlags(cmd)
	c.complete(cmd, kinds...)
	return cmd
}

// channelName is the name without the @ of addresses.
func channelName(text string) string { return strings.TrimPrefix(text, "@") }

func newChannelSet(env Env) *cobra.Command {
	c := &channel{connection: connection{env: env}}
	var was string
	cmd := c.command(&cobra.Command{
		Use:   "set PROJECT NAME CHANNEL VERSION",
		Short: "Let a channel lead to a version",
		Long: "Let a channel lead to a version, which is named exactly, and make the channel if there is\n" +
			"none. It takes the right to publish the package. With --if-was nothing is changed unless\n" +
			"the channel leads to that version now, so of two people one wins (exit code 3 for the other).",
		Example: "  granary channel set acme/tools firmware stable 1.4.1 --if-was 1.4.0",
	}, 4, []word{aProject, aName, aChannel, aVersion}, func(ctx context.Context, api *client.Client, project string, words []string) error {
		name, channel, version := words[0], channelName(words[1]), words[2]
		if version == "" {
			return usagef("the version is empty: want the exact name of one")
		}
		if err := api.SetChannel(ctx, project, name, channel, version, was); err != nil {
			return err
		}
		return c.print(shownChannel{channel, version, nil}, name+" @"+channel+" is "+version)
	})
	cmd.Flags().StringVar(&was, "if-was", "", "only if the channel leads to this `version` now")
	cmd.Flags().BoolVar(&c.json, "json", false, "print the channel as JSON")
	return cmd
}

func newChannelRm(env Env) *cobra.Command {
	c := &channel{connection: connection{env: env}}
	return c.command(&cobra.Command{
		Use:   "rm PROJECT NAME CHANNEL",
		Short: "Remove a channel",
		Long:  "Remove a channel. The version that it leads to stays.",
	}, 3, []word{aProject, aName, aChannel}, func(ctx context.Context, api *client.Client, project string, words []string) error {
		if err := api.RemoveChannel(ctx, project, words[0], channelName(words[1])); err != nil {
			return err
		}
		return c.print(nil, words[0]+" @"+channelName(words[1])+" is removed")
	})
}

// print prints the result of a change.
func (c *channel) print(result any, words string) error { return c.printDone(c.json, result, words) }

// shownChannel is a channel as JSON.
type shownChannel struct {
	Name    string     `json:"name"`
	Version string     `json:"version"`
	MovedAt *time.Time `json:"moved_at,omitempty"`
}

func newChannelLs(env Env) *cobra.Command {
	c := &channel{connection: connection{env: env}}
	cmd := c.command(&cobra.Command{
		Use:   "ls PROJECT NAME",
		Short: "List the channels of a package",
		Long:  "List the channels of a package, the version that each leads to, and since when.",
	}, 2, []word{aProject, aName}, func(ctx context.Context, api *client.Client, project string, words []string) error {
		found, err := api.Channels(ctx, project, words[0])
		if err != nil {
			return err
		}
		return c.list(found, words[0])
	})
	cmd.Flags().BoolVar(&c.json, "json", false, "print the list as JSON")
	return cmd
}

func (c *channel) list(found []wire.Channel, name string) error {
	if c.json {
		rows := []shownChannel{}
		for _, f := range found {
			moved := time.Time(f.MovedAt)
			rows = append(rows, shownChannel{f.Name, f.Version, &moved})
		}
		return printJSON(c.env, rows)
	}
	if len(found) == 0 && !c.quiet {
		c.env.notice("%s has no channels", name)
	}
	return table(c.env, func(out *printer) {
		if _, ok := terminal(c.env.Stdout); ok && len(found) > 0 {
			out.printf("CHANNEL\tVERSION\tSINCE\n")
		}
		for _, f := range found {
			out.printf("%s\t%s\t%s\n", f.Name, f.Version, formatTime(time.Time(f.MovedAt)))
		}
	})
}
