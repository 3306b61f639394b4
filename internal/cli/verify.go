package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

func newVerify(env Env) *cobra.Command {
	v := &verify{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:   "verify PROJECT NAME[@VERSION] [DIRECTORY]",
		Short: "Compare a directory, or a SHA256SUMS, with a package",
		Long: "Compare the files below a directory (by default the current one), or with --sums a list\n" +
			"in the format of sha256sum, with a package, by their SHA-256. A file that only one\n" +
			"side has is a difference, too. VERSION is as in granary pull. Exit code 5 means that\n" +
			"something differs.\n\n" +
			"Files that granary push would leave out of the directory (.git, files that a\n" +
			".granaryignore names, pull's own files) count only if the package has them. Files that\n" +
			"--exclude names are left out on both sides.",
		Example: "  granary verify acme/tools firmware@1.4.0 vendor/\n" +
			"  granary verify acme/tools firmware@1.4.0 --sums SHA256SUMS",
		Args: packageArguments(2, 4),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return v.run(ctx, args)
		},
	}
	v.connection.addFlags(cmd)
	v.complete(cmd, aProject, aPackage, localFile)
	f := cmd.Flags()
	f.StringVar(&v.sums, "sums", "", "compare the package with this `file` in the format of sha256sum; - is standard input")
	v.finding.addFlags(f)
	f.BoolVar(&v.pre, "pre", false, "include pre-releases")
	f.BoolVar(&v.json, "json", false, "print the result as JSON")
	return cmd
}

type verify struct {
	connection
	finding
	sums      string
	pre, json bool
}

// verdict is what a comparison says of one file.
type verdict struct {
	Path   string `json:"path"`
	Result string `json:"result"` // "same", "differs", "missing" (the package has it alone), "extra"
}

func (v *verify) run(ctx context.Context, args []string) error {
	name, version, rest := v.versioned(args[1:])
	if len(rest) > 1 {
		return usagef("%q is an argument too many; want granary verify PROJECT NAME[@VERSION] [DIRECTORY]", rest[1])
	}
	if v.sums != "" && len(rest) > 0 {
		return usagef("a directory and --sums are two things to compare with; want one")
	}
	c, err := v.client()
	if err != nil {
		return err
	}
	project, err := v.project(args[0])
	if err != nil {
		return err
	}
	found, err := c.Find(ctx, project, name, version, v.pre)
	if err != nil {
		return advise(err, project)
	}
	files := found.Files
	var have map[string]string
	if v.sums != "" {
		have, err = orInterrupted(ctx, v.readSums)
	} else {
		have, err = v.sumDirectory(ctx, append(rest, ".")[0], files)
	}
	if err != nil {
		return err
	}
	if files, err = v.leaveOut(files, have); err != nil {
		return err
	}
	verdicts, err := compare(files, have)
	if err != nil {
		return err
	}
	return v.print(found.Package, verdicts)
}

// versioned is as for other commands, and a DIRECTORY may follow. Of NAME and one
// word, a directory that is there is that; else what looks like a version is one.
func (v *verify) versioned(words []string) (name, version string, rest []string) {
	name, version, rest = versioned(words)
	if v.sums == "" && len(words) == 2 && len(rest) == 0 {
		if _, err := os.Stat(version); err == nil || !client.LooksLikeVersion(version) {
			return name, "", words[1:]
		}
	}
	return name, version, rest
}

// readSums reads the list of --sums.
func (v *verify) readSums() (map[string]string, error) {
	f, err := openInput(v.env, v.sums)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSums(f, v.sums)
}

// sumDirectory hashes the files below a directory, by path: those that push would
// find there, and those that the package has.
func (v *verify) sumDirectory(ctx context.Context, dir string, files []client.File) (map[string]string, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, usageError{err}
	}
	if !info.IsDir() {
		return nil, usagef("%s is not a directory", dir)
	}
	f, err := v.finder(v.env)
	if err != nil {
		return nil, err
	}
	f.has = map[string]bool{}
	for _, file := range files {
		if tooLong(file.Path) != "" {
			continue // it is missing, and the work would grow with the square of its levels
		}
		for name := file.Path; name != "." && name != "/" && !f.has[name]; name = path.Dir(name) {
			f.has[name] = true
		}
	}
	found, err := orInterrupted(ctx, func() ([]source, error) {
		f.below(ctx, dir, dir, "**")
		return f.found, cmp.Or(ctx.Err(), f.failed())
	})
	if err != nil {
		return nil, err
	}
	return sums(ctx, found)
}

// sums hashes files, by path.
func sums(ctx context.Context, found []source) (have map[string]string, err error) {
	have = map[string]string{}
	for _, s := range found {
		have[s.path], err = orInterrupted(ctx, s.sum)
		if errors.Is(err, errChanged) {
			return nil, fmt.Errorf("%s changed while it was compared; run the same command again", s)
		}
		if err != nil {
			return nil, err
		}
	}
	return have, nil
}

// leaveOut takes what --exclude names off both sides.
func (v *verify) leaveOut(files []client.File, have map[string]string) ([]client.File, error) {
	exclude, err := newGlobs(v.exclude)
	maps.DeleteFunc(have, func(name, _ string) bool { return exclude.match(name, false) })
	return slices.DeleteFunc(files, func(f client.File) bool { return tooLong(f.Path) == "" && exclude.match(f.Path, false) }), err
}

// compare judges every file that either side has. Without a digest of the server a
// file cannot be compared.
func compare(files []client.File, have map[string]string) ([]verdict, error) {
	verdicts := []verdict{}
	for _, f := range files {
		got, here := have[f.Path]
		delete(have, f.Path)
		switch {
		case f.SHA256 == "":
			return nil, refused("the server gives no digest of %s", f.Path)
		case !here:
			verdicts = append(verdicts, verdict{f.Path, "missing"})
		case got != f.SHA256:
			verdicts = append(verdicts, verdict{f.Path, "differs"})
		default:
			verdicts = append(verdicts, verdict{f.Path, "same"})
		}
	}
	for name := range have {
		verdicts = append(verdicts, verdict{filepath.ToSlash(name), "extra"})
	}
	slices.SortFunc(verdicts, func(a, b verdict) int { return strings.Compare(a.Path, b.Path) })
	return verdicts, nil
}

func (v *verify) print(p client.Package, verdicts []verdict) error {
	count := map[string]int{}
	for _, d := range verdicts {
		count[d.Result]++
	}
	same := count["same"] == len(verdicts)
	out := &printer{w: v.env.Stdout}
	switch {
	case v.json:
		out.err = printJSON(v.env, struct {
			Name    string    `json:"name"`
			Version string    `json:"version"`
			Same    bool      `json:"same"`
			Files   []verdict `json:"files"`
		}{p.Name, p.Version, same, verdicts})
	case !v.quiet:
		for _, d := range verdicts {
			if d.Result != "same" {
				out.printf("%-7s  %s\n", d.Result, d.Path)
			}
		}
		out.printf("%s %s: %s the same", p.Name, p.Version, counted(int64(count["same"]), "file"))
		for _, kind := range [][2]string{{"differs", "different"}, {"missing", "missing"}, {"extra", "extra"}} {
			if n := count[kind[0]]; n > 0 {
				out.printf(", %d %s", n, kind[1])
			}
		}
		out.printf("\n")
	}
	if out.err == nil && !same {
		return exitError{errors.New(""), exitDiffers}
	}
	return out.err
}
