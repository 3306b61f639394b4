package projects

import (
	"context"
	"strconv"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/page"
)

// Project is what holds packages.
type Project struct {
	ID            int64
	Namespace     Group // only ID, ParentID, OwnerID, Name, Path, FullPath, Visibility
	Name          string
	Path          string // the last segment
	FullPath      string
	FullName      string
	Description   string
	Visibility    access.Visibility
	DefaultBranch string
	Topics        []string
	PackageAccess access.PackageAccess
	Archived      bool
	CreatorID     int64
	Naming        *naming.Grammar // nil: the server's
	Duplicates    Duplicates
	MaxFileSize   *int64             // bytes, 0 = none; nil: the server's
	Drafts        *DraftMode         // nil: the server's
	Finalisers    *access.Finalisers // nil: access.Publishers
	JobTokenScope bool               // only listed projects' job tokens are let in
	CreatedAt     time.Time
	UpdatedAt     time.Time

	Standing  access.Resource // what the actor who looked it up is to it
	OwnRole   access.Role     // the actor's direct membership, 0 for none
	GroupRole access.Role     // the actor's highest membership in the groups above
}

// ProjectFilter chooses projects for a list.
type ProjectFilter struct {
	Actor      access.Actor // only projects this actor can see
	Search     string       // part of name or path, in lower case
	InPaths    bool         // Search may be part of the full path, too: it also searches namespaces
	GroupID    int64        // in this group; if Below, also in groups below it
	Below      bool
	OwnerID    int64 // in this user's own namespace
	Owned      bool
	Membership bool
	MinRole    access.Role
	Visibility *access.Visibility
	Archived   *bool
	Topic      string
	IDAfter    int64
	IDBefore   int64

	UpdatedAfter, UpdatedBefore time.Time
}

// ProjectEdit is an edit; nil fields stay.
type ProjectEdit struct {
	Name, Path, Description, DefaultBranch *string
	Visibility                             *access.Visibility
	Topics                                 *[]string
	PackageAccess                          *access.PackageAccess
	Naming                                 Setting[naming.Grammar]
	DuplicatesAllowed                      Setting[bool]
	DuplicateException                     Setting[string]
	MaxFileSize                            Setting[int64]
	Drafts                                 Setting[DraftMode]
	Finalisers                             Setting[access.Finalisers]
}

// Projects keeps projects. Each method is one transaction.
type Projects interface {
	// FindProject takes a decimal id or a full path, of any case. It returns NotFound
	// if there is none, and the project with Moved if the path is a former one. It
	// fills Standing and the roles for the actor.
	FindProject(ctx context.Context, ref string, a access.Actor) (Project, error)
	ListProjects(ctx context.Context, f ProjectFilter, p page.Request) (page.Of[Project], error)
	// InsertProject makes the creator a member with the role, unless that is NoRole.
	// It returns Conflict if the path is taken, and Full if a group has as many
	// projects as the limit, or a user's own namespace as many as that user may have.
	InsertProject(ctx context.Context, p Project, role access.Role, most fault.Limit, e audit.Event) (Project, error)
	// UpdateProject calls change with the project as it is, stores the changed
	// project, and records the events that change returns. After a new path the old
	// one still leads here; it returns Full if there would be more than FormerPaths.
	UpdateProject(ctx context.Context, id int64, change func(*Project) ([]audit.Event, error)) (Project, error)
	// DeleteProject hides the project at once.
	DeleteProject(ctx context.Context, id int64, now time.Time, e audit.Event) error
}

// Project returns a project that the actor can see, by id or full path.
func (s *Service) Project(ctx context.Context, a access.Actor, ref string) (Project, error) {
	return s.project(ctx, a, ref, access.ReadProject)
}

// ListProjects returns the projects that the actor can see and the filter
// chooses.
func (s *Service) ListProjects(ctx context.Context, a access.Actor, f ProjectFilter, p page.Request) (page.Of[Project], error) {
	if err := s.allow(a, access.Resource{}, access.ListNamespaces, ""); err != nil {
		return page.Of[Project]{}, err
	}
	f.Actor = a
	return s.Records.ListProjects(ctx, f, p)
}

// GroupProjects returns the projects of a group that the actor can see.
func (s *Service) GroupProjects(ctx context.Context, a access.Actor, ref string, f ProjectFilter, p page.Request) (page.Of[Project], error) {
	g, err := s.group(ctx, a, ref, access.ReadGroup)
	if err != nil {
		return page.Of[Project]{}, err
	}
	f.Actor, f.GroupID = a, g.ID
	return s.Records.ListProjects(ctx, f, p)
}

// CreateProject makes a project in a group or in a user's own namespace.
func (s *Service) CreateProject(ctx context.Context, a access.Actor, namespaceID int64, p Project) (Project, error) {
	ns, err := s.namespace(ctx, a, idRef(namespaceID), access.CreateProject)
	if err != nil {
		return Project{}, namespaceFault(err)
	}
	if p.Path == "" {
		p.Path = slug(p.Name)
	}
	if p.Name == "" {
		p.Name = p.Path
	}
	if err := checkProject(p); err != nil {
		return Project{}, err
	}
	if !ns.Personal() {
		if err := checkInside(p.Visibility, ns.Visibility); err != nil {
			return Project{}, err
		}
	}
	p.Namespace, p.CreatorID, p.CreatedAt, p.JobTokenScope = ns, a.UserID, s.Now(), true
	p, err = s.Records.InsertProject(ctx, p, creatorRole(a, ns), s.limits().GroupProjects,
		s.event(a, audit.ProjectCreated, audit.Entity{Type: audit.Project}))
	if full, ok := fault.As(err, fault.Full); ok && ns.Personal() {
		err = fault.New(fault.OverLimit, "Your project limit is "+strconv.Itoa(full.Most)+" projects! Please contact your administrator to increase it")
	}
	if err != nil {
		return Project{}, taken(err)
	}
	return s.Records.FindProject(ctx, idRef(p.ID), a)
}

// namespaceFault puts a fault of the namespace into the words that GitLab has for the
// fields of a new project.
func namespaceFault(err error) error {
	switch fault.KindOf(err) {
	case fault.Hidden, fault.Moved:
		return fault.Field("namespace", "is not valid")
	case fault.Denied:
		return fault.Field("namespace", "is not valid: you need the role Developer to create projects there")
	}
	return err
}

// creatorRole is the role that a project's creator gets as a member. The owner of a
// user's own namespace is Owner there without one. A bot is a member of its own place
// only.
func creatorRole(a access.Actor, ns Group) access.Role {
	switch {
	case a.Bot:
		return access.NoRole
	case ns.OwnerID == a.UserID:
		return access.Owner
	case ns.Standing.Role < access.Maintainer && !a.Admin:
		return access.Maintainer
	}
	return access.NoRole
}

// EditProject changes a project's attributes; an empty edit changes nothing. Only an
// owner may change the visibility.
func (s *Service) EditProject(ctx context.Context, a access.Actor, ref string, e ProjectEdit) (Project, error) {
	p, err := s.project(ctx, a, ref, access.EditProject)
	if err != nil {
		return Project{}, err
	}
	if e == (ProjectEdit{}) {
		return p, nil
	}
	if e.Visibility != nil && *e.Visibility != p.Visibility {
		if err := s.allow(a, p.Standing, access.OwnProject, "Project"); err != nil {
			return Project{}, err
		}
	}
	_, err = s.Records.UpdateProject(ctx, p.ID, func(p *Project) ([]audit.Event, error) {
		before := *p
		e.apply(p)
		p.UpdatedAt = s.Now()
		if in := p.Namespace; p.Visibility != before.Visibility && !in.Personal() {
			if err := checkInside(p.Visibility, in.Visibility); err != nil {
				return nil, err
			}
		}
		return p.changes(a, p.UpdatedAt, before), checkProject(*p)
	})
	if err != nil {
		return Project{}, taken(err)
	}
	return s.Records.FindProject(ctx, idRef(p.ID), a)
}

func (e ProjectEdit) apply(p *Project) {
	set(&p.Name, e.Name)
	set(&p.Path, e.Path)
	set(&p.Description, e.Description)
	set(&p.DefaultBranch, e.DefaultBranch)
	set(&p.Visibility, e.Visibility)
	set(&p.Topics, e.Topics)
	set(&p.PackageAccess, e.PackageAccess)
	e.Naming.apply(&p.Naming)
	e.DuplicatesAllowed.apply(&p.Duplicates.Allowed)
	e.DuplicateException.apply(&p.Duplicates.Exception)
	e.MaxFileSize.apply(&p.MaxFileSize)
	e.Drafts.apply(&p.Drafts)
	e.Finalisers.apply(&p.Finalisers)
}

// ArchiveProject makes a project read-only, or writable again.
func (s *Service) ArchiveProject(ctx context.Context, a access.Actor, ref string, archived bool) (Project, error) {
	p, err := s.project(ctx, a, ref, access.OwnProject)
	if err != nil {
		return Project{}, err
	}
	_, err = s.Records.UpdateProject(ctx, p.ID, func(p *Project) ([]audit.Event, error) {
		if p.Archived == archived {
			return nil, nil
		}
		p.Archived, p.UpdatedAt = archived, s.Now()
		name := audit.ProjectUnarchived
		if archived {
			name = audit.ProjectArchived
		}
		return []audit.Event{s.event(a, name, p.entity()).To("Project", p.ID, p.FullPath)}, nil
	})
	if err != nil {
		return Project{}, err
	}
	return s.Records.FindProject(ctx, idRef(p.ID), a)
}

// DeleteProject deletes a project with its packages. It is hidden at once; the sweep
// removes the bytes later.
func (s *Service) DeleteProject(ctx context.Context, a access.Actor, ref string) error {
	p, err := s.project(ctx, a, ref, access.OwnProject)
	if err != nil {
		return err
	}
	// The event belongs to the group that the project was in, where it can be read.
	done := s.event(a, audit.ProjectDestroyed, p.Namespace.entity()).To("Project", p.ID, p.FullPath)
	return s.Records.DeleteProject(ctx, p.ID, done.At, done)
}
