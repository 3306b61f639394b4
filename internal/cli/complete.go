package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

// completionWait is how long a shell waits for words from the server.
const completionWait = 3 * time.Second

// word is a kind of argument that the server knows the values of.
type word int

const (
	aProject  word = iota
	aPackage       // NAME or NAME@VERSION
	aName          // NAME alone
	aFile          // of the package that the arguments before name
	aChannel       // of the package NAME before
	aVersion       // of the package NAME before
	aDraft         // NAME@VERSION that is a draft
	localFile      // the shell knows these
)

// complete makes a shell offer what the server has, in the order of a command's
// arguments; the last kind repeats. If the server does not answer, nothing is offered.
func (o *connection) complete(cmd *cobra.Command, kinds ...word) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		kind := kinds[min(len(args), len(kinds)-1)]
		if kind == localFile {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return o.offer(cmd.Context(), kind, args, typed)
	}
}

func (o *connection) offer(ctx context.Context, kind word, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(ctx, completionWait)
	defer cancel()
	o.quiet, o.retries = true, 0
	o.context = func() context.Context { return ctx }
	words, err := o.words(ctx, kind, args, typed)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// completeProject does the same for the flag --project.
func (o *connection) completeProject(cmd *cobra.Command) {
	err := cmd.RegisterFlagCompletionFunc("project", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return o.offer(cmd.Context(), aProject, nil, typed)
	})
	if err != nil {
		panic(err) // there is no such flag: a mistake of ours
	}
}

func (o *connection) words(ctx context.Context, kind word, args []string, typed string) ([]string, error) {
	c, err := o.client()
	if err != nil {
		return nil, err
	}
	if kind == aProject {
		found, err := c.Projects(ctx, "")
		var words []string
		for _, p := range found {
			words = append(words, p.PathWithNamespace)
		}
		return startingWith(words, typed), err
	}
	project, err := o.project(args[0])
	if err != nil {
		return nil, err
	}
	if kind == aFile {
		name, version, _ := strings.Cut(args[1], "@")
		found, err := c.Find(ctx, project, name, version, false)
		var words []string
		for _, f := range found.Files {
			words = append(words, f.Path)
		}
		return startingWith(words, typed), err
	}
	if kind == aChannel || kind == aVersion {
		words, err := namedBelow(ctx, c, kind, project, args[1])
		return startingWith(words, typed), err
	}
	if kind == aDraft {
		found, err := c.Drafts(ctx, project, "")
		var words []string
		for _, p := range found {
			words = append(words, p.Name+"@"+p.Version)
		}
		return startingWith(words, typed), err
	}
	name, _, versions := strings.Cut(typed, "@")
	if kind == aName || !versions {
		name = ""
	}
	found, err := c.Packages(ctx, project, name, "")
	var words []string
	for _, p := range client.SortVersions(found) {
		next := p.Name
		if name != "" {
			next += "@" + p.Version
		}
		if len(words) == 0 || words[len(words)-1] != next {
			words = append(words, next)
		}
	}
	return startingWith(words, typed), err
}

// namedBelow are the channels or the versions of a package.
func namedBelow(ctx context.Context, c *client.Client, kind word, project, name string) (words []string, err error) {
	if kind == aChannel {
		found, err := c.Channels(ctx, project, name)
		for _, f := range found {
			words = append(words, f.Name)
		}
		return words, err
	}
	found, err := c.Versions(ctx, project, name)
	for _, p := range client.SortVersions(found) {
		words = append(words, p.Version)
	}
	return words, err
}

func startingWith(words []string, start string) (matching []string) {
	for _, w := range words {
		if strings.HasPrefix(w, start) && !strings.ContainsAny(w, "\t\n") { // what follows a tab is a description
			matching = append(matching, w)
		}
	}
	return matching
}
