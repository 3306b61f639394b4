package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"granary/internal/client"
)

// prepare reads the command line, and finds the files.
func (p *push) prepare(ctx context.Context, args []string) (err error) {
	if p.jobs < 0 || p.jobs > 64 {
		return usagef("--jobs is %d: want 1 to 64", p.jobs)
	}
	if !slices.Contains([]string{linksError, linksSkip, linksFollow}, p.links) {
		return usagef("--links is %q: want error, skip or follow", p.links)
	}
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
	case both:
	case len(paths) == 0:
		return nil, usagef("%d arguments are too few; want granary push PROJECT NAME VERSION PATH...", len(args))
	default:
		version, paths = paths[0], paths[1:]
	}
	if name == "" || version == "" { // of a variable that is not set, often
		return nil, usagef("%q is no package: want NAME@VERSION", name+"@"+version)
	}
	if len(paths) == 0 && p.filesFrom == "" {
		return nil, usagef("no file is named; want granary push PROJECT NAME VERSION PATH...")
	}
	p.at = client.Coordinates{Name: name, Version: version}
	return paths, nil
}

// versionFromTag is the tag that CI runs for, else git's highest tag of this commit.
func versionFromTag(ctx context.Context, env Env) (string, error) {
	if tag := env.getenv("CI_COMMIT_TAG"); tag != "" {
		return withoutV(tag), nil
	}
	cmd := exec.CommandContext(ctx, "git", "tag", "--points-at", "HEAD")
	cmd.Env = withoutSecrets(env.Environ)
	out, err := cmd.Output()
	tags := strings.Fields(string(out))
	if err != nil || len(tags) == 0 {
		return "", usagef("--version-from-tag: CI_COMMIT_TAG is not set, and git knows no tag of this commit")
	}
	if len(tags) == 1 {
		return withoutV(tags[0]), nil
	}
	tag, err := highestTag(tags)
	if err == nil {
		env.notice("this commit has the tags %s; the version is %s", strings.Join(tags, ", "), tag)
	}
	return tag, err
}

// highestTag is the version that comes last of those among the tags.
func highestTag(tags []string) (string, error) {
	var highest *semver.Version
	for _, tag := range tags {
		if v, err := semver.NewVersion(withoutV(tag)); err == nil && (highest == nil || v.GreaterThan(highest)) {
			highest = v
		}
	}
	if highest == nil {
		return "", usagef("--version-from-tag: this commit has the tags %s, and none is a version", strings.Join(tags, ", "))
	}
	return highest.Original(), nil
}

func withoutV(tag string) string {
	if len(tag) > 1 && tag[0] == 'v' && tag[1] >= '0' && tag[1] <= '9' {
		return tag[1:]
	}
	return tag
}

// find turns paths into files. The path - is standard input.
func (p *push) find(ctx context.Context, paths []string) ([]source, error) {
	exclude, err := newGlobs(p.exclude)
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
	listed, err := p.readList()
	if err != nil {
		return nil, err
	}
	f := finder{flat: p.flat, links: p.links, exclude: exclude, notice: p.env.notice}
	if input {
		paths = slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return path == "-" })
		if err := p.spool(ctx); err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		f.add(p.spooled, p.name)
		for i := range f.found {
			f.found[i].label = "standard input"
		}
	}
	return f.find(paths, listed)
}

// readList reads the paths of --files-from.
func (p *push) readList() (listed []string, err error) {
	if p.filesFrom == "" {
		return nil, nil
	}
	from := p.env.Stdin
	if p.filesFrom != "-" {
		file, err := os.Open(p.filesFrom)
		if err != nil {
			return nil, usageError{err}
		}
		defer file.Close()
		from = file
	}
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
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(file, p.env.Stdin)
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
		copied <- err
	}()
	select {
	case err := <-copied:
		return err
	case <-ctx.Done(): // a read of a terminal ends with the program
		return ctx.Err()
	}
}

func (p *push) unspool() {
	if p.spooled != "" {
		_ = os.Remove(p.spooled) // what is left is the system's to tidy
	}
}
