package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	mostNoteName = 900 // bytes of a name; 1024 are the most that S3 takes, with the store's prefix
	mostNotePart = 200 // bytes of a part, which is the name of a file
)

// CheckNoteName refuses what cannot be the name of a note. A name is at most 900 bytes:
// parts of 1 to 200 of the bytes a-z, 0-9, '.', '_' and '-', with a slash between two of
// them. No part is "." or "..". The first one is not what else is beside the notes: not
// two hexadecimal digits, "tmp" or "damaged". No part is the name of a file of a server's data
// directory, which may be in the folder of a store: its key must never be taken for a note
// and be copied to another store.
func CheckNoteName(name string) error {
	refuse := func(why string) error {
		return fmt.Errorf("blob: %.100q is no name of a note: %s", name, why)
	}
	if len(name) > mostNoteName {
		return refuse(fmt.Sprintf("it has %d bytes, at most %d are possible", len(name), mostNoteName))
	}
	first, _, _ := strings.Cut(name, "/")
	if isFolderOfBlobs(first) || first == "tmp" || first == "damaged" {
		return refuse(fmt.Sprintf("%q is kept for blobs", first))
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == "." || part == "..":
			return refuse("a part between slashes is empty, . or ..")
		case len(part) > mostNotePart:
			return refuse(fmt.Sprintf("a part between slashes has %d bytes, at most %d are possible", len(part), mostNotePart))
		case strings.HasPrefix(part, "granary."), part == "encryption_key", part == "initial_root_token":
			return refuse(fmt.Sprintf("%q is a file of the data directory", part))
		case strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "":
			return refuse("only a-z, 0-9 and the characters . _ - / are possible")
		}
	}
	return nil
}

// isFolderOfBlobs reports whether blobs are kept below the part.
func isFolderOfBlobs(part string) bool {
	return len(part) == 2 && strings.Trim(part, "0123456789abcdef") == ""
}

// WriteNote writes to w the body of a note, for the PutNote of a store. A body that has
// not exactly size bytes is an ErrBody; some of it may have been written then.
func WriteNote(ctx context.Context, w io.Writer, body io.Reader, size int64) error {
	if size < 0 {
		return fmt.Errorf("%w: a note cannot have %d bytes", ErrBody, size)
	}
	src := &source{body: body, l: Limits{Length: size}}
	buf := make([]byte, min(size+1, 256<<10))
	for {
		n, end := src.fill(ctx, buf)
		if end != nil && end != io.EOF {
			return end
		}
		if _, err := w.Write(buf[:n]); err != nil || end == io.EOF {
			return err
		}
	}
}

// CopyNotes puts the notes of a source whose names are wanted into a store, in place of
// those that are there, in the order of their names. It may be interrupted at any
// time and done again. A note that is deleted from the source meanwhile is skipped. One that
// is an ErrUnreadable, or a folder of them, is told, and does not stop the others.
func CopyNotes(ctx context.Context, to Notes, from Source, wanted func(name string) bool, unread func(name string, err error)) error {
	for info, err := range from.Notes(ctx, "") {
		if errors.Is(err, ErrUnreadable) {
			if wanted(info.Name) {
				unread(info.Name, err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("blob: listing the notes of the source: %w", err)
		}
		if info.Empty || !wanted(info.Name) {
			continue
		}
		err = copyNote(ctx, to, from, info)
		if u, is := errors.AsType[*UnreadableError](err); is {
			unread(info.Name, u)
			continue
		}
		if err != nil {
			return fmt.Errorf("blob: copying the note %s: %w", info.Name, err)
		}
	}
	return nil
}

// copyNote tries again if the note has another size than was listed: a server on the
// source has replaced it since.
func copyNote(ctx context.Context, to Notes, from Source, info NoteInfo) (err error) {
	for range 5 {
		if err = putFrom(ctx, to, from, info); !errors.Is(err, ErrBody) {
			break
		}
		for now, err := range from.Notes(ctx, info.Name) {
			if err != nil {
				return err
			}
			if now.Name == info.Name {
				info = now
			}
			break // it is the first of those that begin so
		}
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func putFrom(ctx context.Context, to Notes, from Source, info NoteInfo) error {
	r, err := from.Note(ctx, info.Name)
	if err != nil {
		return err
	}
	return errors.Join(to.PutNote(ctx, info.Name, r, info.Size), r.Close())
}
