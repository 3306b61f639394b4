package registry

import (
	"context"
	"crypto/sha256"

	"granary/internal/access"
	"granary/internal/page"
	"granary/internal/proof"
)

// filesOf reads a page of the files of a version, and the digest of its content if the
// actor may make it final. One query does for both, unless more files were published to
// the version than it may have.
func (r *Registry) filesOf(ctx context.Context, a access.Actor, place Project, v *VersionFacts, p page.Request) (err error) {
	open := v.FinalAt == nil && v.Files > 0 && v.MayPublish && r.may(a, place, access.FinalisePackage)
	if !open || v.Files > VersionFilesMost {
		if v.Page, err = r.Records.PageOfFiles(ctx, v.ID, p); err == nil && open {
			v.Content, err = r.contentOf(ctx, v.PackageVersion)
		}
		return err
	}
	all := p
	all.Number, all.Size = 1, VersionFilesMost
	files, err := r.Records.PageOfFiles(ctx, v.ID, all)
	if err != nil {
		return err
	}
	first := min(p.Offset(), len(files))
	v.Page, v.Content = files[first:min(first+p.Size, len(files))], contentOfFiles(files)
	return nil
}

// contentOfFiles is the digest of the newest files of each path that can be installed; nil
// if there are none.
func contentOfFiles(files []File) *Digest {
	newest := map[FileName]File{}
	for _, f := range files {
		if f.Status == StatusDefault && f.ID > newest[f.Name].ID {
			newest[f.Name] = f
		}
	}
	if len(newest) == 0 {
		return nil
	}
	content := make([]proof.File, 0, len(newest))
	for name, f := range newest {
		content = append(content, proof.File{Path: name.Path(), Digest: f.Digest})
	}
	digest := Digest(sha256.Sum256(proof.Manifest(content)))
	return &digest
}

// contentOf is the digest of the content of a version; nil if it has too many files.
func (r *Registry) contentOf(ctx context.Context, v PackageVersion) (*Digest, error) {
	whole := WholeVersion{PackageVersion: v}
	var err error
	if whole.Files, err = r.Records.VersionFiles(ctx, v.ID, VersionFilesMost+1); err != nil || whole.checkCount() != nil {
		return nil, err
	}
	digest := Digest(sha256.Sum256(whole.Manifest()))
	return &digest, nil
}
