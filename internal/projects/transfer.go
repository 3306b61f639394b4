package projects

import (
	"context"
	"fmt"
	"strconv"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
)

// Destination is the new place of a group.
type Destination struct {
	Parent *Group // with the actor's standing; nil for the top
	Below  bool   // the parent is the group itself, or is in it
}

// Transfers moves projects and groups into other namespaces. Each method is one
// transaction, during which no other moves, edits or makes projects or groups. It calls
// judge with both ends and the actor's standings; judge sets the new namespace and
// visibility, and returns the events or the refusal. A method returns Hidden if an end is
// gone, Conflict if the path is taken, Full if the place has as many as the limit or the
// project or group would have more than FormerPaths, and OverLimit, with the number, if a
// user has as many projects as allowed. The old paths redirect.
type Transfers interface {
	TransferProject(ctx context.Context, id, namespaceID int64, a access.Actor, most fault.Limit,
		judge func(p *Project, to Group) ([]audit.Event, error)) error
	// TransferGroup also moves everything in the group, and lowers visibilities there to
	// the group's. If a group at the top would have no permanent owner, the actor becomes
	// one, which the event says.
	TransferGroup(ctx context.Context, id, parentID int64, a access.Actor, most fault.Limit, owner audit.Event,
		judge func(g *Group, to Destination) ([]audit.Event, error)) (Group, error)
}

// TransferProject moves a project into another group, or into a user's own
// namespace, by id or full path. The actor must be an owner, and Maintainer of the
// group. If the group is less visible, so is the project afterwards.
func (s *Service) TransferProject(ctx context.Context, a access.Actor, ref, namespace string) (Project, error) {
	p, err := s.project(ctx, a, ref, access.OwnProject)
	if err != nil {
		return Project{}, err
	}
	to, err := s.Namespace(ctx, a, namespace)
	if err != nil {
		return Project{}, err
	}
	err = s.Records.TransferProject(ctx, p.ID, to.ID, a, s.limits().GroupProjects, func(p *Project, to Group) ([]audit.Event, error) {
		if err := s.mayTransferProject(a, *p, to); err != nil {
			return nil, err
		}
		before := *p
		p.Namespace, p.UpdatedAt = to, s.Now()
		if !to.Personal() {
			p.Visibility = min(p.Visibility, to.Visibility)
		}
		return p.changes(a, p.UpdatedAt, before), nil
	})
	switch over, full := fault.As(err, fault.OverLimit); {
	case fault.Is(err, fault.Conflict):
		err = projectStays("Project with same name or path in target namespace already exists")
	case full:
		err = projectStays(noTransferThere + " The project limit of its owner is " + strconv.Itoa(over.Most) + ".")
	}
	if err != nil {
		return Project{}, err
	}
	return s.Records.FindProject(ctx, idRef(p.ID), a)
}

const noTransferThere = "You don't have permission to transfer projects into that namespace."

// mayTransferProject checks a transfer by the actor's standing at both ends.
func (s *Service) mayTransferProject(a access.Actor, p Project, to Group) error {
	if err := s.allow(a, p.Standing, access.OwnProject, "Project"); err != nil {
		return err
	}
	if to.ID == p.Namespace.ID {
		return projectStays("Project is already in this namespace.")
	}
	// GitLab requires Maintainer, the role that may also create groups.
	action := access.CreateSubgroup
	if to.Personal() {
		action = access.CreateProject
	}
	if s.allow(a, to.Standing, action, "Namespace") != nil {
		return projectStays(noTransferThere)
	}
	return nil
}

// projectStays is why a project is not transferred, as GitLab writes it.
func projectStays(why string) error {
	return fault.New(fault.Rejected, fmt.Sprintf("Failed to transfer project {:new_namespace=>[%q]}", why))
}

// TransferGroup moves a group with everything in it into another; parentID 0 is the
// top. The actor must be an owner, and may create a group there. If the new parent is
// less visible, the group and everything in it become so.
func (s *Service) TransferGroup(ctx context.Context, a access.Actor, ref string, parentID int64) (Group, error) {
	g, err := s.group(ctx, a, ref, access.EditGroup)
	if err != nil {
		return Group{}, err
	}
	most := s.limits().OwnGroups
	if parentID != 0 {
		if _, err := s.group(ctx, a, idRef(parentID), access.ReadGroup); err != nil {
			return Group{}, err
		}
		most = s.limits().Subgroups
	}
	owner := s.event(a, audit.MemberCreated, audit.Entity{Type: audit.Group, ID: g.ID})
	g, err = s.Records.TransferGroup(ctx, g.ID, parentID, a, most, owner, func(g *Group, to Destination) ([]audit.Event, error) {
		if err := s.mayTransferGroup(a, *g, to); err != nil {
			return nil, err
		}
		before := *g
		g.ParentID, g.FullPath, g.UpdatedAt = 0, g.Path, s.Now()
		if in := to.Parent; in != nil {
			g.ParentID, g.FullPath, g.Visibility = in.ID, in.FullPath+"/"+g.Path, min(g.Visibility, in.Visibility)
		}
		return g.changes(a, g.UpdatedAt, before), checkReserved(*g)
	})
	return g, groupTransferFault(err)
}

// mayTransferGroup checks a transfer by the actor's standing at both ends.
func (s *Service) mayTransferGroup(a access.Actor, g Group, to Destination) error {
	if err := s.allow(a, g.Standing, access.EditGroup, "Group"); err != nil {
		return err
	}
	var may error
	switch {
	case to.Parent == nil && g.ParentID == 0:
		return groupStays("Group is already a root group.")
	case to.Parent == nil:
		may = s.allow(a, access.Resource{Own: a.MayGroup}, access.CreateTopGroup, "")
	case to.Parent.ID == g.ParentID:
		return groupStays("Group is already associated to the parent group.")
	case to.Below:
		return groupStays("Cannot transfer group to one of its subgroup.")
	default:
		may = s.allow(a, to.Parent.Standing, access.CreateSubgroup, "Group")
	}
	if may != nil {
		return groupStays("You don't have enough permissions.")
	}
	return nil
}

// groupStays is why a group is not transferred, as GitLab writes it.
func groupStays(why string) error {
	return fault.New(fault.Rejected, "Transfer failed: "+why)
}

// groupTransferFault puts refusals of the records into GitLab's words for a transfer.
func groupTransferFault(err error) error {
	switch e, rejected := fault.As(err, fault.Rejected); {
	case fault.Is(err, fault.Conflict):
		return groupStays("The parent group already has a subgroup or a project with the same path.")
	case rejected && len(e.Fields["route.path"]) > 0:
		return groupStays("Validation failed: Route path " + e.Fields["route.path"][0])
	case rejected && len(e.Fields["parent_id"]) > 0:
		return groupStays("Validation failed: Parent " + e.Fields["parent_id"][0])
	}
	return err
}
