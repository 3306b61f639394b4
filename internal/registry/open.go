package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"granary/internal/access"
	"granary/internal/blob"
	"granary/internal/fault"
)

// Content is a file to install: its record and its bytes.
type Content struct {
	File
	io.ReadSeekCloser
}

// Open finds the newest file at the coordinates and opens its bytes. The
// caller closes them.
func (r *Registry) Open(ctx context.Context, a access.Actor, project string, c Coordinates) (*Content, error) {
	p, err := r.allow(ctx, a, project, access.ReadPackages)
	if err != nil {
		return nil, err
	}
	f, small, err := r.Catalog.FindFile(ctx, p.ProjectID, c)
	if err != nil {
		return nil, err
	}
	return r.content(ctx, f, small)
}

// content opens the bytes of a file, unless the database has handed them over.
func (r *Registry) content(ctx context.Context, f File, small []byte) (*Content, error) {
	if small != nil {
		return &Content{f, inMemory{bytes.NewReader(small)}}, nil
	}
	body, err := r.Blobs.Open(ctx, f.Digest)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return nil, fault.Wrap(fault.Absent, "", err)
	case err != nil:
		return nil, fault.Wrap(fault.Unavailable, "", err)
	}
	return &Content{f, body}, nil
}

// inMemory is the bytes of a blob that the database keeps.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// downloads gathers when packages were last downloaded, so that no download
// writes.
type downloads struct {
	mu sync.Mutex
	at map[int64]time.Time
}

// Downloaded notes that the file was downloaded now.
func (r *Registry) Downloaded(f File) {
	d := &r.downloads
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at == nil {
		d.at = map[int64]time.Time{}
	}
	d.at[f.PackageID] = r.Now()
}

// Flush records when packages were last downloaded. The server calls it now
// and then; what it has not recorded yet is lost in a crash.
func (r *Registry) Flush(ctx context.Context) error {
	r.downloads.mu.Lock()
	at := r.downloads.at
	r.downloads.at = nil
	r.downloads.mu.Unlock()
	if len(at) == 0 {
		return nil
	}
	return r.Ledger.TouchDownloads(ctx, at)
}
