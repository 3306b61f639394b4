// Package releases keeps the releases of projects, by tag, and their links to files. It has
// no git and no files: a tag is a word, and a link may lead anywhere.
package releases

import (
	"context"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/page"
)

// Service is the deeds of this room.
type Service struct {
	Store  Store
	Places gate.Places
	Limits Limits // the zero value: DefaultLimits
	Now    func() time.Time
}

// Store keeps releases, each with its links. A method that writes is one transaction. It
// returns NotFound if the project has no release of the tag.
type Store interface {
	// ListReleases leaves description and links of a large release Apart if the page
	// is read in steps.
	ListReleases(ctx context.Context, projectID int64, f Filter, p page.Request) (page.Of[Release], error)
	// ListLinks returns a page of a release's links, newest first.
	ListLinks(ctx context.Context, releaseID int64, f LinkFilter, p page.Request) (page.Of[Link], error)
	// InsertRelease returns Conflict without words if the tag has a release, and Full if the
	// project has as many as the limit. It does what is Alongside in the same transaction, or
	// returns its fault and inserts nothing.
	InsertRelease(ctx context.Context, r Release, with Alongside, most fault.Limit, e audit.Event) (Release, error)
	// UpdateRelease calls change with the release as it is, stores the changed release
	// and its links, and records the events that change returns. Links without an id
	// are new; links that are left out are deleted.
	UpdateRelease(ctx context.Context, projectID int64, tag string, change func(*Release) (audit.Event, error)) (Release, error)
	// DeleteRelease returns the release that it deleted.
	DeleteRelease(ctx context.Context, projectID int64, tag string, e audit.Event) (Release, error)
}

// Alongside is a change of another room that is made in the transaction of a release, or
// refused with it; nil for none. The records know what it is.
type Alongside any

// allow is the check of every deed. It returns the project's id.
func (s *Service) allow(ctx context.Context, a access.Actor, project string, action access.Action) (int64, error) {
	projectID, _, err := s.Places.ProjectStanding(ctx, a, project, action)
	return projectID, err
}

// event is an event of a deed that an actor does now.
func (s *Service) event(a access.Actor, name audit.Name, projectID int64) audit.Event {
	return audit.New(a, name, s.Now(), audit.Entity{Type: audit.Project, ID: projectID})
}

// absent returns GitLab's error for a missing release or link: that of a missing page.
func absent(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.Absent, "", err)
	}
	return err
}
