package registry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/naming"
)

// Upload is a file that belongs to no package, to which release notes and links point
// (contract rest-api G4). Its bytes never change.
type Upload struct {
	ID        int64
	ProjectID int64
	Secret    string // 32 hexadecimal digits of its address
	Name      FileName
	Size      int64 // bytes
	Digest    blob.Digest
	Small     []byte // the bytes, if the database keeps them; else nil
	CreatorID int64
	CreatedAt time.Time
}

// Upload stores a file. next is called after the actor was checked, and returns the
// file's name and bytes; s is asked again if they are slow. When Upload returns
// without error, bytes and record are durable.
func (r *Registry) Upload(ctx context.Context, a access.Actor, project string, s Sender, next func() (name string, body io.Reader, err error)) (Upload, error) {
	p, err := r.enter(ctx, a, project, access.UploadFile, uploadDoor(false))
	if err != nil {
		return Upload{}, err
	}
	if err := r.checkSpace(); err != nil {
		return Upload{}, err
	}
	began := r.Now()
	name, body, err := next()
	if err != nil {
		return Upload{}, err
	}
	received, err := blob.Receive(ctx, r.Blobs, body, blob.Limits{MaxSize: r.limit(p), Inline: r.InlineMax, Length: -1})
	if err != nil {
		return Upload{}, receiveFault(err, -1, r.limit(p))
	}
	defer func() { _ = received.Abort() }() // even if it fails, nothing is visible
	a, err = r.again(ctx, s, began, a, func(a access.Actor) (err error) {
		p, err = r.enter(ctx, a, project, access.UploadFile, uploadDoor(false))
		return err
	})
	if err != nil {
		return Upload{}, err
	}
	if err := r.store(ctx, received); err != nil {
		return Upload{}, err
	}
	now := r.Now()
	return r.Records.AddUpload(ctx, Upload{
		ProjectID: p.ProjectID, Secret: newUploadSecret(), Name: naming.SafeFile(name),
		Size: received.Size, Digest: received.Digest, Small: received.Small, CreatorID: a.UserID, CreatedAt: now,
	}, r.limits().Uploads, audit.New(a, audit.UploadCreated, now, p.entity()))
}

// OpenUpload finds an upload by its address and opens its bytes. The actor must know
// the secret and be able to see the project. The caller closes the content.
func (r *Registry) OpenUpload(ctx context.Context, a access.Actor, project, secret, name string) (*Content, error) {
	p, err := r.enter(ctx, a, project, access.ReadUploads, uploadDoor(false))
	if err != nil {
		return nil, err
	}
	content, err := r.openUpload(ctx, p, UploadAddress{ProjectID: p.ProjectID, Secret: secret, Name: FileName(name)})
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Wrap(fault.Absent, "", err)
	}
	return content, err
}

func (r *Registry) openUpload(ctx context.Context, p Project, at UploadAddress) (*Content, error) {
	u, err := r.Records.FindUpload(ctx, at)
	f := File{ID: u.ID, ProjectID: u.ProjectID, Name: u.Name, Size: u.Size, Digest: u.Digest, Status: StatusDefault, CreatedAt: u.CreatedAt}
	return r.content(ctx, origin{project: p.FullPath}, f, u.Small, err)
}

// newUploadSecret is 128 random bits, so that an address cannot be guessed.
func newUploadSecret() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
