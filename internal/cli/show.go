package cli

import (
	"context"

	"github.com/spf13/cobra"

	"granary/internal/client"
)

func newShow(env Env) *cobra.Command {
	s := &show{connection: connection{env: env}}
	cmd := &cobra.Command{
		Use:   "show PROJECT NAME[@VERSION]",
		Short: "Show a version of a package and its files",
		Long: "Show one version of a package (NAME@VERSION or NAME VERSION; without a version the\n" +
			"latest; ranges as in granary pull) and its files with size and SHA-256. With --sums the\n" +
			"files are printed as sha256sum does: granary show ... --sums | sha256sum -c\n" +
			"A final version shows its digest, the SHA-256 of what --sums prints. With --draft the\n" +
			"draft of the exact version is shown, to those who may publish it.",
		Args: packageArguments(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilInterrupted(cmd)
			defer stop()
			return s.run(ctx, args)
		},
	}
	s.addFlags(cmd)
	s.complete(cmd, aProject, aPackage)
	f := cmd.Flags()
	f.BoolVar(&s.pre, "pre", false, "include pre-releases")
	f.BoolVar(&s.draft, "draft", false, "show the draft of the version")
	f.BoolVar(&s.sums, "sums", false, "print digests and names as sha256sum does")
	f.BoolVar(&s.json, "json", false, "print the package as JSON")
	return cmd
}

type show struct {
	connection
	pre, draft, sums, json bool
}

// shownFile is a file of a package as show prints it.
type shownFile struct {
	Path      string `json:"path"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256"`
	CreatedAt string `json:"created_at"`
}

func (s *show) run(ctx context.Context, args []string) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	project, err := s.project(args[0])
	if err != nil {
		return err
	}
	name, version, rest := versioned(args[1:])
	if len(rest) > 0 {
		return twoVersions(name, version, rest[0])
	}
	if s.draft && version == "" {
		return usagef("which version of %s? want NAME@VERSION with --draft", name)
	}
	find := func() (client.Version, error) { return c.Find(ctx, project, name, version, s.pre) }
	if s.draft {
		find = func() (client.Version, error) { return c.Draft(ctx, project, name, version) }
	}
	found, err := find()
	if err == nil && !s.sums {
		err = addPages(ctx, c, project, &found, s.json)
	}
	if err != nil {
		return advise(err, project)
	}
	files := found.Files
	if s.json {
		files := []shownFile{}
		for _, f := range found.Files {
			files = append(files, shownFile{f.Path, f.Size, f.SHA256, f.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z")})
		}
		return printJSON(s.env, struct {
			shownVersion
			Files []shownFile `json:"files"`
		}{shown(found), files})
	}
	if s.sums {
		return printSums(s.env, files)
	}
	return table(s.env, func(out *printer) {
		out.printf("package\t%s\nversion\t%s\nstatus\t%s\npublished\t%s\n", found.Name, found.Version, found.Status, formatTime(found.CreatedAt))
		if found.WebURL != "" {
			out.printf("page\t%s\n", found.WebURL)
		}
		if found.Final {
			out.printf("final\tsha256:%s\n", found.Manifest)
		}
		if !found.ExpiresAt.IsZero() {
			out.printf("expires\t%s\n", formatTime(found.ExpiresAt))
		}
		if marks := listed(found.Package).marks(); marks != "" {
			out.printf("marks\t%s\n", marks)
		}
		out.printf("\n")
		for _, f := range files {
			out.printf("%s\t%s\t%s\n", f.SHA256, formatBytes(f.Size), f.Path)
		}
	})
}

// addPages asks for what the version of granary's wire lacks, and other lists have: the
// address of its page and, with files, when they were published. Who reads no such lists
// does without.
func addPages(ctx context.Context, c *client.Client, project string, found *client.Version, files bool) error {
	if found.WebURL == "" {
		p, err := c.Package(ctx, project, found.ID)
		if err != nil && !readsNothing(err) {
			return err
		}
		found.WebURL = p.WebURL
	}
	if !files || len(found.Files) == 0 || found.Files[0].ID != 0 {
		return nil
	}
	listed, err := c.Files(ctx, project, found.ID)
	if err == nil {
		found.Files = listed
	}
	if readsNothing(err) {
		return nil
	}
	return err
}

// readsNothing reports a refusal to show something.
func readsNothing(err error) bool {
	kind := client.KindOf(err)
	return kind == client.Denied || kind == client.NotFound
}
