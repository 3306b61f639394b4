package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"granary/internal/client"
)

// plan decides for every file what is to be done with it.
func (p *push) plan(ctx context.Context) ([]pushed, error) {
	there, err := p.existing(ctx)
	if err != nil {
		return nil, err
	}
	files := make([]pushed, len(p.sources))
	err = parallel(ctx, cmp.Or(p.jobs, filesAtOnce), len(files), func(ctx context.Context, i int) error {
		s := p.sources[i]
		files[i] = pushed{Path: s.path, Size: s.size, Action: "upload", source: s}
		old, taken := there[s.path]
		lost := false
		if p.unlisted {
			var err error
			if old, taken, lost, err = p.stat(ctx, s.path); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		if !taken {
			files[i].fresh = !lost
			return nil
		}
		if old.Size == s.size && old.SHA256 != "" {
			sum, err := s.sum()
			if err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
			files[i].SHA256 = sum
			if sum == old.SHA256 {
				lost, err := p.lost(ctx, s.path)
				if err == nil && !lost {
					files[i].Action, files[i].Confirmed = "unchanged", true
				}
				return err
			}
		}
		if files[i].beside = true; !p.force {
			files[i].Action = "refused"
		}
		return nil
	})
	return files, err
}

// existing is what the package has, by path.
func (p *push) existing(ctx context.Context) (map[string]client.File, error) {
	there := map[string]client.File{}
	packages, err := p.client.Packages(ctx, p.at.Project, p.at.Name, p.at.Version)
	if k := client.KindOf(err); k == client.Denied || k == client.NotFound {
		p.unlisted = true // deploy tokens read no lists
		return there, nil
	}
	if err == nil && len(packages) == 0 {
		packages, err = p.client.HiddenPackages(ctx, p.at.Project, p.at.Name, p.at.Version)
		p.hidden = len(packages) > 0
	}
	if err != nil || len(packages) == 0 {
		return there, err
	}
	p.created = true
	if p.hidden {
		p.unlisted = true
		return there, nil
	}
	return filesByPath(ctx, p.client, p.at.Project, packages[len(packages)-1].ID)
}

// filesByPath is the files of a package by their paths.
func filesByPath(ctx context.Context, c *client.Client, project string, packageID int64) (map[string]client.File, error) {
	there := map[string]client.File{}
	files, err := c.Files(ctx, project, packageID)
	for _, f := range files {
		there[f.Path] = f
	}
	return there, err
}

// lost reports that the server cannot give a file that it has. Its own bytes are
// sent again. One that was just asked for has been given.
func (p *push) lost(ctx context.Context, path string) (bool, error) {
	if p.unlisted {
		return false, nil
	}
	at := p.at
	at.Path = path
	return p.client.Lost(ctx, at)
}

// stat asks for one file. Lost bytes, which are to be sent again, are not taken.
func (p *push) stat(ctx context.Context, path string) (f client.File, taken, lost bool, err error) {
	at := p.at
	at.Path = path
	f, err = p.client.Stat(ctx, at)
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusInternalServerError {
		if lost, lostErr := p.client.Lost(ctx, at); lost || lostErr != nil {
			return f, false, lost, lostErr
		}
	}
	switch client.KindOf(err) {
	case client.NotFound:
		return f, false, false, nil
	case client.Refused: // the name, which checkNames looks at
		return f, false, false, nil
	}
	return f, err == nil, false, err
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
	return refused("%s %s has other bytes under %s; nothing was sent\ngive the package a new version, or use --force to publish beside them",
		p.at.Name, p.at.Version, firstOf(names))
}
