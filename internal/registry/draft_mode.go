package registry

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
