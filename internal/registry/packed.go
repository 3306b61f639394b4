package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"time"

	"granary/internal/archive"
	"granary/internal/blob"
	"granary/internal/proof"
)

// Manifest is the text that names the version's files (proof.Manifest).
func (v WholeVersion) Manifest() []byte {
	files := make([]proof.File, len(v.Files))
	for i, f := range v.Files {
		files[i] = proof.File{Path: f.Name.Path(), Digest: f.Digest}
	}
	return proof.Manifest(files)
}

// Changed is the time of the version's newest file, or when it became final.
func (v WholeVersion) Changed() (newest time.Time) {
	if v.FinalAt != nil {
		return *v.FinalAt
	}
	for _, f := range v.Files {
		if f.CreatedAt.After(newest) {
			newest = f.CreatedAt
		}
	}
	return newest
}

// Entries are the version's files as those of an archive.
func (v WholeVersion) Entries() []archive.Entry {
	entries := make([]archive.Entry, len(v.Files))
	changed := v.Changed()
	for i, f := range v.Files {
		entries[i] = archive.Entry{Path: f.Name.Path(), Size: f.Size, CRC32: f.CRC32, Changed: changed}
	}
	return entries
}

// OpenEach opens the files of a version as an archive reads them. They are those that
// FindVersion found: if one of them is deleted meanwhile, its bytes stay for the grace
// period. verify compares all bytes of a file with its digest; otherwise large files of a
// disk store are not compared.
func (r *Registry) OpenEach(ctx context.Context, v WholeVersion, verify bool) archive.Opener {
	from := origin{v.ProjectPath, string(v.Name), string(v.Version)}
	return func(i int) (io.ReadSeekCloser, error) {
		of := v.Files[i]
		f := File{ID: of.ID, PackageID: v.ID, ProjectID: v.ProjectID, Name: of.Name, Size: of.Size, Digest: of.Digest}
		failed := func(err error) error { return r.unreadable(ctx, from, f, err) }
		if of.Small {
			small, err := r.Records.FindContent(ctx, f.Digest)
			if err != nil {
				return nil, failed(err)
			}
			return inMemory{bytes.NewReader(small)}, nil
		}
		body, err := r.openStored(ctx, f.Digest)
		if err != nil {
			return nil, failed(err)
		}
		if err := checkSize(body, f); err != nil {
			return nil, failed(errors.Join(err, body.Close()))
		}
		if f.Size <= checkedFirst {
			small := &Content{File: f, ReadSeekCloser: body, failed: failed}
			if err := small.Check(); err != nil {
				return nil, errors.Join(err, body.Close())
			}
			return small.ReadSeekCloser, nil
		}
		if verify {
			return &watchedBody{ReadSeekCloser: body, f: f, failed: failed, sum: sha256.New()}, nil
		}
		return watched(body, f, failed), nil
	}
}

// Sum computes the CRC-32 of the files that have none on record, since an older server
// published them, and records it. It reads each of these files once, to its end.
func (r *Registry) Sum(ctx context.Context, v WholeVersion) error {
	entries := v.Entries()
	open := r.OpenEach(ctx, v, true)
	for i := range v.Files {
		f := &v.Files[i]
		if f.Summed {
			continue
		}
		crc, err := archive.CRC32(&entries[i], i, open)
		if err == nil {
			err = r.Records.KeepCRC32(ctx, f.Digest, crc)
		}
		if err != nil {
			return err
		}
		f.CRC32, f.Summed = crc, true
	}
	return nil
}

// PackedDigest names the bytes of a kind of archive, such as "tar": they follow from the
// manifest and the time.
func (v WholeVersion) PackedDigest(kind string) Digest {
	text := append([]byte("granary "+kind+" "+v.Changed().UTC().Format(time.RFC3339)+"\n"), v.Manifest()...)
	return blob.Digest(sha256.Sum256(text))
}
