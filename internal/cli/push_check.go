package cli

import (
	"context"
	"maps"
	"slices"
)

// check looks for what the server would refuse, before anything is sent.
func (p *push) check(ctx context.Context, files []pushed) error {
	if err := p.checkFit(files); err != nil {
		return err
	}
	c := checks{client: p.client, project: p.at.Project, name: p.at.Name, jobs: p.jobs, dryRun: p.dryRun, named: p.named, nothing: "nothing was sent"}
	for i := range files {
		if f := &files[i]; f.Action == "upload" {
			c.files = append(c.files, due{&f.planned, p.shelf.at.File(f.Path), f.source.String()})
		}
	}
	return c.run(ctx)
}

// checkFit refuses new names that pull installs on no system, and warns of names that
// some system cannot have, or that clash with the package's files.
func (p *push) checkFit(files []pushed) error {
	names, fresh := slices.Collect(maps.Keys(p.shelf.listed)), false
	for _, f := range files {
		if !f.fresh {
			continue
		}
		if why := unfit(f.Path); why != "" {
			return refused("%s would be %q in the package, which %s, so pull would install nothing; nothing was sent", shortened(f.source.String()), shortened(f.Path), why)
		}
		names, fresh = append(names, f.Path), true
	}
	if !fresh || p.quiet {
		return nil
	}
	slices.Sort(names)
	for _, why := range []string{clash(names), strange("windows", names)} {
		if why != "" {
			p.env.notice("some systems cannot install the whole package: it has %s", onOneLine(why))
		}
	}
	return nil
}
