package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"granary/internal/client"
)

// prepare reads the command line, and finds the files.
func (p *push) prepare(ctx context.Context, args []string) (err error) {
	if p.bytesPerSecond, err = parseRate("--limit-rate", p.rate); err != nil {
		return err
	}
	paths, err := p.coordinates(ctx, args)
	if err != nil {
		return err
	}
	if p.client, err = p.connection.client(); err != nil {
		return err
	}
	if p.at.Project, err = p.project(args[0]); err != nil {
		return err
	}
	p.sources, err = p.find(ctx, paths)
	return err
}

// coordinates takes name and version off the arguments, and returns the paths.
func (p *push) coordinates(ctx context.Context, args []string) (paths []string, err error) {
	name, version, both := strings.Cut(args[1], "@")
	paths = args[2:]
	switch {
	case p.fromTag && both:
		return nil, usagef("--version-from-tag and %s are two versions; want one", args[1])
	case p.fromTag:
		if version, err = versionFromTag(ctx, p.env); err != nil {
			return nil, err
		}
		if _, err := semver.NewVersion(version); err != nil && !p.quiet {
			p.env.notice("the tag's version %s is not a semantic version: no range includes it, and it is never the latest; to install it, name it", onOneLine(version))
		}
	case both: // it is read
	case len(paths) == 0:
		return nil, usagef("which version of %s? want granary push PROJECT NAME VERSION PATH...", name)
	default:
		version, paths = paths[0], paths[1:]
	}
	if len(paths) == 0 && p.filesFrom == "" {
		return nil, usagef("no file is named; want granary push PROJECT NAME VERSION PATH...")
	}
	p.at = client.Coordinates{Name: name, Version: version}
	return paths, nil
}

// refuseChoice refuses a new version whose name chooses among versions everywhere
// else: it would be another version than before that latest, or a range, means.
func (p *push) refuseChoice(files []pushed) error {
	// If the token reads no lists, the version counts as new.
	if !client.IsRange(p.at.Version) || p.shelf.id != 0 || slices.ContainsFunc(files, func(f pushed) bool { return !f.fresh }) {
		return nil
	}
	means := "the highest version"
	if p.at.Version != client.Latest {
		means += " in that range"
	}
	return usagef("other commands understand %q as %s, so the new version could not be named; give it another name, such as 1.4.0 or nightly; nothing was sent", p.at.Version, means)
}

// find turns paths into files. The path - is standard input.
func (p *push) find(ctx context.Context, paths []string) ([]source, error) {
	f, err := p.finder(p.env)
	if err != nil {
		return nil, err
	}
	input := slices.Contains(paths, "-")
	switch {
	case input && p.name == "":
		return nil, usagef("- is standard input, which has no name: want --name")
	case !input && p.name != "":
		return nil, usagef("--name is for standard input, the path -")
	case input && p.filesFrom == "-":
		return nil, usagef("standard input is either the file - or the list of --files-from -")
	}
	var listed []string
	if p.filesFrom != "" {
		if listed, err = orInterrupted(ctx, p.readList); err != nil {
			return nil, err
		}
	}
	f.flat = p.flat
	if input {
		paths = slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return path == "-" })
		if err := p.spool(ctx); err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		f.addNamed(p.spooled, p.name)
		for i := range f.found {
			f.found[i].label = "standard input"
		}
	}
	return orInterrupted(ctx, func() ([]source, error) { return f.find(ctx, paths, listed) })
}

// readList reads the paths of --files-from.
func (p *push) readList() (listed []string, err error) {
	from, err := openInput(p.env, p.filesFrom)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if line := strings.TrimSuffix(lines.Text(), "\r"); line != "" {
			listed = append(listed, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, usagef("--files-from %s: %w", p.filesFrom, err)
	}
	if len(listed) == 0 {
		return nil, usagef("--files-from %s names no file", p.filesFrom)
	}
	return listed, nil
}

// spool keeps standard input in a file: a server wants to know its length first, and
// a broken connection wants it once more.
func (p *push) spool(ctx context.Context) error {
	file, err := os.CreateTemp("", "granary-push-")
	if err != nil {
		return err
	}
	p.spooled = file.Name()
	_, err = orInterrupted(ctx, func() (int64, error) {
		n, err := io.Copy(file, p.env.Stdin)
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
		return n, err
	})
	return err
}

func (p *push) unspool() {
	if p.spooled != "" {
		_ = os.Remove(p.spooled) // what is left is the system's to tidy
	}
}
