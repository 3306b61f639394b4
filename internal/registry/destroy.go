package registry

import (
	"context"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
)

// Removed is what is removed, by which user and when.
type Removed struct {
	ProjectID, PackageID int64
	UserID               int64 // 0 for a deploy token
	Now                  time.Time
}

// DeletePackage removes a package with its files; a draft, if the actor may publish.
// Precondition if it changed after unmodified, compared to the second, or exactly if that
// has a fraction of a second (see Package.Shown); nil skips the check.
func (r *Registry) DeletePackage(ctx context.Context, a access.Actor, project string, id int64, unmodified *time.Time) error {
	place, err := r.enter(ctx, a, project, access.DestroyPackage, apiDoor())
	if !fault.Is(err, fault.Denied) {
		if err == nil {
			err = r.remove(ctx, a, place, id, unmodified, nil)
		}
		return err
	}
	place, other := r.enter(ctx, a, project, access.PublishPackage, apiDoor())
	if other != nil {
		return err
	}
	if other = r.remove(ctx, a, place, id, unmodified, err); fault.Is(other, fault.NotFound) {
		return err
	}
	return other
}

// remove removes a package. denied is the refusal if it is no draft; nil if it may go.
func (r *Registry) remove(ctx context.Context, a access.Actor, place Project, id int64, unmodified *time.Time, denied error) error {
	now := r.Now()
	return r.Records.RemovePackage(ctx, Removed{place.ProjectID, id, a.UserID, now}, func(p Package) (audit.Event, error) {
		done := audit.New(a, audit.PackageDeleted, now, place.entity()).To("Package", p.ID, p.title())
		switch {
		case p.Status == StatusDraft && !r.sees(a, place, p, false):
			return done, fault.New(fault.NotFound, "")
		case p.Status == StatusDraft:
			done.Name = audit.DraftDiscarded
			return done, checkProtection(place, a, p.Name)
		case denied != nil:
			return done, denied
		}
		return done, checkRemoval(place, a, p, p.UpdatedAt, unmodified)
	})
}

// DeletePackageFile removes a file; the package stays. Absent if there is no such file
// or package. unmodified is as for DeletePackage.
func (r *Registry) DeletePackageFile(ctx context.Context, a access.Actor, project string, id, fileID int64, unmodified *time.Time) error {
	place, err := r.enter(ctx, a, project, access.DestroyPackage, apiDoor())
	if err != nil {
		return err
	}
	now := r.Now()
	err = r.Records.RemoveFile(ctx, Removed{place.ProjectID, id, a.UserID, now}, fileID, func(p Package, f File) (audit.Event, error) {
		done := audit.New(a, audit.PackageFileDeleted, now, place.entity()).To("PackageFile", f.ID, p.title()+"/"+string(f.Name))
		switch {
		case p.Status == StatusDraft && !r.sees(a, place, p, false):
			return done, fault.New(fault.NotFound, "")
		case p.FinalAt != nil:
			return done, fault.New(fault.Denied, p.words()+" is final; delete the version")
		}
		return done, checkRemoval(place, a, p, f.CreatedAt, unmodified)
	})
	if fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.Absent, "", err)
	}
	return err
}

func checkRemoval(place Project, a access.Actor, p Package, changed time.Time, unmodified *time.Time) error {
	if unmodified != nil && unmodified.Nanosecond() == 0 { // a date of HTTP
		changed = changed.Truncate(time.Second)
	}
	if unmodified != nil && changed.After(*unmodified) {
		return fault.New(fault.Precondition, "")
	}
	for _, rule := range place.Protections {
		if rule.Delete > access.NoRole && rule.matches(p.Name) && !a.Admin && place.Standing.Role < rule.Delete {
			return fault.New(fault.Denied, "Package is deletion protected.")
		}
	}
	return nil
}
