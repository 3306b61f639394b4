package registry

import (
	"cmp"
	"context"

	"granary/internal/access"
)

// DraftMode is a project's generic_package_drafts: when a publish that does not ask for a
// draft makes or joins one, and what makes it final besides a request (docs/design/021).
// The empty one is the server's.
type DraftMode string

// The modes.
const (
	DraftsOnRequest DraftMode = "on_request" // only a publish that asks for it
	DraftsAlways    DraftMode = "always"
	DraftsAtRelease DraftMode = "release" // unless the version's release exists; creating it makes the drafts final
	DraftsAtJobEnd  DraftMode = "job"     // with a job token; the job's end makes final or discards
)

// draftMode is the mode of a project.
func (r *Registry) draftMode(p Project) DraftMode { return cmp.Or(p.Drafts, r.Drafts, DraftsOnRequest) }

// chooseInto decides which version takes the file of a ticket. An actor that may not make
// a version final cannot publish an open one either: what it sends goes into a draft.
func (r *Registry) chooseInto(ctx context.Context, a access.Actor, t *ticket) error {
	mode := r.draftMode(t.Project)
	t.into, t.unreleased = IntoOpen, ReleaseTags{}
	switch {
	case t.Draft, !r.may(a, t.Project, access.FinalisePackage):
		t.into = IntoDraft
	case mode == DraftsAlways, mode == DraftsAtJobEnd && a.Kind == access.Job:
		t.into = IntoEither
	case mode == DraftsAtRelease:
		tags := releaseTags(t.Version)
		released, err := r.Records.HasRelease(ctx, t.ProjectID, tags)
		if err != nil || released {
			return err
		}
		t.into, t.unreleased = IntoEither, tags
	}
	return nil
}
