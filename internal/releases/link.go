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

// Link is an asset of a release. Name, URL and Path are each unique among the links of the
// release.
type Link struct {
	ID   int64
	Name string
	URL  string // http, https or ftp
	Path string // "/bin/tool": the path below the release's downloads that redirects to URL; "" for none
	Type LinkType
}

// LinkEdit is an edit of a link; nil fields stay.
type LinkEdit struct {
	Name, URL, Path *string
	Type            *LinkType
}

// LinkFilter chooses links of a release; zero fields choose all.
type LinkFilter struct {
	ID    int64
	Paths []string // with one of these paths
}

// Links returns a release in brief and a page of its links, newest first.
func (s *Service) Links(ctx context.Context, a access.Actor, project, tag string, p page.Request) (Release, page.Of[Link], error) {
	return s.links(ctx, a, project, Filter{Tag: tag}, LinkFilter{}, p)
}

// Show is Links with the first characters of the release's description, up to so many.
func (s *Service) Show(ctx context.Context, a access.Actor, project, tag string, most int, p page.Request) (Release, page.Of[Link], error) {
	return s.links(ctx, a, project, Filter{Tag: tag, Opening: most}, LinkFilter{}, p)
}

func (s *Service) links(ctx context.Context, a access.Actor, project string, r Filter, f LinkFilter, p page.Request) (Release, page.Of[Link], error) {
	projectID, err := s.allow(ctx, a, project, access.ReadReleases)
	if err != nil {
		return Release{}, page.Of[Link]{}, err
	}
	found, err := s.brief(ctx, projectID, r, "")
	if err != nil {
		return found, page.Of[Link]{}, err
	}
	links, err := s.Store.ListLinks(ctx, found.ID, f, p)
	return found, links, err
}

// link returns the newest link of a filter, and its release in brief.
func (s *Service) link(ctx context.Context, a access.Actor, project, tag string, f LinkFilter) (Release, Link, error) {
	r, found, err := s.links(ctx, a, project, Filter{Tag: tag}, f, page.Request{Number: 1, Size: 1, NoTotal: true})
	if err != nil {
		return r, Link{}, err
	}
	if len(found.Rows) == 0 {
		return r, Link{}, fault.New(fault.Absent, "")
	}
	return r, found.Rows[0], nil
}

// Link returns one link, and the release that it belongs to, in brief.
func (s *Service) Link(ctx context.Context, a access.Actor, project, tag string, id int64) (Release, Link, error) {
	return s.link(ctx, a, project, tag, LinkFilter{ID: id})
}

// Asset returns the link with the path, given with or without its first
// slash.
func (s *Service) Asset(ctx context.Context, a access.Actor, project, tag, path string) (Link, error) {
	_, l, err := s.link(ctx, a, project, tag, LinkFilter{Paths: []string{"/" + path, path}})
	return l, err
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

// DeleteLink deletes a link of a release and returns it. Actors that may add a link may
// delete one, because release tools replace what they published.
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
