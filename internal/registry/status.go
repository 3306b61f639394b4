package registry

import "slices"

// Status is a package's or a file's state, in GitLab's words but for StatusDraft.
type Status string

// The states.
const (
	StatusDefault            Status = "default"
	StatusHidden             Status = "hidden"
	StatusDeprecated         Status = "deprecated"
	StatusProcessing         Status = "processing"
	StatusError              Status = "error"
	StatusPendingDestruction Status = "pending_destruction"
	StatusDraft              Status = "draft" // nobody can see it but those who may publish
)

// Statuses are all states that a package may have.
func Statuses() []Status {
	return []Status{StatusDefault, StatusHidden, StatusDeprecated, StatusProcessing, StatusError, StatusPendingDestruction, StatusDraft}
}

// What a status of a package allows is said here and nowhere else. The records select
// rows by the same lists, which their tests hold to these.

// Shown reports whether the package can be asked for by its id. A selector may choose it,
// unless it is yanked.
func (s Status) Shown() bool { return s.in(StatusDefault, StatusDeprecated) }

// Listed reports whether lists without a status show the package.
func (s Status) Listed() bool { return s.in(StatusDefault, StatusError, StatusDeprecated) }

// Installable reports whether files of the package can be downloaded.
func (s Status) Installable() bool { return s.in(StatusDefault, StatusHidden, StatusDeprecated) }

func (s Status) in(of ...Status) bool { return slices.Contains(of, s) }
