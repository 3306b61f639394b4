package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

const draftsHelp = `VERSION is the exact name of a version (NAME@VERSION or NAME VERSION). The server must be
granary: GitLab has no drafts.`

func newFinalise(env Env) *cobra.Command {
	f := &finalise{mark: mark{connection: connection{env: env}}}
	cmd := f.exact(&cobra.Command{
		Use:   "finalise PROJECT NAME@VERSION",
		Short: "Publish a draft, and make its version final",
		Long: "Publish the draft of a version, all its files at once. From then on the version is final:\n" +
			"its files never change, and its number never means anything else, even after it is\n" +
			"deleted. A version that was published without a draft can be made final, too. Again for\n" +
			"the same files it succeeds.\n\n" +
			"With --sums nothing becomes final unless the version has exactly the files of a list in\n" +
			"the form of sha256sum. With --hidden no list and no range shows the version.",
		Example: "  granary finalise acme/tools firmware@1.4.0\n  (cd dist && sha256sum *) | granary finalise . firmware@$VERSION --sums -",
	}, f.run)
	cmd.Flags().StringVar(&f.sums, "sums", "", "want exactly the files of this `list`; - is standard input")
	cmd.Flags().BoolVar(&f.hidden, "hidden", false, "hide the version from lists, latest and ranges")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the version as JSON")
	return cmd
}

type finalise struct {
	mark
	sums   string
	hidden bool
}

// exact adds what commands of one exact version have in common.
func (m *mark) exact(cmd *cobra.Command, run func(ctx context.Context, c *client.Client, project, name, version string) error) *cobra.Command {
	cmd.Args = packageArguments(2, 3)
	cmd.Long += "\n\n" + draftsHelp
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := untilInterrupted(cmd)
		defer stop()
		name, version, rest := versioned(args[1:])
		switch {
		case version == "":
			return usagef("which version of %s? want NAME@VERSION", name)
		case len(rest) > 0:
			return twoVersions(name, version, rest[0])
		}
		c, project, err := m.reach(args[0])
		if err != nil {
			return err
		}
		return advise(run(ctx, c, project, name, version), project)
	}
	m.addFlags(cmd)
	m.complete(cmd, aProject, aDraft)
	return cmd
}

func (f *finalise) run(ctx context.Context, c *client.Client, project, name, version string) error {
	expected, err := f.expected(ctx)
	if err != nil {
		return err
	}
	v, err := c.Finalise(ctx, project, name, version, expected, f.hidden)
	if e, ok := errors.AsType[*client.Error](err); ok && e.Difference != nil {
		return fmt.Errorf("%w\n%snothing became final", err, difference(e.Difference))
	}
	if err != nil {
		return err
	}
	row := shownVersion{listedPackage: listed(v.Package), Manifest: v.Manifest}
	return f.printDone(f.json, row, fmt.Sprintf("%s %s is final, %s (%s), sha256:%s", v.Name, v.Version, counted(int64(v.Files), "file"), formatBytes(v.Size), v.Manifest))
}

// expected is what --sums names, nil without it.
func (f *finalise) expected(ctx context.Context) ([]client.File, error) {
	if f.sums == "" {
		return nil, nil
	}
	sums, err := orInterrupted(ctx, func() (map[string]string, error) {
		from, err := openInput(f.env, f.sums)
		if err != nil {
			return nil, err
		}
		defer from.Close()
		return readSums(from, f.sums)
	})
	if err != nil {
		return nil, err
	}
	if len(sums) == 0 {
		return nil, usagef("%s names no file", f.sums)
	}
	var files []client.File
	for _, path := range slices.Sorted(maps.Keys(sums)) {
		files = append(files, client.File{Path: path, SHA256: sums[path]})
	}
	return files, nil
}

// shownVersion is a version as JSON, with what tells whether it is final.
type shownVersion struct {
	listedPackage
	Manifest  string     `json:"manifest_sha256,omitempty"` // of a final version
	ExpiresAt *time.Time `json:"expires_at,omitempty"`      // of a draft
}

func shown(v client.Version) shownVersion {
	row := shownVersion{listedPackage: listed(v.Package), Manifest: v.Manifest}
	if !v.ExpiresAt.IsZero() {
		row.ExpiresAt = &v.ExpiresAt
	}
	return row
}

func newDiscard(env Env) *cobra.Command {
	m := &mark{connection: connection{env: env}}
	return m.exact(&cobra.Command{
		Use:   "discard PROJECT NAME@VERSION",
		Short: "Remove a draft",
		Long: "Remove the draft of a version, with all its files. A published version is never removed:\n" +
			"that is granary rm.",
	}, func(ctx context.Context, c *client.Client, project, name, version string) error {
		if err := c.Discard(ctx, project, name, version); err != nil {
			return err
		}
		return m.printDone(false, nil, "the draft of "+name+" "+version+" is discarded")
	})
}
