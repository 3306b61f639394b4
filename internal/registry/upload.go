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
	"granary/internal/gate"
	"granary/internal/naming"
	"granary/internal/page"
)

// Upload is a file beside the packages, which release notes and links point at
// (contract rest-api G4). Its bytes never change.
type Upload struct {
	ID        int64
	ProjectID int64
	Secret    string // 32 hexadecimal digits of its address
	Name      FileName
	Size      int64 // bytes
	Digest    blob.Digest
	Small     []byte // the bytes themselves, where the database keeps them; else nil
	CreatorID int64
	CreatedAt time.Time
}

// Uploads keeps the records of uploads. Each method is one transaction, and
// durable when it returns.
type Uploads interface {
	// AddUpload fails with Full where the project has as many as the limit, and
	// with Hidden where it is gone.
	AddUpload(ctx context.Context, u Upload, most fault.Limit, e audit.Event) (Upload, error)
	// FindUpload returns NotFound where there is none; with the upload, a
	// *blob.DamageError where the bytes are not those of its digest.
	FindUpload(ctx context.Context, at UploadAddress) (Upload, error)
	// ListUploads returns a project's, the newest first, without their bytes.
	ListUploads(ctx context.Context, projectID int64, p page.Request) (page.Of[ListedUpload], error)
	// RemoveUpload removes the record, NotFound where there is none, and records the
	// event with the upload as its target. The bytes are left to the sweep.
	RemoveUpload(ctx context.Context, at UploadAddress, e audit.Event) error
}

// Upload keeps a file. next is called once the actor is let in, and returns
// what the sender calls the file, and its bytes; s is asked again if they are slow.
// When Upload returns without error they and the record are durable.
func (r *Registry) Upload(ctx context.Context, a access.Actor, project string, s Sender, next func() (name string, body io.Reader, err error)) (Upload, error) {
	p, err := r.allowUpload(ctx, a, project, access.UploadFile)
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
	defer func() { _ = received.Abort() }() // nothing of it is visible either way
	a, p, err = r.again(ctx, s, began, a, p, func(a access.Actor) (Place, error) {
		return r.allowUpload(ctx, a, project, access.UploadFile)
	})
	if err != nil {
		return Upload{}, err
	}
	if err := r.store(ctx, received); err != nil {
		return Upload{}, err
	}
	now := r.Now()
	return r.Uploads.AddUpload(ctx, Upload{
		ProjectID: p.ProjectID, Secret: newUploadSecret(), Name: naming.SafeFile(name),
		Size: received.Size, Digest: received.Digest, Small: received.Small, CreatorID: a.UserID, CreatedAt: now,
	}, r.limits().Uploads, audit.New(a, audit.UploadCreated, now, p.entity()))
}

// OpenUpload finds an upload by its address and opens its bytes. Who knows the
// secret must still be able to see the project. The caller closes the content.
func (r *Registry) OpenUpload(ctx context.Context, a access.Actor, project, secret, name string) (*Content, error) {
	p, err := r.allowUpload(ctx, a, project, access.ReadUploads)
	if err != nil {
		return nil, err
	}
	content, err := r.openUpload(ctx, p, UploadAddress{ProjectID: p.ProjectID, Secret: secret, Name: FileName(name)})
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Wrap(fault.Absent, "", err)
	}
	return content, err
}

func (r *Registry) openUpload(ctx context.Context, p Place, at UploadAddress) (*Content, error) {
	u, err := r.Uploads.FindUpload(ctx, at)
	f := File{ID: u.ID, ProjectID: u.ProjectID, Name: u.Name, Size: u.Size, Digest: u.Digest, Status: StatusDefault, CreatedAt: u.CreatedAt}
	return r.content(ctx, origin{project: p.FullPath}, f, u.Small, err)
}

// allowUpload is the gate of these deeds: that of packages without their flag,
// for an upload is none.
func (r *Registry) allowUpload(ctx context.Context, a access.Actor, project string, action access.Action) (Place, error) {
	if err := gate.Token(a, action, "Project"); err != nil {
		return Place{}, err
	}
	p, err := r.place(ctx, a, project)
	if fault.Is(err, fault.Hidden) {
		return Place{}, fault.New(fault.Hidden, "Project")
	}
	if err != nil {
		return Place{}, err
	}
	return p, gate.CheckProject(r.Rules, a, p.Standing, action, p.Path)
}

// newUploadSecret is 128 random bits, so that an address cannot be guessed.
func newUploadSecret() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
