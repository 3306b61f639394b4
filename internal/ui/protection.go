package ui

import (
	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/registry"
)

// protectionPage is the data of the page of a project's protection rules.
type protectionPage struct {
	Form   *form
	Rows   []protectionRow
	Pager  pager
	At     string // the address of the page
	Can    bool
	Tried  *protectionRow // what the pattern in the new form matches; nil if there is none
	All    bool           // every package was looked at
	Looked int            // else the first so many
	New    protectionFields
}

// protectionRow is a rule, and what it matches now.
type protectionRow struct {
	Pattern, Type   string
	Publish, Delete string // in words
	Match           registry.Match
	Packages        []link // of Match.First
	Edit            string
}

// protectionFields are the fields of a rule, for the template protection-fields.
type protectionFields struct {
	Pattern         field
	Publish, Delete selectField
}

// protectionsOf is how many rules a page shows.
const protectionsOf = 20

// genericType is the type of the packages that there are here. Rules for others are kept
// without effect.
const genericType = "generic"

// showProtection is the rules and the packages that each matches. With a pattern in the
// address it also shows what a rule with it would match.
func showProtection(v *visit) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	p.Size = protectionsOf
	found, err := v.s.Registry.ListProtectionRules(v.r.Context(), v.actor, v.ref(), p)
	if err != nil {
		return err
	}
	tried := v.form.Or("package_name_pattern", v.query("package_name_pattern"))
	var patterns []string
	for _, rule := range found.Rows {
		patterns = append(patterns, rule.Pattern)
	}
	if tried != "" {
		patterns = append(patterns, tried)
	}
	matches, err := v.s.Registry.ProtectionMatches(v.r.Context(), v.actor, v.ref(), patterns)
	if err != nil {
		return err
	}
	push, del := access.Maintainer, access.NoRole
	if tried != "" {
		push, del = roleOf(v.query("minimum_access_level_for_push")), roleOf(v.query("minimum_access_level_for_delete"))
	}
	d := protectionPage{
		Form: v.form, Pager: v.pagerOf(p, found.Total, "rule", "rules"), At: v.s.in(v.full(), "settings", "protection"), Can: v.can(access.AdminProtections),
		All: matches.All, Looked: registry.MatchesLooked, New: v.protectionFields(registry.ProtectionRule{Pattern: tried, Push: push, Delete: del}),
	}
	for i, rule := range found.Rows {
		d.Rows = append(d.Rows, v.protectionRow(rule, matches.Of[i]))
	}
	if tried != "" {
		row := v.protectionRow(registry.ProtectionRule{Pattern: tried}, matches.Of[len(found.Rows)])
		d.Tried = &row
	}
	return v.show(v.settingsScreen("settings_protection", "settings/protection", "Protection", d))
}

func (v *visit) protectionRow(rule registry.ProtectionRule, m registry.Match) protectionRow {
	row := protectionRow{
		Pattern: rule.Pattern, Publish: leastWords(rule.Push), Delete: leastWords(rule.Delete), Match: m,
		Edit: v.s.in(v.full(), "settings", "protection", number(rule.ID)),
	}
	if rule.PackageType != genericType {
		row.Type = rule.PackageType
	}
	for _, name := range m.First {
		row.Packages = append(row.Packages, link{string(name), v.s.in(v.full(), "packages", "generic", string(name))})
	}
	return row
}

// leastWords is the least role of a rule in words.
func leastWords(r access.Role) string {
	if r == access.NoRole {
		return "as the project"
	}
	return r.String()
}

func (v *visit) protectionFields(rule registry.ProtectionRule) protectionFields {
	words := func(roles ...access.Role) (pairs []string) {
		for _, r := range roles {
			name := r.String()
			if r == access.NoRole {
				name = "As the project: the rule does not say"
			}
			pairs = append(pairs, number(int64(r)), name)
		}
		return pairs
	}
	return protectionFields{
		Pattern: newField(v.form, "package_name_pattern", "Packages", rule.Pattern).Required().Such("sonde-*").Help("A name; * stands for anything, and case does not matter."),
		Publish: v.pick("minimum_access_level_for_push", "Least role to publish", number(int64(rule.Push)), words(access.NoRole, access.Maintainer, access.Owner, access.Admin)...),
		Delete:  v.pick("minimum_access_level_for_delete", "Least role to delete", number(int64(rule.Delete)), words(access.NoRole, access.Owner, access.Admin)...),
	}
}

// sentRule puts the fields of a form into a rule.
func (v *visit) sentRule(rule *registry.ProtectionRule) {
	rule.Pattern, rule.Push, rule.Delete = v.sent("package_name_pattern"), v.role("minimum_access_level_for_push"), v.role("minimum_access_level_for_delete")
}

// makeProtection makes a rule, which counts at once.
func makeProtection(v *visit) error {
	rule := registry.ProtectionRule{PackageType: genericType}
	v.sentRule(&rule)
	if _, err := v.s.Registry.CreateProtectionRule(v.r.Context(), v.actor, v.ref(), rule); err != nil {
		return v.again(showProtection, sentenceOf(err))
	}
	return v.see(v.s.in(v.full(), "settings", "protection"), "made")
}

// protectionRulePage is the data of the page that edits a rule.
type protectionRulePage struct {
	Form   *form
	Row    protectionRow
	Fields protectionFields
	At     string // the address of the page
	Can    bool
	All    bool
	Looked int
}

// showProtectionRule is the page that edits one rule.
func showProtectionRule(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	rule, err := v.s.Registry.ProtectionRule(v.r.Context(), v.actor, v.ref(), id)
	if err != nil {
		return err
	}
	matches, err := v.s.Registry.ProtectionMatches(v.r.Context(), v.actor, v.ref(), []string{rule.Pattern})
	if err != nil {
		return err
	}
	at := v.s.in(v.full(), "settings", "protection", number(id))
	d := protectionRulePage{Form: v.form, Row: v.protectionRow(rule, matches.Of[0]), Fields: v.protectionFields(rule), At: at, Can: v.can(access.AdminProtections), All: matches.All, Looked: registry.MatchesLooked}
	page := v.settingsScreen("settings_protection_rule", "settings/protection", rule.Pattern, d)
	page.crumbs = []link{{"Protection", v.s.in(v.full(), "settings", "protection")}}
	return v.show(page)
}

// editProtection changes a rule.
func editProtection(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	if _, err := v.s.Registry.EditProtectionRule(v.r.Context(), v.actor, v.ref(), id, v.sentRule); err != nil {
		return v.again(showProtectionRule, sentenceOf(err))
	}
	return v.see(v.s.in(v.full(), "settings", "protection"), "saved")
}

// deleteProtection removes a rule.
func deleteProtection(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	if err := v.s.Registry.DeleteProtectionRule(v.r.Context(), v.actor, v.ref(), id); err != nil {
		return err
	}
	return v.see(v.s.in(v.full(), "settings", "protection"), "removed")
}

// sentenceOf is a refusal of a protection rule, whose field "error" has whole sentences
// about no field.
func sentenceOf(err error) error {
	if e, ok := fault.As(err, fault.Unprocessable); ok && len(e.Fields["error"]) > 0 {
		return fault.New(fault.Unprocessable, e.Fields["error"][0])
	}
	return err
}
