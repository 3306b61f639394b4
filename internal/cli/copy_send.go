package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"granary/internal/client"
)

// send copies what is to be copied, the lowest versions first. So many versions at
// most are incomplete at a time as files are on their way.
func (k *copying) send(ctx context.Context, versions []copiedVersion) error {
	due, size := 0, int64(0)
	for _, v := range versions {
		for _, f := range v.Files {
			if f.Action == "copy" {
				due++
				size += f.Size
			}
		}
	}
	bar := newProgress(k.env, k.quiet, "copy", due, size)
	defer bar.close()
	k.slots = make(chan struct{}, k.jobs)
	err := parallel(ctx, k.jobs, len(versions), func(ctx context.Context, i int) error {
		return k.sendVersion(ctx, &versions[i], bar)
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	done := 0
	for i := range versions {
		v := &versions[i]
		v.target.settle(ctx, err, len(v.Files), func(i int) *planned { return &v.Files[i].planned })
		for _, f := range v.Files {
			if f.Action == "copy" && f.sent {
				done++
			}
		}
	}
	next := "the same command copies the rest"
	if k := client.KindOf(err); k == client.Refused || k == client.Denied || k == client.NotFound {
		next = "once the reason is gone, " + next
	}
	return fmt.Errorf("%w\n%d of %s are copied; %s", err, done, counted(int64(due), "file"), next)
}

// sendVersion sends the first file of a new version alone: GitLab before 18 fails if
// several requests make the package at once.
func (k *copying) sendVersion(ctx context.Context, v *copiedVersion, bar *progress) error {
	var due []*copied
	for i := range v.Files {
		if v.Files[i].Action == "copy" {
			due = append(due, &v.Files[i])
		}
	}
	slices.SortStableFunc(due, func(a, b *copied) int { return cmp.Compare(a.Size, b.Size) })
	one := func(ctx context.Context, f *copied) error {
		if err := k.sendOne(ctx, v, f, bar); err != nil {
			return k.worded(fmt.Errorf("%s: %w", k.label(v, f), err))
		}
		bar.fileDone()
		return nil
	}
	if len(due) > 1 && !v.created {
		if err := one(ctx, due[0]); err != nil {
			return err
		}
		due = due[1:]
	}
	if err := parallel(ctx, k.jobs, len(due), func(ctx context.Context, i int) error { return one(ctx, due[i]) }); err != nil {
		return err
	}
	if slices.ContainsFunc(v.Files, func(f copied) bool { return f.drafted }) { // the target's setting, or somebody else's draft
		k.env.notice("%s %s is a draft in %s; granary finalise publishes it", k.name, v.Version, k.target)
	}
	return v.target.confirm(ctx, len(v.Files), func(i int) *planned { return &v.Files[i].planned })
}

func (k *copying) sendOne(ctx context.Context, v *copiedVersion, f *copied, bar *progress) error {
	select {
	case k.slots <- struct{}{}:
		defer func() { <-k.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.SHA256 == "" {
		k.env.notice("%s %s: the source gives no digest, so the copy was not checked", v.Version, f.Path)
	}
	from := v.target.at.File(f.Path)
	from.Project = k.source.project
	f.begun = true
	stored, err := k.target.client.Publish(ctx, client.Upload{
		Coordinates: v.target.at.File(f.Path), Size: f.Size, SHA256: f.SHA256, Progress: bar.add, Create: f.fresh && !k.force,
		Open: func() (io.ReadCloser, error) { return fromSource{k.source.client.Stream(ctx, from, f.file)}, nil },
	})
	if err == nil {
		f.sent, f.drafted = true, stored.Draft
		f.SHA256, f.Confirmed = stored.SHA256, stored.Confirmed
	}
	return err
}

// label is what messages call a file.
func (k *copying) label(v *copiedVersion, f *copied) string {
	return k.name + " " + v.Version + " " + f.Path
}

// fromSource reads a file of the source, and marks the source's errors, so that they
// differ from the target's.
type fromSource struct{ io.ReadCloser }

func (s fromSource) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = sourceError{err}
	}
	return n, err
}

// sourceError is one that the source of a copy answered.
type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }

// worded says why the source may not give a file, or the target not want it.
func (k *copying) worded(err error) error {
	if _, ok := errors.AsType[sourceError](err); ok {
		if client.KindOf(err) == client.NotFound {
			return fmt.Errorf("%w\n%s lists the file but does not send it: it was deleted meanwhile, or its bytes are lost", err, k.source)
		}
		return advise(err, k.source.String())
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == 400 && strings.Contains(e.Message, "is invalid") {
		return fmt.Errorf("%w\n%s may have strict naming, which accepts no directories and only versions X.Y.Z; relaxed naming accepts what GitLab does", err, k.target)
	}
	return advise(err, k.target.String())
}
