package registry

import (
	"context"
	"slices"
	"unicode/utf8"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
)

// ProtectionRule says who may publish and delete packages of matching names (contract
// rest-api B).
type ProtectionRule struct {
	ID          int64
	ProjectID   int64
	Pattern     string // '*' stands for anything; case does not matter
	PackageType string // rules for other types than generic are kept without effect
	Push        access.Role
	Delete      access.Role // NoRole: the rule does not say
}

const maxPattern = 255 // characters

// ListProtectionRules returns the rules of a project.
func (r *Registry) ListProtectionRules(ctx context.Context, a access.Actor, project string, p page.Request) (page.Of[ProtectionRule], error) {
	place, err := r.enter(ctx, a, project, access.ReadProtections, apiDoor())
	if err != nil {
		return page.Of[ProtectionRule]{}, err
	}
	return r.Records.ListProtections(ctx, place.ProjectID, p)
}

// CreateProtectionRule makes a rule, which counts at once. Unprocessable with
// sentences under "error" if the rule is invalid.
func (r *Registry) CreateProtectionRule(ctx context.Context, a access.Actor, project string, rule ProtectionRule) (ProtectionRule, error) {
	place, err := r.enter(ctx, a, project, access.AdminProtections, apiDoor())
	if err != nil {
		return ProtectionRule{}, err
	}
	rule.ProjectID = place.ProjectID
	if err := rule.check(); err != nil {
		return ProtectionRule{}, err
	}
	done := audit.New(a, audit.ProtectionRuleCreated, r.Now(), place.entity()).With("rule", "", rule.String())
	rule, err = r.Records.InsertProtection(ctx, rule, r.limits().Protections, done)
	if full, ok := fault.As(err, fault.Full); ok {
		err = unprocessable(full.Fields["base"][0]) // in the shape of the other refusals here
	}
	return rule, taken(err)
}

// EditProtectionRule changes a rule through change. Unprocessable like
// CreateProtectionRule.
func (r *Registry) EditProtectionRule(ctx context.Context, a access.Actor, project string, id int64, change func(*ProtectionRule)) (ProtectionRule, error) {
	place, err := r.enter(ctx, a, project, access.AdminProtections, apiDoor())
	if err != nil {
		return ProtectionRule{}, err
	}
	rule, err := r.Records.UpdateProtection(ctx, place.ProjectID, id, func(rule *ProtectionRule) (audit.Event, error) {
		before := *rule
		change(rule)
		done := audit.New(a, audit.ProtectionRuleUpdated, r.Now(), place.entity())
		return done.With("rule", before.String(), rule.String()), rule.check()
	})
	return rule, taken(err)
}

// DeleteProtectionRule removes a rule.
func (r *Registry) DeleteProtectionRule(ctx context.Context, a access.Actor, project string, id int64) error {
	place, err := r.enter(ctx, a, project, access.AdminProtections, apiDoor())
	if err != nil {
		return err
	}
	return r.Records.DeleteProtection(ctx, place.ProjectID, id, audit.New(a, audit.ProtectionRuleDeleted, r.Now(), place.entity()))
}

// String is the rule in one line, for audit events.
func (rule ProtectionRule) String() string {
	return rule.PackageType + " " + rule.Pattern + ", push: " + level(rule.Push) + ", delete: " + level(rule.Delete)
}

func level(r access.Role) string {
	if r == access.NoRole {
		return "-"
	}
	return r.String()
}

// check returns why a rule is invalid, in GitLab's sentences.
func (rule ProtectionRule) check() error {
	push := []access.Role{access.NoRole, access.Maintainer, access.Owner, access.Admin}
	del := []access.Role{access.NoRole, access.Owner, access.Admin}
	switch n := utf8.RuneCountInString(rule.Pattern); {
	case n == 0:
		return unprocessable("Package name pattern can't be blank")
	case n > maxPattern:
		return unprocessable("Package name pattern is too long (maximum is 255 characters)")
	case rule.Push == access.NoRole && rule.Delete == access.NoRole:
		return unprocessable("A rule must have at least a minimum access role for push or delete.")
	case !slices.Contains(push, rule.Push) || !slices.Contains(del, rule.Delete):
		return unprocessable("Minimum access level is not included in the list")
	}
	return nil
}

// taken turns a Conflict into GitLab's sentence about the pattern.
func taken(err error) error {
	if fault.Is(err, fault.Conflict) {
		return unprocessable("Package name pattern has already been taken")
	}
	return err
}

func unprocessable(sentence string) error {
	return &fault.Error{Kind: fault.Unprocessable, Fields: map[string][]string{"error": {sentence}}}
}
