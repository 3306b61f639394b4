package cli

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

// versioned reads NAME, NAME@VERSION or NAME VERSION, and what follows. No name has
// an @ (contract generic-packages, names).
func versioned(words []string) (name, version string, rest []string) {
	name, version, found := strings.Cut(words[0], "@")
	rest = words[1:]
	if !found && len(rest) > 0 {
		version, rest = rest[0], rest[1:]
	}
	return name, version, rest
}

// packageArguments requires least to most arguments, of which the second is NAME or
// NAME@VERSION. It refuses an empty word, the rest of a variable that is not set:
// ignored, it would mean the latest version.
func packageArguments(least, most int) cobra.PositionalArgs {
	count := arguments(least, most)
	return func(cmd *cobra.Command, args []string) error {
		if err := count(cmd, args); err != nil || len(args) < 2 {
			return err
		}
		name, version, both := strings.Cut(args[1], "@")
		if name == "" || both && version == "" {
			return usagef("%q is not a package: want NAME@VERSION, or NAME alone", args[1])
		}
		if len(args) > 2 && args[2] == "" {
			return usagef("the argument after %s is empty: want %s", args[1], cmd.UseLine())
		}
		return nil
	}
}

// versionedFiles does the same for pull, whose arguments end with names of files: in
// NAME WORD the word can be either. Numbers, ranges and latest are versions, patterns
// are files; for anything else it asks the server whether it is a version.
func versionedFiles(ctx context.Context, c *client.Client, project string, words []string) (name, version string, files []string, err error) {
	name, version, files = versioned(words)
	if version == "" || len(files)+1 == len(words) {
		return name, version, files, nil // there is no such word
	}
	is := client.LooksLikeVersion(version)
	switch {
	case strings.ContainsAny(version, "*?[/"):
		is = false
	case strings.HasPrefix(version, "@"):
		is = true
	case is && (client.IsRange(version) || strings.Trim(version, "0123456789.") == ""):
	default:
		there, err := c.HasVersion(ctx, project, name, version)
		k := client.KindOf(err)
		if err != nil && k != client.Denied && k != client.NotFound {
			return "", "", nil, err
		}
		if err == nil { // without permission to read lists the word counts as written
			is = there
		}
	}
	if !is {
		return name, "", words[1:], nil
	}
	return name, version, files, nil
}

// twoVersions is a mistake of the caller.
func twoVersions(name, version, more string) error {
	return usagef("%q is an argument too many: the version of %s is %s already", more, name, version)
}

// chooseFiles returns the files that are named or match, or all if wanted is empty. A
// name or pattern that matches nothing is an error.
func chooseFiles(files []client.File, wanted []string, of client.Package) (chosen []client.File, err error) {
	used := make([]bool, len(wanted))
	for _, f := range files {
		take := len(wanted) == 0
		for i, w := range wanted {
			matches, err := path.Match(w, f.Path)
			if err != nil {
				return nil, usagef("%s: %w", w, err)
			}
			if matches || w == f.Path {
				take, used[i] = true, true
			}
		}
		if take {
			chosen = append(chosen, f)
		}
	}
	for i, ok := range used {
		if !ok {
			return nil, exitError{fmt.Errorf("%s %s has no file %s; granary show lists those it has", of.Name, of.Version, wanted[i]), exitNotFound}
		}
	}
	if len(chosen) == 0 {
		return nil, exitError{fmt.Errorf("%s %s has no files", of.Name, of.Version), exitNotFound}
	}
	return chosen, nil
}
