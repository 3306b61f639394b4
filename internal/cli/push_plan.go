package cli

import (
	"cmp"
	"context"
	"fmt"
)

// plan decides for every file what is to be done with it.
func (p *push) plan(ctx context.Context) ([]pushed, error) {
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	files := make([]pushed, len(p.sources))
	err := parallel(ctx, cmp.Or(p.jobs, filesAtOnce), len(files), func(ctx context.Context, i int) error {
		s := p.sources[i]
		files[i] = pushed{planned: planned{Path: s.path, Size: s.size, Action: "upload"}, source: s}
		if err := p.shelf.decide(ctx, &files[i].planned, p.force, s.sum); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		return nil
	})
	return files, err
}

// look finds what the package has.
func (p *push) look(ctx context.Context) error {
	p.shelf = shelf{client: p.client, at: p.at}
	packages, err := p.client.Packages(ctx, p.at.Project, p.at.Name, p.at.Version)
	if (caller{p.client, p.at.Project}).readsNoLists(err) {
		p.shelf.unlisted = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; nothing was sent", err)
	}
	if len(packages) > 0 {
		p.shelf.id = packages[len(packages)-1].ID
		return p.shelf.list(ctx)
	}
	packages, err = p.client.HiddenPackages(ctx, p.at.Project, p.at.Name, p.at.Version)
	p.hidden = len(packages) > 0
	p.shelf.unlisted = p.hidden
	return err
}

// refuse names the files that are there with other bytes.
func (p *push) refuse(files []pushed) error {
	var names []string
	for _, f := range files {
		if f.Action == "refused" {
			names = append(names, f.Path)
		}
	}
	if len(names) == 0 || p.dryRun {
		return nil
	}
	return refused("%s %s has other bytes under %s; nothing was sent\ngive the package a new version, or use --force to publish anyway",
		p.at.Name, p.at.Version, firstOf(names))
}
