package releases

import (
	"context"
	"slices"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
)

// LinkType says what a link leads to, in GitLab's words.
type LinkType string

// The types of links.
const (
	LinkOther   LinkType = "other"
	LinkRunbook LinkType = "runbook"
	LinkImage   LinkType = "image"
	LinkPackage LinkType = "package"
)

// Link is an asset of a release. Name, URL and Path are its own among the
// links of the release.
type Link struct {
	ID   int64
	Name string
	URL  string // http, https or ftp
	Path string // "/bin/tool": where the release's downloads lead to URL; "" for nowhere
	Type LinkType
}

// LinkEdit is what an edit of a link changes; nil fields stay.
type LinkEdit struct {
	Name, URL, Path *string
	Type            *LinkType
}

// Links returns a release and a page of its links, newest first.
func (s *Service) Links(ctx context.Context, a access.Actor, project, tag string, p page.Request) (Release, page.Of[Link], error) {
	r, err := s.Get(ctx, a, project, tag)
	from := min(p.Offset(), len(r.Links))
	to := min(from+p.Size, len(r.Links))
	return r, page.Of[Link]{Rows: r.Links[from:to], Total: len(r.Links)}, err
}

// Link returns one link, and the release that it belongs to.
func (s *Service) Link(ctx context.Context, a access.Actor, project, tag string, id int64) (Release, Link, error) {
	r, err := s.Get(ctx, a, project, tag)
	if err != nil {
		return r, Link{}, err
	}
	i, err := r.linkAt(id)
	if err != nil {
		return r, Link{}, err
	}
	return r, r.Links[i], nil
}

// Asset returns the link with the path, given with or without its first
// slash.
func (s *Service) Asset(ctx context.Context, a access.Actor, project, tag, path string) (Link, error) {
	r, err := s.Get(ctx, a, project, tag)
	if err != nil {
		return Link{}, err
	}
	for _, l := range r.Links {
		if l.Path != "" && (l.Path == path || l.Path == "/"+path) {
			return l, nil
		}
	}
	return Link{}, fault.New(fault.Absent, "")
}

// AddLink adds a link to a release.
func (s *Service) AddLink(ctx context.Context, a access.Actor, project, tag string, l Link) (Release, Link, error) {
	return s.changeLinks(ctx, a, project, tag, audit.ReleaseLinkCreated, func(r *Release) (Link, error) {
		r.Links = append([]Link{l}, r.Links...)
		return l, nil
	})
}

// ChangeLink edits a link of a release.
func (s *Service) ChangeLink(ctx context.Context, a access.Actor, project, tag string, id int64, e LinkEdit) (Release, Link, error) {
	return s.changeLinks(ctx, a, project, tag, audit.ReleaseLinkUpdated, func(r *Release) (Link, error) {
		i, err := r.linkAt(id)
		if err != nil {
			return Link{}, err
		}
		l := &r.Links[i]
		set(&l.Name, e.Name)
		set(&l.URL, e.URL)
		set(&l.Path, e.Path)
		set(&l.Type, e.Type)
		return *l, nil
	})
}

// DeleteLink removes a link from a release and returns what it was. Whoever
// may add one may: a release tool replaces what it published.
func (s *Service) DeleteLink(ctx context.Context, a access.Actor, project, tag string, id int64) (Release, Link, error) {
	return s.changeLinks(ctx, a, project, tag, audit.ReleaseLinkDeleted, func(r *Release) (Link, error) {
		i, err := r.linkAt(id)
		if err != nil {
			return Link{}, err
		}
		l := r.Links[i]
		r.Links = slices.Delete(r.Links, i, i+1)
		return l, nil
	})
}

// changeLinks returns the link that change returned, a new one with its id.
func (s *Service) changeLinks(ctx context.Context, a access.Actor, project, tag string, name audit.Name, change func(*Release) (Link, error)) (Release, Link, error) {
	projectID, err := s.allow(ctx, a, project, access.PublishRelease)
	if err != nil {
		return Release{}, Link{}, err
	}
	var changed Link
	r, err := s.update(ctx, projectID, tag, func(r *Release) (done audit.Event, err error) {
		if changed, err = change(r); err != nil {
			return done, err
		}
		done = s.event(a, name, projectID).To("Release", r.ID, r.Tag+": "+changed.Name)
		return done, r.checkLinks()
	})
	if err != nil {
		return r, changed, err
	}
	if changed.ID == 0 {
		changed = r.Links[0]
	}
	return r, changed, nil
}

func (r Release) linkAt(id int64) (int, error) {
	i := slices.IndexFunc(r.Links, func(l Link) bool { return l.ID == id })
	if i < 0 {
		return 0, fault.New(fault.Absent, "")
	}
	return i, nil
}
