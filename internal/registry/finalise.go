package registry

import (
	"context"
	"crypto/sha256"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/proof"
)

// Final is what a version becomes.
type Final struct {
	Manifest Digest
	Status   Status
	Event    audit.Event
}

// Judge decides whether a version with these files may become final.
type Judge func(v PackageVersion, files []VersionFile) (Final, error)

// FinaliseOptions is what the caller wants to become final.
type FinaliseOptions struct {
	Manifest *Digest      // of the content; nil for any
	Files    []proof.File // the content; nil for any
	Status   *Status      // StatusDefault or StatusHidden; nil keeps it
	Bad      error        // what is wrong with the options, reported together with wrong names; nil for nothing
}

// FinaliseVersion makes a draft or an open version final: its files never change from now
// on, and its number never means other files. isNew is false if it was final already.
// Absent if there is no such version. Conflict if it has other files than the options
// want, or its number was final with others. Unprocessable if its paths cannot be
// installed together, or it has none or too many.
func (r *Registry) FinaliseVersion(ctx context.Context, a access.Actor, project string, raw Raw, o FinaliseOptions) (v WholeVersion, isNew bool, err error) {
	raw.Whole = true
	p, c, err := r.target(ctx, a, project, raw, access.FinalisePackage, o.Bad)
	if err == nil {
		err = checkProtection(p, a, c.Name)
	}
	if fault.Is(err, fault.Denied) {
		err = r.notFinaliser(a, p, err)
	}
	if err != nil {
		return v, false, err
	}
	judge := r.judgeOf(a, p, o)
	v.PackageVersion, isNew, err = r.Records.FinaliseVersion(ctx, p.ProjectID, c.Name, c.Version, func(k PackageVersion, files []VersionFile) (Final, error) {
		v.Files = files
		return judge(k, files)
	})
	if err != nil {
		return v, false, noVersion(err, c.Name, c.Version)
	}
	v.ProjectPath = p.FullPath
	v.Channels, err = r.channelsOf(ctx, v.PackageVersion)
	return v, isNew, err
}

// notFinaliser is the refusal of an actor that may publish, and not finalise; for others
// err stays.
func (r *Registry) notFinaliser(a access.Actor, p Project, err error) error {
	if !r.may(a, p, access.PublishPackage) || r.may(a, p, access.FinalisePackage) {
		return err
	}
	who := "its maintainers"
	if p.Standing.Finalisers != access.Maintainers {
		who = "its maintainers, with a personal access token,"
	}
	return fault.New(fault.Denied, "the project lets only "+who+" make versions final (generic_package_finalisers)")
}

// judgeOf is the judge of an actor that may finalise versions of the project.
func (r *Registry) judgeOf(a access.Actor, p Project, o FinaliseOptions) Judge {
	return func(v PackageVersion, found []VersionFile) (Final, error) {
		files := make([]proof.File, len(found))
		for i, f := range found {
			files[i] = proof.File{Path: f.Name.Path(), Digest: f.Digest}
		}
		if err := checkFinal(v, files); err != nil {
			return Final{}, err
		}
		final := Final{Manifest: sha256.Sum256(proof.Manifest(files)), Status: v.Status}
		if v.Status == StatusDraft {
			final.Status = v.DraftStatus
		}
		if o.Status != nil {
			final.Status = *o.Status
		}
		if v.FinalAt != nil && final.Status != v.Status {
			return final, conflict(v.words() + " is final, and " + string(v.Status) + "; PATCH changes its status")
		}
		now := r.Now()
		final.Event = audit.New(a, audit.PackageFinalised, now, p.entity()).To("Package", v.ID, v.title()).
			With("manifest_sha256", "", final.Manifest.String())
		return final, o.expect(v, final.Manifest, files)
	}
}

// checkFinal refuses files that cannot be the content of a final version.
func checkFinal(v PackageVersion, files []proof.File) error {
	if len(files) == 0 {
		return fault.New(fault.Unprocessable, "422 Unprocessable Entity - "+v.words()+" has no file")
	}
	if err := proof.Check(files); err != nil {
		return fault.New(fault.Unprocessable, "422 Unprocessable Entity - "+v.words()+" cannot be final: "+err.Error())
	}
	return nil
}

// ErrReserved is the refusal to finalise a version whose number was final with another
// content.
func ErrReserved(v PackageVersion) error {
	return conflict(v.words() + " was final with another content; a version number is never used twice")
}
