package registry

import (
	"context"
	"crypto/sha256"

	"granary/internal/access"
	"granary/internal/proof"
)

// contentOf is the digest of the content with which an open version or a draft would become
// final, for an actor that may make it so; nil for others, and if it has no file or too many.
func (r *Registry) contentOf(ctx context.Context, a access.Actor, place Project, v *VersionFacts) (*Digest, error) {
	if v.FinalAt != nil || v.Files == 0 || !v.MayPublish || !r.may(a, place, access.FinalisePackage) {
		return nil, nil //nolint:nilnil // there is none to tell
	}
	var files []proof.File
	known := map[string]bool{}
	for _, f := range v.Page {
		files, known[f.Name.Path()] = append(files, proof.File{Path: f.Name.Path(), Digest: f.Digest}), true
	}
	text := proof.Manifest(files)
	if len(known) != v.Files { // there are more pages, or a file was published twice
		whole := WholeVersion{PackageVersion: v.PackageVersion}
		var err error
		if whole.Files, err = r.Records.VersionFiles(ctx, v.ID, VersionFilesMost+1); err != nil || whole.checkCount() != nil {
			return nil, err
		}
		text = whole.Manifest()
	}
	digest := Digest(sha256.Sum256(text))
	return &digest, nil
}
