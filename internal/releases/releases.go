// Package releases keeps what a project says of its versions: releases, by tag,
// and the links to their files. It holds no git and no file: a tag is a word,
// and a link may lead anywhere.
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

// Store keeps releases, each whole with its links. What writes is one
// transaction. NotFound where the project has no release of the tag.
type Store interface {
	// ListReleases leaves description and links of a large release Apart, where
	// it is asked for in steps.
	ListReleases(ctx context.Context, projectID int64, f Filter, p page.Request) (page.Of[Release], error)
	// ListLinks returns a page of a release's links, newest first.
	ListLinks(ctx context.Context, releaseID int64, f LinkFilter, p page.Request) (page.Of[Link], error)
	// InsertRelease fails with Conflict where the tag has a release, and with
	// Full where the project has as many as the limit.
	InsertRelease(ctx context.Context, r Release, most fault.Limit, e audit.Event) (Release, error)
	// UpdateRelease calls change with the release as it is, keeps what it makes
	// of it and of its links, and records what it returns. Links without an id
	// are new, those left out are gone.
	UpdateRelease(ctx context.Context, projectID int64, tag string, change func(*Release) (audit.Event, error)) (Release, error)
	// DeleteRelease returns what it removed.
	DeleteRelease(ctx context.Context, projectID int64, tag string, e audit.Event) (Release, error)
}

// allow is the gate of every deed. It returns the project's id.
func (s *Service) allow(ctx context.Context, a access.Actor, project string, action access.Action) (int64, error) {
	projectID, _, err := s.Places.ProjectStanding(ctx, a, project, action)
	return projectID, err
}

// event is what an actor did now.
func (s *Service) event(a access.Actor, name audit.Name, projectID int64) audit.Event {
	return audit.New(a, name, s.Now(), audit.Entity{Type: audit.Project, ID: projectID})
}

// absent words a missing row as GitLab does here: like a missing page.
func absent(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.Wrap(fault.Absent, "", err)
	}
	return err
}
