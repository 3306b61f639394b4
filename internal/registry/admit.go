package registry

import (
	"context"
	"io"
	"time"

	"granary/internal/access"
	"granary/internal/blob"
	"granary/internal/fault"
)

// ticket is what a publish was admitted with. A publish is admitted before its bytes are
// read, and finish decides for good.
type ticket struct {
	Project
	Coordinates
	PublishOptions
	ref        string // of the project, as the caller named it
	into       Into
	unreleased ReleaseTags // as in Publication
	known      *knownFile  // whose bytes these must be; nil for a new file
	at         time.Time
}

// knownFile is a file on record that the bytes must be those of: of a final version, or
// lost bytes that come again.
type knownFile struct {
	File
	damage blob.Damage // "" if the bytes are there
	inline int64       // blob.Limits.Inline for its bytes: they go where they were
	other  error       // the refusal of other bytes
}

// admit checks what can be checked before the body is read.
func (r *Registry) admit(ctx context.Context, a access.Actor, project string, raw Raw, o PublishOptions) (ticket, error) {
	t := ticket{ref: project, PublishOptions: o, at: r.Now()}
	var err error
	if t.Project, t.Coordinates, err = r.target(ctx, a, project, raw, access.PublishPackage, o.Bad); err != nil {
		return t, err
	}
	if err := checkProtection(t.Project, a, t.Name); err != nil {
		return t, err
	}
	if err := r.checkSpace(); err != nil {
		return t, err
	}
	if limit := r.limit(t.Project); limit > 0 && o.Length > limit {
		return t, tooLarge(o.Length, limit)
	}
	if err := r.chooseInto(ctx, a, &t); err != nil {
		return t, err
	}
	if settled, err := r.admitNumber(ctx, &t); settled || err != nil {
		return t, err
	}
	err = r.admitFile(ctx, &t)
	return t, err
}

// admitNumber refuses a large body for a version that does not take it, and judges the
// condition of a file in a draft. AddFile does both for small bodies, without a query more.
// It reports whether nothing is left to check.
func (r *Registry) admitNumber(ctx context.Context, t *ticket) (settled bool, err error) {
	large := t.Length < 0 || t.Length > r.InlineMax
	if !large && (t.into != IntoEither || t.If == nil) {
		return t.into == IntoDraft, nil
	}
	n, err := r.Records.FindNumber(ctx, t.ProjectID, t.Coordinates)
	if err != nil {
		return true, err
	}
	there, err := n.Admit(t.Coordinates, t.into, t.Digest, t.Length)
	switch {
	case err != nil:
		return true, err
	case there != nil:
		return true, r.admitKnown(ctx, t, *there)
	case t.into == IntoOpen || n.Package != nil && n.Package.Status != StatusDraft:
		return false, nil
	case n.File == nil:
		return true, t.If.Judge(nil)
	}
	return true, t.If.Judge(&n.File.Digest)
}

// admitKnown lets the bytes of a file of a final version come again. If the store lost
// them, they are stored; else they are only compared.
func (r *Registry) admitKnown(ctx context.Context, t *ticket, f File) error {
	_, small, err := r.Records.FindFile(ctx, t.ProjectID, t.Coordinates)
	damage := damageOf(err)
	if err != nil && damage == "" && !fault.Is(err, fault.NotFound) {
		return err
	}
	kept := small != nil || fault.Is(err, fault.NotFound) // else the store has its bytes
	t.known = r.known(ctx, f, damage, kept, isFinal(t.Coordinates))
	return t.If.Judge(&f.Digest)
}

// known is a file whose bytes may come again. damage is what the look-up of it said, and
// kept says that the store need not be asked.
func (r *Registry) known(ctx context.Context, f File, damage blob.Damage, kept bool, other error) *knownFile {
	k := &knownFile{File: f, damage: damage, other: other}
	switch {
	case damage != "":
		k.inline = max(r.InlineMax, f.Size)
	case !kept:
		k.damage = r.damage(ctx, f)
	}
	return k
}

// admitFile refuses a second file of a name, and one whose condition does not hold.
// AddFile decides; this check spares the upload. A condition is evaluated last: it counts
// only if the request would succeed without it (RFC 9110 13.2.1).
func (r *Registry) admitFile(ctx context.Context, t *ticket) error {
	single := !t.Duplicates.Permits(t.Coordinates)
	if !single && t.If == nil {
		return nil
	}
	f, small, err := r.Records.FindFile(ctx, t.ProjectID, t.Coordinates)
	damage := damageOf(err)
	switch {
	case fault.Is(err, fault.NotFound):
		return t.If.Judge(nil)
	case err != nil && damage == "":
		return err
	case f.Final && !f.may(t.Digest, t.Length):
		return isFinal(t.Coordinates)
	case f.Final:
		return nil // AddFile compares
	case !single:
		return t.If.Judge(&f.Digest)
	case t.Digest != nil && *t.Digest != f.Digest:
		return ErrDuplicate()
	}
	known := r.known(ctx, f, damage, small != nil, ErrDuplicate())
	if known.damage == "" {
		return ErrDuplicate()
	}
	t.known = known
	return t.If.Judge(&f.Digest)
}

// receive reads the body. Bytes that are there already are only hashed.
func (r *Registry) receive(ctx context.Context, t ticket, body io.Reader) (*blob.Received, error) {
	limits := blob.Limits{MaxSize: r.limit(t.Project), Inline: r.InlineMax, Length: t.Length, Digest: t.Digest, Checksums: t.Checksums}
	switch {
	case t.known == nil:
	case t.known.damage == "":
		return blob.Sum(ctx, body, limits)
	default:
		limits.Inline = t.known.inline // its record says whether they are in the database
		limits.Overwrite = t.known.damage == blob.OtherBytes
	}
	return blob.Receive(ctx, r.Blobs, body, limits)
}
