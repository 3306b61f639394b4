package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"granary/internal/access"
	"granary/internal/blob"
	"granary/internal/fault"
)

// Content is a file to install: its record and its bytes.
type Content struct {
	File
	io.ReadSeekCloser                   // a blob.Planner if many small reads are expensive
	links             blob.Linker       // nil: there are no links
	Selected          *Coordinates      // the exact ones, if the address has a selector; else nil
	failed            func(error) error // turns an error of the store into a fault; nil if the bytes are in memory
}

// Link is a secret URL under which the store serves the content for a while, with this
// type and disposition; "" if it does not.
func (c *Content) Link(ctx context.Context, contentType, disposition string) (string, error) {
	if c.links == nil {
		return "", nil
	}
	link, err := c.links.Link(ctx, c.Digest, contentType, disposition)
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "", err)
	}
	return link, nil
}

// Open finds the newest file of a name and opens its bytes. The caller closes them. The
// version may be a selector. Absent if it selects no version, or one without the file.
// refused is why the credentials were refused, nil if they were not: wrong names are
// reported first (contract generic-packages 0.5).
func (r *Registry) Open(ctx context.Context, a access.Actor, project string, raw Raw, refused error) (*Content, error) {
	at, err := r.reading(ctx, a, project, raw, refused)
	if err != nil {
		return nil, err
	}
	c, err := r.choose(ctx, &at)
	if err != nil {
		return nil, err
	}
	f, small, err := r.Records.FindFile(ctx, at.ProjectID, c)
	for c.Version != at.Version && fault.Is(err, fault.NotFound) {
		chosen := c.Version
		if c, err = r.choose(ctx, &at); err != nil { // the version may be deleted since
			return nil, err
		}
		if c.Version == chosen {
			return nil, missingFile(&at, chosen)
		}
		f, small, err = r.Records.FindFile(ctx, at.ProjectID, c)
	}
	content, err := r.content(ctx, origin{at.FullPath, string(c.Name), string(c.Version)}, f, small, err)
	if err == nil && content.Final {
		content.Public = r.public(at.Project)
	}
	if err == nil && c.Version != at.Version {
		selected := c // a copy, so that others do not allocate one
		content.Selected = &selected
	}
	return content, err
}

// choose makes the exact coordinates of those that may have a selector. Absent if it
// selects no version.
func (r *Registry) choose(ctx context.Context, at *readAt) (Coordinates, error) {
	c := at.Coordinates
	if at.selector == nil {
		return c, nil
	}
	chosen, err := r.Records.ChooseVersion(ctx, at.ProjectID, c.Name, c.Version, *at.selector)
	if err != nil {
		return c, r.notChosen(ctx, at, err)
	}
	c.Version = chosen
	return c, nil
}

// content opens the bytes of a file that was looked up with this outcome, unless the
// database returned them.
func (r *Registry) content(ctx context.Context, from origin, f File, small []byte, err error) (*Content, error) {
	if err == nil && small != nil {
		return &Content{File: f, ReadSeekCloser: inMemory{bytes.NewReader(small)}}, nil
	}
	failed := func(err error) error { return r.unreadable(ctx, from, f, err) }
	if err != nil {
		return nil, failed(err)
	}
	body, err := r.openStored(ctx, f.Digest)
	if err != nil {
		return nil, failed(err)
	}
	if err := checkSize(body, f); err != nil {
		return nil, failed(errors.Join(err, body.Close()))
	}
	return &Content{File: f, ReadSeekCloser: watched(body, f, failed), links: r.Links, failed: failed}, nil
}

// checkSize returns a *blob.DamageError if the store cut a blob short, before the
// response begins. It reads nothing.
func checkSize(body io.Seeker, f File) error {
	size, err := body.Seek(0, io.SeekEnd)
	if err == nil && size != f.Size {
		err = &blob.DamageError{Damage: blob.OtherSize, Reason: fmt.Sprintf("blob %s has %d bytes in the store, not %d", f.Digest, size, f.Size)}
	}
	if err == nil {
		_, err = body.Seek(0, io.SeekStart)
	}
	return err
}

// inMemory is a blob from the database.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }
