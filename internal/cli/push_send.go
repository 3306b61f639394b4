package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"granary/internal/client"
)

// send publishes the files. The first file goes alone: a push that loses against
// another one of the same new version fails there, with nothing sent, and GitLab
// before 18 fails if several requests make the package at once. If the other push has
// published the same bytes, the next file decides. In a draft it is the file with the
// smallest path, so that two pushes meet there; with --draft they do not. With --force files whose names are
// taken go first: if the server accepts no duplicate files, the first of them ends the
// push.
func (p *push) send(ctx context.Context, files []pushed) error {
	var due []*pushed
	size := int64(0)
	for i := range files {
		if files[i].Action == "upload" {
			due = append(due, &files[i])
			size += files[i].Size
		}
	}
	slices.SortStableFunc(due, func(a, b *pushed) int { return cmp.Compare(order(a), order(b)) })
	bar := newProgress(p.env, p.quiet, "push", len(due), size)
	defer bar.close()
	for len(due) > 0 {
		f := due[0]
		due = due[1:]
		if err := p.sendOne(ctx, f, bar); err != nil {
			return err
		}
		if p.at.Draft && !f.drafted {
			return errPublished
		}
		if !f.theirs {
			break // this version is ours
		}
	}
	return parallel(ctx, p.atOnce(size, len(due)), len(due), func(ctx context.Context, i int) error { return p.sendOne(ctx, due[i], bar) })
}

// order is lower for what is sent earlier.
func order(f *pushed) int {
	if f.beside {
		return 0
	}
	return 1
}

// smallFile is the size in bytes up to which a file is read once and kept while it
// is sent.
const smallFile = 64 << 10

// How many files are sent at once by default.
const (
	filesAtOnce = 8
	smallAtOnce = 32 // if they are small on average
)

// atOnce is how many files are sent at once: as many as was said, else more of small
// ones. A server writes small files down together, and the line is idle meanwhile.
func (p *push) atOnce(size int64, files int) int {
	switch {
	case p.jobs > 0:
		return p.jobs
	case files > 0 && size/int64(files) <= smallFile:
		return smallAtOnce
	}
	return filesAtOnce
}

func (p *push) sendOne(ctx context.Context, f *pushed, bar *progress) error {
	open := f.source.open
	if f.Size <= smallFile {
		data, err := f.source.read()
		if err != nil {
			return fmt.Errorf("%s: %w", f.source, err)
		}
		open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		f.SHA256 = sumOfBytes(data)
	} else if f.SHA256 == "" && (f.Size <= declareBelow || p.declare) {
		sum, err := f.source.sum()
		if err != nil {
			return fmt.Errorf("%s: %w", f.source, err)
		}
		f.SHA256 = sum
	}
	f.begun = true
	stored, err := p.client.Publish(ctx, client.Upload{
		Coordinates: p.at.File(f.Path), Size: f.Size, SHA256: f.SHA256, Progress: bar.add, Create: f.fresh && !p.draft && (!p.force || p.at.Draft),
		Open: open,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", f.source, err)
	}
	f.sent, f.theirs, f.drafted = true, stored.Theirs, stored.Draft
	f.SHA256, f.Confirmed = stored.SHA256, stored.Confirmed
	bar.fileDone()
	return nil
}

// endedEarly adds to a push's error how much of the version is published, and how to
// continue.
func (p *push) endedEarly(ctx context.Context, files []pushed, err error) error {
	p.shelf.settle(ctx, err, len(files), func(i int) *planned { return &files[i].planned })
	var missing []string
	there := 0
	for i := range files {
		if f := &files[i]; f.sent || f.Action == "unchanged" {
			there++
		} else {
			f.Action = "missing"
			missing = append(missing, f.Path)
		}
	}
	next := "run the same command again: it skips what has arrived"
	if k := client.KindOf(err); k == client.Refused || k == client.Denied || k == client.NotFound {
		next = "once the reason is gone, " + next
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusPreconditionFailed {
		next = "another push publishes this version at the same time: give the package a new version, or use --force to publish anyway"
		if p.at.Draft {
			next = "another push puts other bytes into the draft of this version\n" + anewAdvice
		}
	}
	switch {
	case p.at.Draft && there > 0:
		p.soFar = fmt.Sprintf("%d of %s are in the draft; nothing is published\n", there, counted(int64(len(files)), "file"))
		next = p.soFar + "not in the draft: " + firstOf(missing) + "\n" + next
	case there == 0 && client.KindOf(err) == client.NotFound:
		next = "nothing was published"
	case there == 0:
		next = "nothing was published; " + next
	default:
		p.soFar = fmt.Sprintf("%d of %s are published; the version is incomplete\n", there, counted(int64(len(files)), "file"))
		next = p.soFar + "not published: " + firstOf(missing) + "\n" + next
	}
	if p.json {
		err = errors.Join(err, p.print(files))
	}
	return fmt.Errorf("%w\n%s", advise(err, p.at.Project), next)
}

// firstOf names some, on one line, and counts the rest.
func firstOf(names []string) string {
	const most = 5
	more := len(names) - most
	text := onOneLine(strings.Join(names[:min(most, len(names))], ", "))
	if more > 0 {
		return fmt.Sprintf("%s and %d more", text, more)
	}
	return text
}
