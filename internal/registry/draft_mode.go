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

// into says which version takes the file of a ticket.
func (r *Registry) into(ctx context.Context, a access.Actor, t *ticket) (Into, error) {
	if t.Draft {
		return IntoDraft, nil
	}
	switch r.draftMode(t.Project) {
	case DraftsAlways:
		return IntoEither, nil
	case DraftsAtRelease:
		tags := releaseTags(t.Version)
		released, err := r.Records.HasRelease(ctx, t.ProjectID, tags)
		if err != nil || released {
			return IntoOpen, err
		}
		t.unreleased = tags
		return IntoEither, nil
	case DraftsAtJobEnd:
		if a.Kind == access.Job {
			return IntoEither, nil
		}
	}
	return IntoOpen, nil
}
