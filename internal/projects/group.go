package projects

import (
	"context"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/page"
)

// Group is a namespace of projects and other groups. A user's own namespace is a
// Group, too, but holds only projects.
type Group struct {
	ID          int64
	ParentID    int64 // 0 at the top
	OwnerID     int64 // the user whose own namespace this is; 0 for a group
	Name        string
	Path        string // the last segment
	FullPath    string
	FullName    string
	Description string
	Visibility  access.Visibility
	Duplicates  Duplicates // as set here
	Effective   Duplicates // with unset fields taken from the groups above; both fields are set
	CreatedAt   time.Time
	UpdatedAt   time.Time

	Standing access.Resource // what the actor who looked it up is to it
	OwnRole  access.Role     // the actor's direct membership, 0 for none and in a user's own namespace
}

// Personal reports whether the namespace is a user's own.
func (g Group) Personal() bool { return g.OwnerID != 0 }

// Duplicates is the rule about a file name published twice (contract
// generic-packages 2.5). A nil field inherits from the group above; at the top
// duplicates are allowed and nothing is an exception.
type Duplicates struct {
	Allowed   *bool
	Exception *string // RE2, tested against the whole package name or version
}

// GroupFilter chooses groups for a list.
type GroupFilter struct {
	Actor        access.Actor // only groups this actor can see
	Search       string       // part of name or path, in lower case
	Owned        bool
	MinRole      access.Role
	TopLevelOnly bool
	ParentID     int64 // direct children only
	Above        int64 // only this group and the groups above it
	Visibility   *access.Visibility
	SkipIDs      []int64
}

// GroupEdit is an edit; nil fields stay.
type GroupEdit struct {
	Name, Path, Description *string
	Visibility              *access.Visibility
	DuplicatesAllowed       Setting[bool]
	DuplicateException      Setting[string]
}

// Groups keeps groups. Each method is one transaction.
type Groups interface {
	// FindGroup takes a decimal id or a full path, of any case, of a group or of
	// a user's own namespace. It returns NotFound if there is none; a former path
	// finds nothing. It fills Standing for the actor.
	FindGroup(ctx context.Context, ref string, a access.Actor) (Group, error)
	ListGroups(ctx context.Context, f GroupFilter, p page.Request) (page.Of[Group], error)
	// InsertGroup makes the creator its owner, unless it is 0. It returns Conflict if
	// the path is taken, and Full if the parent has as many groups as the limit or,
	// without a parent, if the creator owns as many at the top.
	InsertGroup(ctx context.Context, g Group, creator int64, most fault.Limit, e audit.Event) (Group, error)
	// UpdateGroup calls change with the group as it is, stores the changed group,
	// and records the events that change returns. A new path moves everything
	// below. It returns Full if the group would have more than FormerPaths.
	UpdateGroup(ctx context.Context, id int64, change func(*Group) ([]audit.Event, error)) (Group, error)
	// DeleteGroup hides the group and all below it at once.
	DeleteGroup(ctx context.Context, id int64, now time.Time, e audit.Event) error
}

// Group returns a group that the actor can see, by id or full path.
func (s *Service) Group(ctx context.Context, a access.Actor, ref string) (Group, error) {
	return s.group(ctx, a, ref, access.ReadGroup)
}

// ListGroups returns the groups that the actor can see and the filter chooses.
func (s *Service) ListGroups(ctx context.Context, a access.Actor, f GroupFilter, p page.Request) (page.Of[Group], error) {
	if err := s.allow(a, access.Resource{}, access.ListNamespaces, ""); err != nil {
		return page.Of[Group]{}, err
	}
	f.Actor = a
	return s.Records.ListGroups(ctx, f, p)
}

// Subgroups returns the direct children of a group that the actor can see.
func (s *Service) Subgroups(ctx context.Context, a access.Actor, ref string, f GroupFilter, p page.Request) (page.Of[Group], error) {
	g, err := s.group(ctx, a, ref, access.ReadGroup)
	if err != nil {
		return page.Of[Group]{}, err
	}
	f.Actor, f.ParentID = a, g.ID
	return s.Records.ListGroups(ctx, f, p)
}

// CreateGroup makes a group; ParentID 0 makes one at the top. It returns Rejected if
// a field is invalid or the path is taken.
func (s *Service) CreateGroup(ctx context.Context, a access.Actor, g Group) (Group, error) {
	parent, err := s.parentOf(ctx, a, g.ParentID)
	if err != nil {
		return Group{}, err
	}
	if g.Path == "" {
		g.Path = slug(g.Name)
	}
	if err := checkGroup(g); err != nil {
		return Group{}, err
	}
	if err := checkReserved(g); err != nil {
		return Group{}, err
	}
	if parent != nil {
		if err := checkInside(g.Visibility, parent.Visibility); err != nil {
			return Group{}, err
		}
	}
	most := s.limits().OwnGroups
	if parent != nil {
		most = s.limits().Subgroups
	}
	g.CreatedAt = s.Now()
	owner, role := a.UserID, access.Owner
	if a.Bot { // it is a member of its own place only, and has the same role below it
		owner, role = 0, parent.Standing.Role
	}
	g, err = s.Records.InsertGroup(ctx, g, owner, most, s.event(a, audit.GroupCreated, audit.Entity{Type: audit.Group}))
	if fault.Is(err, fault.Conflict) {
		return Group{}, fault.Field("path", "has already been taken")
	}
	g.Standing.Role = role
	return g, err
}

// parentOf checks that a group may be made in the parent, nil at the top.
func (s *Service) parentOf(ctx context.Context, a access.Actor, id int64) (*Group, error) {
	if id == 0 {
		top := access.Resource{Own: a.MayGroup}
		return nil, s.allow(a, top, access.CreateTopGroup, "")
	}
	parent, err := s.group(ctx, a, idRef(id), access.CreateSubgroup)
	return &parent, err
}

// EditGroup changes a group's attributes; an empty edit changes nothing.
func (s *Service) EditGroup(ctx context.Context, a access.Actor, ref string, e GroupEdit) (Group, error) {
	g, err := s.group(ctx, a, ref, access.EditGroup)
	if err != nil {
		return Group{}, err
	}
	if e == (GroupEdit{}) {
		return g, nil
	}
	standing := g.Standing
	g, err = s.Records.UpdateGroup(ctx, g.ID, func(g *Group) ([]audit.Event, error) {
		before := *g
		set(&g.Name, e.Name)
		set(&g.Path, e.Path)
		set(&g.Description, e.Description)
		set(&g.Visibility, e.Visibility)
		e.DuplicatesAllowed.apply(&g.Duplicates.Allowed)
		e.DuplicateException.apply(&g.Duplicates.Exception)
		g.UpdatedAt = s.Now()
		if !strings.EqualFold(g.Path, before.Path) {
			if err := checkReserved(*g); err != nil {
				return nil, err
			}
		}
		return g.changes(a, g.UpdatedAt, before), checkGroup(*g)
	})
	if fault.Is(err, fault.Conflict) {
		err = fault.Field("path", "has already been taken")
	}
	g.Standing = standing
	return g, err
}

// DeleteGroup deletes a group with everything in it. It is hidden at once; the sweep
// removes the bytes of its packages later.
func (s *Service) DeleteGroup(ctx context.Context, a access.Actor, ref string) error {
	g, err := s.group(ctx, a, ref, access.EditGroup)
	if err != nil {
		return err
	}
	done := s.event(a, audit.GroupDestroyed, g.above()).To("Group", g.ID, g.FullPath)
	return s.Records.DeleteGroup(ctx, g.ID, done.At, done)
}

func checkGroup(g Group) error {
	if err := checkName(g.Name); err != nil {
		return err
	}
	if err := checkPath(g.Path); err != nil {
		return err
	}
	if err := checkDescription(g.Description); err != nil {
		return err
	}
	return naming.CheckException(g.Duplicates.Exception)
}

// set stores *v in dst if v is not nil.
func set[T any](dst *T, v *T) {
	if v != nil {
		*dst = *v
	}
}
