package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"granary/internal/client"
)

const anewAdvice = "--force discards the draft and begins anew; or give the package a new version"

// lookForDraft finds what a server with drafts has: the published version if there is
// one, else its draft. published says that a list shows the version.
func (p *push) lookForDraft(ctx context.Context, published bool) error {
	if published {
		return p.lookForPublished(ctx)
	}
	if len(p.sources) > client.MaxFiles && !p.draft {
		if !p.quiet {
			p.env.notice("%d files are too many for a final version, which may have %d: they are published one by one", len(p.sources), client.MaxFiles)
		}
		return nil
	}
	unlisted := p.shelf.unlisted
	p.at.Draft, p.shelf.at.Draft, p.shelf.unlisted = true, true, false
	found, err := p.client.Draft(ctx, p.at.Project, p.at.Name, p.at.Version)
	switch {
	case err == nil:
		if err := p.join(found); err != nil {
			return err
		}
	case !isUnseen(err): // a refused name is told with the files
		return fmt.Errorf("%w; nothing was sent", err)
	}
	p.named = err == nil || client.KindOf(err) == client.NotFound
	if err == nil || !unlisted && !p.dryRun {
		return p.checkPaths()
	}
	// If no list shows the version, its first file would be refused.
	if err := p.lookForPublished(ctx); err == nil || !isUnseen(err) {
		return err
	}
	return p.checkPaths()
}

// checkPaths refuses paths that no final version can have.
func (p *push) checkPaths() error {
	paths := make([]string, len(p.sources))
	for i, s := range p.sources {
		paths[i] = s.path
	}
	if err := client.CheckPaths(paths); err != nil {
		return fmt.Errorf("%w; nothing was sent", err)
	}
	return nil
}

// isUnseen reports that a version does not exist, or is not visible to the caller.
func isUnseen(err error) bool {
	kind := client.KindOf(err)
	return kind == client.NotFound || kind == client.Denied || kind == client.Refused
}

// join goes on with a draft that is there. Files that this push does not have are
// another's: they would become final with it.
func (p *push) join(draft client.Version) error {
	if p.force {
		p.anew = true
		return nil
	}
	p.shelf.show(draft)
	if p.draft {
		return nil
	}
	var others []string
	for _, f := range draft.Files {
		if !slices.ContainsFunc(p.sources, func(s source) bool { return s.path == f.Path }) {
			others = append(others, f.Path)
		}
	}
	if len(others) == 0 {
		return nil
	}
	return refused("the draft of %s %s has files that this push has not: %s; nothing was sent\n--draft adds to the draft, and granary finalise publishes all of it; %s",
		p.at.Name, p.at.Version, firstOf(others), anewAdvice)
}

// lookForPublished finds a version that is published, and what it has. It is NotFound if
// there is none.
func (p *push) lookForPublished(ctx context.Context) error {
	found, err := p.client.Published(ctx, p.at.Project, p.at.Name, p.at.Version)
	if err != nil {
		return err
	}
	p.at.Draft, p.shelf.at.Draft, p.anew = false, false, false
	p.shelf.show(found)
	p.hidden, p.final = found.Status == "hidden", found.Final
	if p.draft && !p.final { // a stage that runs again after the release finds its files there
		return refused("%s %s is published; a draft needs a new version; nothing was sent", p.at.Name, p.at.Version)
	}
	return nil
}

// errPublished is what the first file of a draft meets if the version is published.
var errPublished = errors.New("the version is published")

// publish sends the files, and makes their draft final. If the version turns out to be
// published, its files are compared, and the push goes on without a draft.
func (p *push) publish(ctx context.Context, files []pushed) ([]pushed, error) {
	if p.anew {
		err := p.client.Discard(ctx, p.at.Project, p.at.Name, p.at.Version)
		if err != nil && client.KindOf(err) != client.NotFound {
			return files, fmt.Errorf("%w\nnothing was published", advise(err, p.at.Project))
		}
	}
	p.tellOpen(files)
	err := p.send(ctx, files)
	if p.at.Draft && (errors.Is(err, errPublished) || statusOf(err) == http.StatusConflict) {
		there, lookErr := p.ready(ctx, p.lookForPublished)
		switch {
		case lookErr == nil:
			p.tellOpen(there)
			files, err = there, p.send(ctx, there)
		case !isUnseen(lookErr):
			return files, lookErr
		}
	}
	if err != nil {
		return files, p.endedEarly(ctx, files, err)
	}
	if p.at.Draft {
		return files, p.finalise(ctx, files)
	}
	return files, p.shelf.confirm(ctx, len(files), func(i int) *planned { return &files[i].planned })
}

// tellOpen says that files go into a version that others see meanwhile.
func (p *push) tellOpen(files []pushed) {
	due := slices.ContainsFunc(files, func(f pushed) bool { return f.Action == "upload" })
	if due && p.shelf.id != 0 && p.client.HasDrafts() && !p.at.Draft && !p.quiet {
		p.env.notice("%s %s is published already, so its files change one by one", p.at.Name, p.at.Version)
	}
}

// finalise makes the draft final if it has exactly these files.
func (p *push) finalise(ctx context.Context, files []pushed) (err error) {
	if p.draft {
		return nil
	}
	expected := make([]client.File, len(files))
	for i, f := range files {
		expected[i] = client.File{Path: f.Path, SHA256: f.SHA256}
	}
	p.result, err = p.client.Finalise(ctx, p.at.Project, p.at.Name, p.at.Version, expected, false)
	if err == nil {
		return nil
	}
	again := fmt.Sprintf("granary finalise %s %s@%s", p.at.Project, p.at.Name, p.at.Version)
	p.soFar = "the draft is complete, and not published\n"
	next := p.soFar + "run the same command again, or " + again
	switch e, _ := errors.AsType[*client.Error](err); {
	case e != nil && e.Status == http.StatusForbidden:
		next = "the draft is complete, and stays a draft until somebody who may publishes it: " + again
	case e != nil && e.Status == http.StatusNotFound:
		err, next = refused("%w", err), "nothing was published: another push has discarded this draft"
	case e != nil && e.Difference != nil:
		next = difference(e.Difference) + "nothing was published: another push puts files into this draft\n" + anewAdvice
	case e != nil && e.Status < 500:
		next = "nothing was published; the files are in the draft"
	}
	if p.json {
		err = errors.Join(err, p.print(files))
	}
	return fmt.Errorf("%w\n%s", err, next)
}

// difference says in lines what differs from what was expected.
func difference(d *client.Difference) string {
	var lines strings.Builder
	for _, kind := range []struct {
		words string
		paths []string
	}{{"missing", d.Missing}, {"not expected", d.Extra}, {"with other bytes", d.Differs}} {
		if len(kind.paths) > 0 {
			fmt.Fprintf(&lines, "%s: %s\n", kind.words, firstOf(kind.paths))
		}
	}
	return lines.String()
}
