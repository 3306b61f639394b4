package cli

import (
	"cmp"
	"context"
	"fmt"

	"granary/internal/client"
)

// plan decides for every file what is to be done with it.
func (p *push) plan(ctx context.Context) ([]pushed, error) {
	files := make([]pushed, len(p.sources))
	err := parallel(ctx, cmp.Or(p.jobs, filesAtOnce), len(files), func(ctx context.Context, i int) error {
		s := p.sources[i]
		files[i] = pushed{planned: planned{Path: s.path, Size: s.size, Action: "upload"}, source: s}
		if err := p.shelf.decide(ctx, &files[i].planned, p.force || p.draft, s.sum); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		if p.at.Draft { // the file is replaced
			files[i].beside = false
		}
		if p.final && (files[i].fresh || files[i].beside) {
			files[i].Action = "refused"
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
	} else if err != nil {
		return fmt.Errorf("%w; nothing was sent", err)
	}
	if p.client.HasDrafts() {
		return p.lookForDraft(ctx, len(packages) > 0)
	}
	if p.draft {
		return refused("%s has no drafts: --draft needs granary; nothing was sent", p.client.Server())
	}
	if p.shelf.unlisted {
		return nil
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
	var names, fresh []string
	for _, f := range files {
		switch {
		case f.Action != "refused":
		case f.fresh:
			fresh = append(fresh, f.Path)
		default:
			names = append(names, f.Path)
		}
	}
	if len(names)+len(fresh) == 0 || p.dryRun {
		return nil
	}
	switch {
	case p.final && len(names) == 0:
		return refused("%s %s is final; publish a new version\nit has no file %s; nothing was sent", p.at.Name, p.at.Version, firstOf(fresh))
	case p.final:
		return refused("%s %s is final; publish a new version\nit has other bytes under %s; nothing was sent", p.at.Name, p.at.Version, firstOf(names))
	case p.at.Draft:
		return refused("the draft of %s %s has other bytes under %s; nothing was sent\n%s", p.at.Name, p.at.Version, firstOf(names), anewAdvice)
	}
	return refused("%s %s has other bytes under %s; nothing was sent\ngive the package a new version, or use --force to publish anyway",
		p.at.Name, p.at.Version, firstOf(names))
}

// show takes over what the server says of a version.
func (s *shelf) show(v client.Version) {
	s.id, s.unlisted, s.listed = v.ID, false, map[string]client.File{}
	for _, f := range v.Files {
		s.listed[f.Path] = f
	}
}
