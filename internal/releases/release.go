package releases

import (
	"context"
	"iter"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
)

// Release is a text and links to files that a project publishes under a tag.
type Release struct {
	ID          int64
	ProjectID   int64
	ProjectPath string // full path, for addresses
	Tag         string
	Name        string
	Description string // Markdown
	Ref         string // the source of the tag: a branch or a commit
	Milestones  []string
	Author      Author
	CreatedAt   time.Time
	UpdatedAt   time.Time
	ReleasedAt  time.Time // in the future for an upcoming release
	Links       []Link    // newest first

	// Apart has the description and links of a large release that is read in steps;
	// Description and Links are empty then. Else it is nil.
	Apart *Parts
}

// Parts are the unread description and links of a release. The description ends with
// NotFound if the release was changed meanwhile.
type Parts struct {
	Description iter.Seq2[string, error]
	Links       page.Of[Link]
}

// Author is the user who made a release.
type Author struct {
	ID       int64
	Username string
	Name     string
	Blocked  bool
}

// Upcoming reports whether the release is announced for later.
func (r Release) Upcoming(now time.Time) bool { return r.ReleasedAt.After(now) }

// Filter chooses releases of a project for a list; zero fields choose all.
type Filter struct {
	UpdatedAfter  time.Time
	UpdatedBefore time.Time
	ReleasedBy    time.Time // released by then
	ID            int64     // the release with this id only
	Tag           string    // the release of this tag only
	Search        string    // as in TagFilter
	After         *Release  // those after it in the list's order; only its ID, Tag, CreatedAt and ReleasedAt are read
	ExactFirst    bool      // the tag that equals Search comes first
	Brief         bool      // without descriptions and links
	Opening       int       // of those in brief: with so many characters of the description
	Outline       bool      // ID and Tag only
	Unlinked      bool      // without links
}

// The orders of a list of releases. The default is ByRelease.
const (
	ByRelease  = "released_at"
	ByCreation = "created_at"
	ByTag      = "tag"
	ByVersion  = "version" // CompareVersions; read in steps only
)

// Edit is an edit of a release; nil fields stay.
type Edit struct {
	Name, Description *string
	ReleasedAt        *time.Time
	Milestones        *[]string
}

// List returns a project's releases. They are ordered ByRelease or ByCreation.
func (s *Service) List(ctx context.Context, a access.Actor, project string, f Filter, p page.Request) (page.Of[Release], error) {
	projectID, err := s.allow(ctx, a, project, access.ReadReleases)
	if err != nil {
		return page.Of[Release]{}, err
	}
	return s.Store.ListReleases(ctx, projectID, f, p)
}

// Find returns the release of a tag as a page with one unread row.
func (s *Service) Find(ctx context.Context, a access.Actor, project, tag string) (page.Of[Release], error) {
	projectID, err := s.allow(ctx, a, project, access.ReadReleases)
	if err != nil {
		return page.Of[Release]{}, err
	}
	found, err := s.Store.ListReleases(ctx, projectID, Filter{Tag: tag}, page.Request{Number: 1, Size: 1, InSteps: true})
	if err == nil && found.Total == 0 {
		err = fault.New(fault.Absent, "")
	}
	return found, err
}

// Latest returns the release that was released last or, with ByCreation, created last, in
// brief. It ignores upcoming ones.
func (s *Service) Latest(ctx context.Context, a access.Actor, project, order string) (Release, error) {
	projectID, err := s.allow(ctx, a, project, access.ReadReleases)
	if err != nil {
		return Release{}, err
	}
	return s.brief(ctx, projectID, Filter{ReleasedBy: s.Now()}, order)
}

// brief returns the last release of a filter in brief.
func (s *Service) brief(ctx context.Context, projectID int64, f Filter, order string) (Release, error) {
	f.Brief = true
	found, err := s.Store.ListReleases(ctx, projectID, f, page.Request{Number: 1, Size: 1, OrderBy: order, Desc: true, NoTotal: true})
	if err != nil {
		return Release{}, err
	}
	if len(found.Rows) == 0 {
		return Release{}, fault.New(fault.Absent, "")
	}
	return found.Rows[0], nil
}

// Create makes a release with its links, and what is alongside. Every tag counts as
// existing, because there is no git to look it up in. It returns Conflict if the tag has a
// release.
func (s *Service) Create(ctx context.Context, a access.Actor, project string, r Release, with Alongside) (Release, error) {
	projectID, err := s.allow(ctx, a, project, access.PublishRelease)
	if err != nil {
		return Release{}, err
	}
	now := s.Now()
	r.ProjectID, r.Author.ID, r.CreatedAt, r.UpdatedAt = projectID, a.UserID, now, now
	if r.Name == "" {
		r.Name = r.Tag
	}
	if r.ReleasedAt.IsZero() {
		r.ReleasedAt = now
	}
	if err := r.check(); err != nil {
		return Release{}, err
	}
	r, err = s.Store.InsertRelease(ctx, r, with, s.limits().Releases, s.event(a, audit.ReleaseCreated, projectID))
	if taken, ok := fault.As(err, fault.Conflict); ok && taken.Msg == "" {
		err = fault.Wrap(fault.Conflict, "Release already exists", err)
	}
	return r, err
}

// Change edits the release of a tag.
func (s *Service) Change(ctx context.Context, a access.Actor, project, tag string, e Edit) (Release, error) {
	projectID, err := s.allow(ctx, a, project, access.PublishRelease)
	if err != nil {
		return Release{}, err
	}
	r, err := s.update(ctx, projectID, tag, func(r *Release) (audit.Event, error) {
		set(&r.Name, e.Name)
		set(&r.Description, e.Description)
		set(&r.ReleasedAt, e.ReleasedAt)
		set(&r.Milestones, e.Milestones)
		if r.Name == "" {
			r.Name = r.Tag
		}
		return s.event(a, audit.ReleaseUpdated, projectID).To("Release", r.ID, r.Tag), r.check()
	})
	return r, err
}

// Delete deletes the release of a tag and returns it. The files that its links point to
// stay.
func (s *Service) Delete(ctx context.Context, a access.Actor, project, tag string) (Release, error) {
	projectID, err := s.allow(ctx, a, project, access.DestroyRelease)
	if err != nil {
		return Release{}, err
	}
	r, err := s.Store.DeleteRelease(ctx, projectID, tag, s.event(a, audit.ReleaseDeleted, projectID))
	return r, absent(err)
}

// update changes a release and its links in one transaction.
func (s *Service) update(ctx context.Context, projectID int64, tag string, change func(*Release) (audit.Event, error)) (Release, error) {
	r, err := s.Store.UpdateRelease(ctx, projectID, tag, func(r *Release) (audit.Event, error) {
		r.UpdatedAt = s.Now()
		return change(r)
	})
	return r, absent(err)
}

func set[T any](dst, value *T) {
	if value != nil {
		*dst = *value
	}
}
