package projects

import (
	"context"
	"strconv"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
)

// Allowlists keeps the projects and groups whose job tokens a project lets in. Each
// method is one transaction.
type Allowlists interface {
	// ListAllowedProjects includes the project itself.
	ListAllowedProjects(ctx context.Context, projectID int64, p page.Request) (page.Of[Project], error)
	ListAllowedGroups(ctx context.Context, projectID int64, p page.Request) (page.Of[Group], error)
	// AllowJobs returns Conflict if the source is listed, and Full if the list has as
	// many entries as the limit.
	AllowJobs(ctx context.Context, projectID int64, source Place, most fault.Limit, e audit.Event) error
	// DisallowJobs returns NotFound if the source is not listed.
	DisallowJobs(ctx context.Context, projectID int64, source Place, e audit.Event) error
}

// JobTokenScope reports whether the project lets in only job tokens of projects on
// the list.
func (s *Service) JobTokenScope(ctx context.Context, a access.Actor, ref string) (bool, error) {
	p, err := s.project(ctx, a, ref, access.ReadJobTokenScope)
	return p.JobTokenScope, err
}

// SetJobTokenScope turns the list on or off.
func (s *Service) SetJobTokenScope(ctx context.Context, a access.Actor, ref string, enabled bool) error {
	p, err := s.project(ctx, a, ref, access.AdminJobTokenScope)
	if err != nil {
		return err
	}
	_, err = s.Records.UpdateProject(ctx, p.ID, func(p *Project) ([]audit.Event, error) {
		if p.JobTokenScope == enabled {
			return nil, nil
		}
		p.JobTokenScope = enabled
		name := audit.JobTokenScopeDisabled
		if enabled {
			name = audit.JobTokenScopeEnabled
		}
		return []audit.Event{s.event(a, name, p.entity()).To("Project", p.ID, p.FullPath)}, nil
	})
	return err
}

// AllowedProjects returns the projects whose jobs are let in, with the project
// itself.
func (s *Service) AllowedProjects(ctx context.Context, a access.Actor, ref string, ask page.Request) (page.Of[Project], error) {
	p, err := s.project(ctx, a, ref, access.ReadJobTokenScope)
	if err != nil {
		return page.Of[Project]{}, err
	}
	return s.Records.ListAllowedProjects(ctx, p.ID, ask)
}

// AllowedGroups returns the groups whose projects' jobs are let in.
func (s *Service) AllowedGroups(ctx context.Context, a access.Actor, ref string, ask page.Request) (page.Of[Group], error) {
	p, err := s.project(ctx, a, ref, access.ReadJobTokenScope)
	if err != nil {
		return page.Of[Group]{}, err
	}
	return s.Records.ListAllowedGroups(ctx, p.ID, ask)
}

// AllowJobsOf lets in the jobs of a project, or of all projects below a group. The
// caller must be able to see that project or group. It returns the id of the project
// that has the list.
func (s *Service) AllowJobsOf(ctx context.Context, a access.Actor, ref string, source Place) (int64, error) {
	p, err := s.project(ctx, a, ref, access.AdminJobTokenScope)
	if err != nil {
		return 0, err
	}
	noun := sourceNoun(source)
	if err := s.canSee(ctx, a, source); err != nil {
		return 0, unknownSource(err, source)
	}
	taken := fault.New(fault.Refused, "This "+noun+" is already in the job token allowlist.")
	if source.ProjectID == p.ID {
		return 0, taken
	}
	name := audit.JobTokenGroupAdded
	if source.ProjectID != 0 {
		name = audit.JobTokenProjectAdded
	}
	err = s.Records.AllowJobs(ctx, p.ID, source, s.limits().Allowlist, s.event(a, name, p.entity()))
	if full, ok := fault.As(err, fault.Full); ok {
		err = fault.New(fault.Refused, "The job token allowlist is full: it may have "+strconv.Itoa(full.Most)+" projects and groups.")
	}
	if fault.Is(err, fault.Conflict) {
		err = taken
	}
	return p.ID, err
}

// DisallowJobsOf takes the source off the list.
func (s *Service) DisallowJobsOf(ctx context.Context, a access.Actor, ref string, source Place) error {
	p, err := s.project(ctx, a, ref, access.AdminJobTokenScope)
	if err != nil {
		return err
	}
	if source.ProjectID == p.ID {
		return fault.New(fault.Refused, "A project always lets its own jobs in.")
	}
	name := audit.JobTokenGroupRemoved
	if source.ProjectID != 0 {
		name = audit.JobTokenProjectRemoved
	}
	return unknownSource(s.Records.DisallowJobs(ctx, p.ID, source, s.event(a, name, p.entity())), source)
}

func (s *Service) canSee(ctx context.Context, a access.Actor, source Place) error {
	if source.ProjectID != 0 {
		_, err := s.project(ctx, a, idRef(source.ProjectID), access.ReadProject)
		return err
	}
	g, err := s.group(ctx, a, idRef(source.GroupID), access.ReadGroup)
	if err == nil && g.Personal() {
		err = fault.New(fault.Hidden, "")
	}
	return err
}

// unknownSource names the parameter of a source that does not exist or that the caller
// cannot see, as GitLab does.
func unknownSource(err error, source Place) error {
	if fault.Is(err, fault.Hidden) || fault.Is(err, fault.NotFound) {
		return fault.New(fault.Hidden, "target_"+sourceNoun(source)+"_id")
	}
	return err
}

func sourceNoun(source Place) string {
	if source.ProjectID != 0 {
		return "project"
	}
	return "group"
}
