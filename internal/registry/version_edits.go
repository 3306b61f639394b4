package registry

import (
	"context"
	"time"
	"unicode/utf8"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
)

// VersionEdit is what to change of a version; what is nil stays.
type VersionEdit struct {
	Yanked     *bool
	Reason     *string // of a yank
	Deprecated *string // the message; "" ends it
	Status     *Status // StatusDefault or StatusHidden
}

// MaxReason is how many characters the reason of a yank, or the message of a
// deprecation, may have.
const MaxReason = 1024

// EditVersion yanks, deprecates or hides a version, or undoes that. Each change makes
// an event; what changes nothing makes none. Absent if there is no such version.
func (r *Registry) EditVersion(ctx context.Context, a access.Actor, project string, raw Raw, edit VersionEdit) (WholeVersion, error) {
	raw.Whole = true
	p, c, err := r.target(ctx, a, project, raw, access.DestroyPackage, nil)
	if err == nil {
		err = edit.check()
	}
	if err != nil {
		return WholeVersion{}, err
	}
	now := r.Now()
	v, err := r.Records.EditVersion(ctx, p.ProjectID, c.Name, c.Version, now, func(v *PackageVersion) ([]audit.Event, error) {
		if err := checkRemoval(p, a, v.Package, v.UpdatedAt, nil); err != nil {
			return nil, err
		}
		done := audit.New(a, "", now, p.entity()).To("Package", v.ID, v.title())
		return edit.apply(v, done)
	})
	if err != nil {
		return WholeVersion{}, noVersion(err, c.Name, c.Version)
	}
	return r.changed(ctx, p, v)
}

func (e VersionEdit) check() error {
	for what, text := range map[string]*string{"reason": e.Reason, "deprecated": e.Deprecated} {
		if text != nil && utf8.RuneCountInString(*text) > MaxReason {
			return fault.New(fault.Invalid, what+" is too long (maximum is 1024 characters)")
		}
	}
	switch {
	case e.Reason != nil && (e.Yanked == nil || !*e.Yanked):
		return fault.New(fault.Invalid, "reason needs yanked=true")
	case e.Deprecated != nil && e.Status != nil:
		return fault.New(fault.Invalid, "deprecated, status are mutually exclusive")
	case e == VersionEdit{}:
		return fault.New(fault.Invalid, "yanked, deprecated, status are missing, at least one parameter must be provided")
	}
	return nil
}

// apply changes a version, and returns the event of each change.
func (e VersionEdit) apply(v *PackageVersion, done audit.Event) (events []audit.Event, err error) {
	tell := func(name audit.Name, what, from, to string) {
		event := done.With(what, from, to)
		event.Name = name
		events = append(events, event)
	}
	if e.Yanked != nil && *e.Yanked && (v.YankedAt == nil || e.Reason != nil && *e.Reason != v.YankReason) {
		before := v.YankReason
		if v.YankedAt == nil {
			v.YankedAt = new(done.At)
		}
		if e.Reason != nil {
			v.YankReason = *e.Reason
		}
		tell(audit.PackageYanked, "yank_reason", before, v.YankReason)
	}
	if e.Yanked != nil && !*e.Yanked && v.YankedAt != nil {
		tell(audit.PackageUnyanked, "yank_reason", v.YankReason, "")
		v.YankedAt, v.YankReason = nil, ""
	}
	switch {
	case e.Deprecated != nil && v.Status == StatusHidden:
		return nil, conflict(v.words() + " is hidden; set its status to default first")
	case e.Deprecated != nil && *e.Deprecated != "" && (v.Status != StatusDeprecated || v.Deprecation != *e.Deprecated):
		tell(audit.PackageDeprecated, "deprecated", v.Deprecation, *e.Deprecated)
		v.Status, v.Deprecation = StatusDeprecated, *e.Deprecated
	case e.Deprecated != nil && *e.Deprecated == "" && v.Status == StatusDeprecated:
		tell(audit.PackageUndeprecated, "deprecated", v.Deprecation, "")
		v.Status, v.Deprecation = StatusDefault, ""
	case e.Status != nil && *e.Status != v.Status:
		tell(audit.PackageStatusUpdated, "status", string(v.Status), string(*e.Status))
		v.Status, v.Deprecation = *e.Status, ""
	}
	return events, nil
}

// DeleteVersion removes a version with its files, like DeletePackage.
func (r *Registry) DeleteVersion(ctx context.Context, a access.Actor, project string, raw Raw, unmodified *time.Time) error {
	raw.Whole = true
	p, c, err := r.target(ctx, a, project, raw, access.DestroyPackage, nil)
	if err != nil {
		return err
	}
	v, err := r.Records.SelectVersion(ctx, p.ProjectID, c.Name, c.Version, nil)
	if err != nil {
		return noVersion(err, c.Name, c.Version)
	}
	return r.remove(ctx, a, p, v.ID, unmodified, nil)
}
