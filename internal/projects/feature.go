package projects

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
)

// GenericPackages is the flag that turns the generic package routes on. It is on
// unless an administrator turns it off.
const GenericPackages = "generic_packages"

// Feature is a flag that was set (contract rest-api E).
type Feature struct {
	Name               string
	Value              *bool // for the whole instance; nil: not set
	PercentageOfTime   int   // 0 to 100
	PercentageOfActors int   // 0 to 100
	Actors             []FeatureActor
}

// FeatureActor is a flag's value for one target. It overrides the instance's.
type FeatureActor struct {
	Target string // "Project:7", "User:1", "Group:3"
	On     bool
}

// FeatureTargets are the targets of a change of a flag; all empty is the whole
// instance.
type FeatureTargets struct {
	Users      []string // user names
	Groups     []string // full paths
	Namespaces []string // full paths of groups or users
	Projects   []string // full paths
}

// FeatureChange sets one gate of a flag.
type FeatureChange struct {
	Targets            FeatureTargets
	Value              *bool
	PercentageOfTime   *int
	PercentageOfActors *int
}

// gate names the gate that the change sets, for audit events.
func (c FeatureChange) gate() string {
	switch {
	case c.PercentageOfTime != nil:
		return "percentage_of_time"
	case c.PercentageOfActors != nil:
		return "percentage_of_actors"
	}
	return "value"
}

// value is the gate's new value, and its targets.
func (c FeatureChange) value() string {
	switch {
	case c.PercentageOfTime != nil:
		return strconv.Itoa(*c.PercentageOfTime)
	case c.PercentageOfActors != nil:
		return strconv.Itoa(*c.PercentageOfActors)
	}
	targets := slices.Concat(c.Targets.Users, c.Targets.Groups, c.Targets.Namespaces, c.Targets.Projects)
	if len(targets) == 0 {
		return switchText(c.Value)
	}
	return switchText(c.Value) + " for " + strings.Join(targets, ", ")
}

func (s *Service) featureEvent(a access.Actor, name audit.Name, flag string) audit.Event {
	return s.event(a, name, audit.WholeInstance()).To("Feature", 0, flag)
}

// Features keeps flags. Each method is one transaction.
type Features interface {
	ListFeatures(ctx context.Context) ([]Feature, error)
	// SetFeature creates the flag if it is new. It returns NotFound, with the target
	// as its message, if a target does not exist, and Full if there are as many
	// flags, or targets of this one, as the limits.
	SetFeature(ctx context.Context, name string, c FeatureChange, flags, targets fault.Limit, e audit.Event) (Feature, error)
	DeleteFeature(ctx context.Context, name string, e audit.Event) error
	// FindFeatureGates returns the values of a flag that count for a project. The zero
	// value is a flag that was never set.
	FindFeatureGates(ctx context.Context, name string, projectID int64) (FeatureGates, error)
}

// FeatureHere is the state of generic_packages in one project.
type FeatureHere struct {
	On    bool // by the gate From; of FromShare: whether it is on for each request
	From  FeatureSource
	Gates FeatureGates
}

// MayTurnFeatures refuses actors that may not administer flags. A door calls it before
// it reads the parameters.
func (s *Service) MayTurnFeatures(a access.Actor) error {
	return s.allow(a, access.Resource{}, access.AdminFeatures, "")
}

// MayReadFeatures refuses actors that may not see flags, or which flags there are.
func (s *Service) MayReadFeatures(a access.Actor) error {
	return s.allow(a, access.Resource{}, access.ReadInstance, "")
}

// ListFeatures returns every flag that was ever set.
func (s *Service) ListFeatures(ctx context.Context, a access.Actor) ([]Feature, error) {
	if err := s.MayReadFeatures(a); err != nil {
		return nil, err
	}
	return s.Records.ListFeatures(ctx)
}

// SetFeature sets a gate of a flag.
func (s *Service) SetFeature(ctx context.Context, a access.Actor, name string, c FeatureChange) (Feature, error) {
	if err := s.MayTurnFeatures(a); err != nil {
		return Feature{}, err
	}
	if ok, err := regexp.MatchString(`\A[A-Za-z0-9_.-]{1,255}\z`, name); err != nil || !ok {
		return Feature{}, fault.New(fault.Refused, "a flag's name has letters, digits, '_', '.' and '-'")
	}
	f, err := s.Records.SetFeature(ctx, name, c, s.limits().Flags, s.limits().FlagTargets, s.featureEvent(a, audit.FeatureSet, name).With(c.gate(), "", c.value()))
	if e, ok := fault.As(err, fault.NotFound); ok {
		return Feature{}, fault.New(fault.Refused, e.Msg+" is not found!")
	}
	return f, err
}

// DeleteFeature deletes a flag, so that its default holds. Deleting a flag that was
// never set is no error.
func (s *Service) DeleteFeature(ctx context.Context, a access.Actor, name string) error {
	if err := s.MayTurnFeatures(a); err != nil {
		return err
	}
	return s.Records.DeleteFeature(ctx, name, s.featureEvent(a, audit.FeatureDeleted, name))
}

// FeatureHere returns the state of generic_packages in a project, and which gate decides
// it. Values for users and groups have no effect.
func (s *Service) FeatureHere(ctx context.Context, a access.Actor, ref string) (FeatureHere, error) {
	p, err := s.project(ctx, a, ref, access.ReadProject)
	if err != nil {
		return FeatureHere{}, err
	}
	gates, err := s.Records.FindFeatureGates(ctx, GenericPackages, p.ID)
	const never = 99 // the lot that the smallest share of requests has
	return FeatureHere{On: gates.On(p.ID, never), From: gates.From(), Gates: gates}, err
}
