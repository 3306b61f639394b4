package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"granary/internal/blob"
)

// Damage is what is damaged or missing of a journal. A new base mends it, as long as the
// database is there.
type Damage struct {
	What  []string // in words, one for each note
	Packs []string // digests of the packs among them
}

// Found reports whether something is damaged or missing.
func (d Damage) Found() bool { return len(d.What) > 0 }

func (d *Damage) add(what string) { d.What = append(d.What, what) }

func (d *Damage) addPack(digest, what string) {
	d.Packs = append(d.Packs, digest)
	d.add("the pack " + digest + " " + what)
}

// Look looks whether the notes are there that the head of a journal needs, and whether each
// delta follows the one before. It lists the notes, and reads the begin of the newest base and
// of each delta after it. A store without a journal has no damage. A store that does not
// answer is an error.
func Look(ctx context.Context, from Notes, identity string) (Damage, error) {
	return inspect(ctx, from, identity, nil)
}

// Verify is Look that reads the newest base, the deltas after it and all packs whole, and looks
// whether a pack has each small body that they name and the database has. It needs 30 bytes for
// each blob, and 32 MiB.
func Verify(ctx context.Context, from Notes, identity string, database Keeper) (Damage, error) {
	return inspect(ctx, from, identity, database)
}

// inspect inspects again if a server wrote a base meanwhile: it may have replaced what was
// missing, and its packs are others.
func inspect(ctx context.Context, from Notes, identity string, database Keeper) (d Damage, err error) {
	for range 3 {
		i := &inspection{from: from, identity: identity, database: database}
		if err := i.run(ctx); err != nil || !i.damage.Found() {
			return Damage{}, err
		}
		d = i.damage
		if now, err := ReadHead(ctx, from); err != nil || now.At.Equal(i.head.At) {
			break
		}
	}
	return d, ctx.Err()
}

// inspection is one look at a journal.
type inspection struct {
	from     Notes
	identity string
	database Keeper // nil: nothing is read whole
	head     Head
	damage   Damage

	packed *Known // bodies in packs that are whole
	unique int    // how many they were, when each was last kept once
	named  *Known // bodies that files name, and no pack has
}

func (i *inspection) run(ctx context.Context) error {
	there, err := i.readHead(ctx)
	if err != nil {
		return err
	}
	var f Found
	_, deltas, err := f.list(ctx, i.from)
	switch {
	case err != nil:
		return err
	case !there && !i.damage.Found() && len(deltas) > 0: // a base alone is one that is being written
		i.damage.add("the note " + headName + " is missing")
	}
	if !there {
		return nil // without it nothing says what is needed
	}
	if err := i.packs(ctx, f.Packs); err != nil {
		return err
	}
	return i.files(ctx, deltas)
}

// readHead reports whether there is a head.
func (i *inspection) readHead(ctx context.Context) (there bool, err error) {
	i.head, err = ReadHead(ctx, i.from)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return false, nil
	case errors.Is(err, ErrDamaged):
		i.damage.add(err.Error())
		return false, nil
	case err == nil && i.head.Identity != i.identity:
		i.damage.add(otherStore(headName, i.head.Identity, i.identity).Error())
		return false, nil
	}
	return err == nil, err
}

// packs looks for the packs that the head names. To verify, it reads these and those of
// deltas.
func (i *inspection) packs(ctx context.Context, there []Pack) error {
	for _, digest := range i.head.Packs {
		if !slices.ContainsFunc(there, func(p Pack) bool { return p.Digest.String() == digest }) {
			i.damage.addPack(digest, "is missing")
		}
	}
	if i.database == nil {
		return nil
	}
	i.packed = NewKnown()
	for _, pack := range there {
		_, pack.Retired = i.head.Retired[packName(pack.Digest)]
		if err := i.pack(ctx, pack); err != nil {
			return err
		}
	}
	return nil
}

// pack reads a pack. Its bodies count only if all of it is whole. A retired one may be damaged.
func (i *inspection) pack(ctx context.Context, pack Pack) error {
	note, err := pack.Open()
	var index []PackEntry
	if err == nil {
		err = ReadPack(note, pack.Digest, func(d blob.Digest, body []byte) error {
			index = append(index, PackEntry{Digest: d, Size: int64(len(body))})
			return ctx.Err()
		})
		err = errors.Join(err, note.Close())
	}
	switch {
	case err == nil:
		for _, e := range index {
			i.packed.Add(e.Digest, e.Size, 1)
		}
		i.compact()
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case pack.Retired && (errors.Is(err, ErrPack) || errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrUnreadable)):
		return nil
	case errors.Is(err, blob.ErrNotFound):
		i.damage.addPack(pack.Digest.String(), "is missing")
		return nil
	case errors.Is(err, ErrPack), errors.Is(err, blob.ErrUnreadable):
		i.damage.addPack(pack.Digest.String(), "is damaged: "+err.Error())
		return nil
	}
	return fmt.Errorf("the note %s: %w", packName(pack.Digest), err)
}

// compact keeps each body once: a pack in the place of a retired one has the same bodies.
func (i *inspection) compact() {
	if i.packed.Len() > i.unique+i.unique/4+1000 {
		i.packed.Compact()
		i.unique = i.packed.Len()
	}
}

// files reads the base and the deltas after it.
func (i *inspection) files(ctx context.Context, deltas []blob.NoteInfo) error {
	how := headerOnly
	if i.database != nil {
		i.named, how = NewKnown(), i.names
	}
	if _, _, err := read(ctx, i.from, baseName(i.head.Base), i.identity, how); isUnread(err) || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	} else if err != nil {
		i.damage.add(lost("the base", baseName(i.head.Base), err))
	}
	follows := Found{To: i.head.Base}
	if err := follows.follow(ctx, i.from, deltas, i.identity, how); err != nil {
		return err
	}
	i.damage.What = append(i.damage.What, follows.Damaged...)
	if i.database == nil {
		return nil
	}
	return i.bodies(ctx)
}

// lost says that a note is missing, or what is wrong with it.
func lost(what, name string, err error) string {
	if errors.Is(err, blob.ErrNotFound) {
		return what + " " + name + " is missing"
	}
	return err.Error()
}

// names reads a file to its end, and notes the bodies that it names and no pack has.
func (i *inspection) names(ctx context.Context, r *Reader) error {
	return EachBlob(r, func(b BlobRow) error {
		if b.Files > 0 && b.Size <= MaxBody {
			if _, has := i.packed.Has(b.Digest, b.Size); !has {
				i.named.Add(b.Digest, b.Size, 1)
			}
		}
		return ctx.Err()
	})
}

// bodies counts the bodies in the database that files name, and no pack has.
func (i *inspection) bodies(ctx context.Context) error {
	count := 0
	err := eachSmall(ctx, i.database, func(row BlobRow) error {
		if _, named := i.named.Has(row.Digest, row.Size); named && row.Files > 0 {
			count++
		}
		return nil
	})
	if err == nil && count > 0 {
		i.damage.add(fmt.Sprintf("%d bodies of small files are in no pack that is whole", count))
	}
	return err
}

// headerOnly reads no more than the header of a file.
func headerOnly(context.Context, *Reader) error { return nil }

// toTheEnd reads a file to its end.
func toTheEnd(ctx context.Context, r *Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch _, err := r.Next(); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}
