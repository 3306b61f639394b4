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

// Release is what a project publishes under a tag: words, and links to files.
type Release struct {
	ID          int64
	ProjectID   int64
	ProjectPath string // full path, for addresses
	Tag         string
	Name        string
	Description string // Markdown
	Ref         string // what the tag was made from: a branch or a commit
	Milestones  []string
	Author      Author
	CreatedAt   time.Time
	UpdatedAt   time.Time
	ReleasedAt  time.Time // in the future for an upcoming release
	Links       []Link    // newest first

	// Apart is what a large release that was read in steps does not have itself:
	// Description and Links are empty then. Else nil.
	Apart *Parts
}

// Parts are the description and the links of a release, still to be read. The
// description ends with NotFound where the release was changed meanwhile.
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

// Upcoming reports a release that is announced for later.
func (r Release) Upcoming(now time.Time) bool { return r.ReleasedAt.After(now) }

// Filter chooses releases of a project for a list; zero fields choose all.
type Filter struct {
	UpdatedAfter  time.Time
	UpdatedBefore time.Time
	ReleasedBy    time.Time // at that moment at the latest
	ID            int64     // the release with this id only
	Tag           string    // the release of this tag only
	Search        string    // as TagFilter has it
	After         *Release  // those behind it in the list's order; ID, Tag, CreatedAt and ReleasedAt count
	ExactFirst    bool      // the tag that is Search itself comes first
	Brief         bool      // without descriptions and links
	Outline       bool      // ID and Tag only
	Unlinked      bool      // without links
}

// The orders of a list of releases. Where none is named, it is ByRelease.
const (
	ByRelease  = "released_at"
	ByCreation = "created_at"
	ByTag      = "tag"
	ByVersion  = "version" // CompareVersions; read in steps only
)

// Edit is what an edit changes; nil fields stay.
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

// Find returns the release of a tag as a page of one, which is still to be read.
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

// Latest returns the release that came out last, or was made last (ByCreation),
// upcoming ones left aside, in brief.
func (s *Service) Latest(ctx context.Context, a access.Actor, project, order string) (Release, error) {
	projectID, err := s.allow(ctx, a, project, access.ReadReleases)
	if err != nil {
		return Release{}, err
	}
	return s.brief(ctx, projectID, Filter{ReleasedBy: s.Now()}, order)
}

// brief returns the last release of a filter without description and links.
func (s *Service) brief(ctx context.Context, projectID int64, f Filter, order string) (Release, error) {
	f.Brief = true
	found, err := s.Store.ListReleases(ctx, projectID, f, page.Request{Number: 1, Size: 1, OrderBy: order, Desc: true})
	if err != nil {
		return Release{}, err
	}
	if len(found.Rows) == 0 {
		return Release{}, fault.New(fault.Absent, "")
	}
	return found.Rows[0], nil
}

// Create makes a release with its links. Every tag counts as existing, for
// there is no git that could tell. Conflict where the tag has a release.
func (s *Service) Create(ctx context.Context, a access.Actor, project string, r Release) (Release, error) {
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
	r, err = s.Store.InsertRelease(ctx, r, s.limits().Releases, s.event(a, audit.ReleaseCreated, projectID))
	if fault.Is(err, fault.Conflict) {
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

// Delete removes the release of a tag and returns what it was. What it points
// at stays.
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
