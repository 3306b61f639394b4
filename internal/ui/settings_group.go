package ui

import (
	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/projects"
)

// groupSettingsPage is the data of the page of a group's general settings.
type groupSettingsPage struct {
	Form         *form
	At           string // the address of the page
	Name         field
	Description  areaField
	Path         field
	Visibilities []visibilityRow
	Duplicates   duplicateFields
	Delete       string
}

// showGroupSettings is a group's general settings.
func showGroupSettings(v *visit) error {
	if err := v.need(access.EditGroup); err != nil {
		return err
	}
	g := v.group
	above, outer, err := v.groupAbove()
	if err != nil {
		return err
	}
	d := groupSettingsPage{
		Form: v.form, At: v.s.in(g.FullPath, "settings"), Name: newField(v.form, "name", "Name", g.Name).Required(), Description: v.description(g.Description),
		Path:         newField(v.form, "path", "Path", g.Path).Required().Help("What stands in addresses of the group and of all below it. The present ones lead to the new ones."),
		Visibilities: v.visibilityRows(g.Visibility, outer), Duplicates: v.duplicateFields(g.Duplicates, above), Delete: v.s.in(g.FullPath, "settings", "delete"),
	}
	return v.show(v.settingsScreen("settings_group", "settings", "Settings", d))
}

// groupAbove is what the page's group has from the group above it: the rule about
// duplicates and the highest visibility. Both are nil at the top, and for those who cannot
// see the group above.
func (v *visit) groupAbove() (*projects.Duplicates, *access.Visibility, error) {
	if v.group.ParentID == 0 {
		return nil, nil, nil
	}
	g, err := v.s.Projects.Group(v.r.Context(), v.actor, number(v.group.ParentID))
	if absent(err) {
		return nil, nil, nil
	}
	return &g.Effective, &g.Visibility, err
}

// duplicatesAbove is the rule of the group around the page's project, nil if there is no
// group that the actor can see.
func (v *visit) duplicatesAbove() (*projects.Duplicates, error) {
	if v.project.Namespace.Personal() {
		return nil, nil
	}
	g, err := v.s.Projects.Group(v.r.Context(), v.actor, number(v.project.Namespace.ID))
	if absent(err) {
		return nil, nil
	}
	return &g.Effective, err
}

// duplicateFields are the fields about files published twice; above is what holds if
// nothing is set here, nil if that is unknown.
func (v *visit) duplicateFields(d projects.Duplicates, above *projects.Duplicates) duplicateFields {
	stored, whose, exception := inherited, inherited, ""
	if d.Allowed != nil {
		stored = map[bool]string{true: "allowed", false: "refused"}[*d.Allowed]
	}
	if d.Exception != nil {
		whose, exception = own, *d.Exception
	}
	allowedAbove, exceptionAbove := "As the groups above", "As the groups above"
	if above != nil && above.Allowed != nil && above.Exception != nil {
		allowedAbove += ": " + map[bool]string{true: "allowed", false: "refused"}[*above.Allowed]
		exceptionAbove += ": none"
		if *above.Exception != "" {
			exceptionAbove = "As the groups above: " + *above.Exception
		}
	}
	return duplicateFields{
		Allowed: v.pick("generic_duplicates_allowed", "A file published twice", stored, inherited, allowedAbove, "allowed", "Allowed: the newest counts", "refused", "Refused").
			help("Of a final version, files never change."),
		Whose: v.pick("exception", "Exceptions", whose, inherited, exceptionAbove, own, "What the pattern below matches"),
		Exception: newField(v.form, "generic_duplicate_exception_regex", "Pattern of the exceptions", exception).Such("nightly-.*").
			Help("A regular expression (RE2) for the whole name or version. What matches has the opposite rule. Empty: none."),
	}
}

// sentDuplicates are the fields of duplicateFields as an edit.
func (v *visit) sentDuplicates() (allowed projects.Setting[bool], exception projects.Setting[string]) {
	allowed.Given, exception.Given = true, true
	if word := v.sent("generic_duplicates_allowed"); word == "allowed" || word == "refused" {
		yes := word == "allowed"
		allowed.Value = &yes
	}
	if text := v.sent("generic_duplicate_exception_regex"); v.sent("exception") == own {
		exception.Value = &text
	}
	return allowed, exception
}

// edit changes the group, and leads to its settings.
func (v *visit) editGroup(e projects.GroupEdit) error {
	g, err := v.s.Projects.EditGroup(v.r.Context(), v.actor, v.ref(), e)
	if err != nil {
		return v.again(showGroupSettings, visibilityField(err))
	}
	return v.see(v.s.in(g.FullPath, "settings"), "saved")
}

// editGroup changes what the form has.
func editGroup(v *visit) error {
	e := projects.GroupEdit{Name: v.given("name"), Path: v.given("path"), Description: v.given("description")}
	if v.given("exception") != nil {
		e.DuplicatesAllowed, e.DuplicateException = v.sentDuplicates()
	}
	return v.editGroup(e)
}

// setGroupVisibility changes who sees the group.
func setGroupVisibility(v *visit) error {
	visibility, err := v.visibility()
	if err != nil {
		return v.again(showGroupSettings, err)
	}
	return v.editGroup(projects.GroupEdit{Visibility: &visibility})
}

// transferGroup moves the group into another, or to the top.
func transferGroup(v *visit) error {
	var parent int64
	if path := v.sent("namespace"); path != "" {
		to, err := v.s.Projects.Group(v.r.Context(), v.actor, path)
		if absent(err) {
			err = fault.Field("namespace", "is no group that you can see: give its full path, or nothing for the top")
		}
		if err != nil {
			return v.again(showGroupSettings, err)
		}
		parent = to.ID
	}
	g, err := v.s.Projects.TransferGroup(v.r.Context(), v.actor, v.ref(), parent)
	if err != nil {
		return v.again(showGroupSettings, stays(err))
	}
	return v.see(v.s.in(g.FullPath, "settings"), "transferred")
}
