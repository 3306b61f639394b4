package registry

import (
	"cmp"
	"context"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
)

// OpenDraft opens a file of a draft, for an actor that may publish. The caller closes it.
// Absent if there is no such draft or file, and to all who may not publish. refused is as
// for Open.
func (r *Registry) OpenDraft(ctx context.Context, a access.Actor, project string, raw Raw, refused error) (*Content, error) {
	p, c, err := r.drafting(ctx, a, project, raw, refused)
	if err != nil {
		return nil, err
	}
	n, err := r.Records.FindNumber(ctx, p.ProjectID, c)
	switch {
	case err != nil:
		return nil, err
	case n.Package == nil || n.Package.Status != StatusDraft:
		return nil, noDraft(c)
	case n.File == nil:
		return nil, fault.New(fault.Absent, "404 Not Found - the draft "+words(c.Name, c.Version)+" has no file "+c.File.Path())
	}
	small, err := r.Records.FindContent(ctx, n.File.Digest)
	if fault.Is(err, fault.NotFound) {
		small, err = nil, nil
	}
	return r.content(ctx, origin{p.FullPath, string(c.Name), string(c.Version)}, *n.File, small, err)
}

// FindDraft is FindVersion for a draft, for an actor that may publish. Absent to others.
func (r *Registry) FindDraft(ctx context.Context, a access.Actor, project string, raw Raw, refused error) (WholeVersion, error) {
	raw.Whole = true
	p, c, err := r.drafting(ctx, a, project, raw, refused)
	if err != nil {
		return WholeVersion{}, err
	}
	found, err := r.Records.FindDraft(ctx, p.ProjectID, c.Name, c.Version)
	if fault.Is(err, fault.NotFound) {
		return WholeVersion{}, noDraft(c)
	}
	if err != nil {
		return WholeVersion{}, err
	}
	v, err := r.whole(ctx, p, WholeVersion{PackageVersion: found})
	if err == nil {
		err = v.checkCount()
	}
	return v, err
}

// DiscardDraft removes a draft with its files; its number is as free as before. Absent if
// there is none: a published version is never removed here.
func (r *Registry) DiscardDraft(ctx context.Context, a access.Actor, project string, raw Raw) error {
	raw.Whole = true
	p, c, err := r.target(ctx, a, project, raw, access.PublishPackage, nil)
	if err == nil {
		err = checkProtection(p, a, c.Name)
	}
	if err != nil {
		return err
	}
	now := r.Now()
	err = r.Records.DiscardDraft(ctx, p.ProjectID, c.Name, c.Version, now, func(k Package) (audit.Event, error) {
		return audit.New(a, audit.DraftDiscarded, now, p.entity()).To("Package", k.ID, k.title()), nil
	})
	if fault.Is(err, fault.NotFound) {
		return noDraft(c)
	}
	return err
}

// drafting is the gate of those who read drafts.
func (r *Registry) drafting(ctx context.Context, a access.Actor, project string, raw Raw, refused error) (Project, Coordinates, error) {
	if refused != nil {
		return Project{}, Coordinates{}, refused
	}
	p, c, err := r.target(ctx, a, project, raw, access.PublishPackage, nil)
	if fault.Is(err, fault.Denied) {
		return p, c, noDraft(c)
	}
	return p, c, err
}

func noDraft(c Coordinates) error {
	return fault.New(fault.Absent, "404 Not Found - there is no draft "+words(c.Name, c.Version))
}

// sees reports whether the actor may know of a package, if packages with its status are
// visible. Drafts are visible to those who may publish.
func (r *Registry) sees(a access.Actor, place Project, p Package, visible bool) bool {
	return visible || p.Status == StatusDraft && r.may(a, place, access.PublishPackage)
}

// withDrafts are the projects whose drafts the actor may see.
func (r *Registry) withDrafts(a access.Actor, places []Project) (seen []Project) {
	for _, p := range places {
		if r.may(a, p, access.PublishPackage) {
			seen = append(seen, p)
		}
	}
	return seen
}

// draftTTL is how long an untouched draft stays if the settings do not say it.
const draftTTL = 7 * 24 * time.Hour

// expireStep is how many drafts one transaction discards.
const expireStep = 100

// ExpireDrafts discards drafts that nobody has put a file into for DraftTTL, and returns how
// many. The author of their events is the server.
func (r *Registry) ExpireDrafts(ctx context.Context) (expired int, err error) {
	for {
		now := r.Now()
		n, err := r.Records.ExpireDrafts(ctx, now.Add(-cmp.Or(r.DraftTTL, draftTTL)), expireStep, now, func(k Package) audit.Event {
			return audit.New(access.Actor{}, audit.DraftExpired, now, audit.Place(k.ProjectID, 0)).To("Package", k.ID, k.title())
		})
		expired += n
		if err != nil || n == 0 {
			return expired, err
		}
	}
}

// ExpiresAt is when the upkeep discards a draft that nobody puts a file into; nil if v is
// no draft.
func (r *Registry) ExpiresAt(v PackageVersion) *time.Time {
	if v.Status != StatusDraft {
		return nil
	}
	at := v.UpdatedAt.Add(cmp.Or(r.DraftTTL, draftTTL))
	return &at
}
