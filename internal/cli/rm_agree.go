package cli

import (
	"context"
	"fmt"

	"granary/internal/client"
)

// agree shows what would be deleted and asks, if there is a terminal. It fails if
// nothing may be deleted. chosen are the files, none for whole versions.
func (r *rm) agree(ctx context.Context, doomed []client.Package, chosen []client.File, many bool) error {
	asks := !r.yes && !r.dryRun && canAsk(r.env)
	if many && !r.yes && !r.dryRun && !asks {
		return usagef("this deletes %s, and there is no terminal to ask on: --yes deletes them, --dry-run lists them", countVersions(len(doomed)))
	}
	lists := many && r.dryRun && !r.json && !r.quiet
	if !asks && !lists {
		return nil
	}
	what, err := r.list(ctx, doomed, chosen)
	if err != nil {
		return advise(err, r.project)
	}
	if !asks {
		return nil
	}
	agreed, err := ask(ctx, r.env, fmt.Sprintf("Delete %s of %s in %s?", what, doomed[0].Name, r.project))
	if err == nil && !agreed {
		err = refused("nothing was deleted")
	}
	return err
}

// list prints a table of what would be deleted, apart from the results, and describes
// it in sum.
func (r *rm) list(ctx context.Context, doomed []client.Package, chosen []client.File) (sum string, err error) {
	beside := r.env
	beside.Stdout = r.env.Stderr
	if len(chosen) > 0 {
		_, size := sizeOf(chosen)
		err = table(beside, func(out *printer) {
			out.printf("FILE\tSIZE\n")
			for _, f := range chosen {
				out.printf("%s\t%s\n", f.Path, formatBytes(f.Size))
			}
		})
		return fmt.Sprintf("%s (%s) of version %s", counted(int64(len(chosen)), "file"), formatBytes(size), doomed[0].Version), err
	}
	sizes, err := packageSizes(ctx, r.client, r.project, doomed)
	if err != nil {
		return "", err
	}
	size := int64(0)
	err = table(beside, func(out *printer) {
		out.printf("VERSION\tFILES\tSIZE\tPUBLISHED\n")
		for i, p := range doomed {
			size += sizes[i].size
			out.printf("%s\t%d\t%s\t%s\n", p.Version, sizes[i].files, formatBytes(sizes[i].size), formatTime(p.CreatedAt))
		}
	})
	return fmt.Sprintf("%s (%s)", countVersions(len(doomed)), formatBytes(size)), err
}

// packageSize is what the newest files of every name in a version come to.
type packageSize struct {
	files int
	size  int64 // bytes
}

// packageSizes lists the files of every package, because no list of packages has
// sizes: one call for each, and more above 100 files.
func packageSizes(ctx context.Context, c *client.Client, project string, packages []client.Package) ([]packageSize, error) {
	const atOnce = 8
	sizes := make([]packageSize, len(packages))
	err := parallel(ctx, atOnce, len(packages), func(ctx context.Context, i int) error {
		files, err := c.Files(ctx, project, packages[i].ID)
		sizes[i].files, sizes[i].size = sizeOf(files)
		return err
	})
	return sizes, err
}

func sizeOf(files []client.File) (n int, size int64) {
	for _, f := range files {
		size += f.Size
	}
	return len(files), size
}
