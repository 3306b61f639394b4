package ui

import (
	"net/url"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/projects"
)

// variablesPage is the data of the page of a place's variables.
type variablesPage struct {
	Form  *form
	Rows  []variableRow
	Pager pager
	At    string // the address of the page
	Noun  string // "project" or "group"
	Can   bool   // make, edit and delete
	New   variableFields
}

// variableRow is one variable. Its value is not among the data of a page, unless it is
// revealed.
type variableRow struct {
	Key, Scope, Type, Description string
	Protected, Masked, Hidden     bool
	Revealed                      *code  // the value
	Reveal                        string // the address that reveals the value; "" if nobody can read it
	Edit                          string
}

// variableFields are the fields of a variable, for the template variable-fields.
type variableFields struct {
	Value                          areaField
	Type                           selectField
	Scope                          field
	Description                    field
	Protected, Masked, Hidden, Raw boxField
	New                            bool
}

// variables is the deeds about variables of the place.
func (v *visit) variables() projects.VariablesOf {
	if v.project != nil {
		return v.s.Projects.ProjectVariables()
	}
	return v.s.Projects.GroupVariables()
}

func showVariables(v *visit) error { return v.showVariables(nil) }

// showVariables is the variables; the value of the revealed one is shown.
func (v *visit) showVariables(revealed *projects.Variable) error {
	p, err := v.numbered()
	if err != nil {
		return err
	}
	found, err := v.variables().List(v.r.Context(), v.actor, v.ref(), p)
	if err != nil {
		return err
	}
	d := variablesPage{
		Form: v.form, Pager: v.pagerOf(p, found.Total, "variable", "variables"), At: v.s.in(v.full(), "settings", "variables"), Noun: v.noun(),
		Can: v.can(v.either(access.AdminProjectVariables, access.AdminGroupVariables)), New: v.variableFields(projects.Variable{Scope: projects.AnyScope}),
	}
	for _, one := range found.Rows {
		row := v.variableRow(one)
		if revealed != nil && revealed.ID == one.ID {
			row.Revealed = &code{"The value of " + one.Key, revealed.Value}
		}
		d.Rows = append(d.Rows, row)
	}
	page := v.settingsScreen("settings_variables", "settings/variables", "Variables", d)
	page.secret = revealed != nil
	return v.show(page)
}

func (v *visit) variableRow(one projects.Variable) variableRow {
	row := variableRow{
		Key: one.Key, Scope: one.Scope, Type: string(one.Type), Protected: one.Protected, Masked: one.Masked, Hidden: one.Hidden,
		Edit: v.s.in(v.full(), "settings", "variables", one.Key) + "?scope=" + url.QueryEscape(one.Scope),
	}
	if one.Description != nil {
		row.Description = *one.Description
	}
	if !one.Hidden {
		row.Reveal = v.s.in(v.full(), "settings", "variables", one.Key, "reveal") + "?scope=" + url.QueryEscape(one.Scope) + "&page=" + url.QueryEscape(v.query("page"))
	}
	return row
}

// chosen is the variable of the address: its key is in the path, its scope a parameter.
func (v *visit) chosen() projects.VariableRef {
	scope := v.query("scope")
	return projects.VariableRef{Key: v.values["key"], Scope: &scope}
}

// revealVariable shows the value of one variable. It is a POST, since it leaves an event.
func revealVariable(v *visit) error {
	found, err := v.variables().Reveal(v.r.Context(), v.actor, v.ref(), v.chosen())
	if err != nil {
		return err
	}
	v.form = &form{}
	return v.showVariables(&found)
}

// makeVariable makes a variable.
func makeVariable(v *visit) error {
	one := projects.Variable{
		Key: v.sent("key"), Value: v.form.values.Get("value"), Type: v.variableType(), Scope: v.sent("environment_scope"),
		Protected: v.ticked("protected"), Masked: v.ticked("masked"), Hidden: v.ticked("hidden"), Raw: v.ticked("raw"), Description: v.optional("description"),
	}
	if one.Scope == "" {
		one.Scope = projects.AnyScope
	}
	if _, err := v.variables().Create(v.r.Context(), v.actor, v.ref(), one); err != nil {
		return v.again(showVariables, err)
	}
	return v.see(v.s.in(v.full(), "settings", "variables"), "made")
}

// variableType is the field of that name.
func (v *visit) variableType() projects.VariableType {
	if v.sent("variable_type") == string(projects.FileType) {
		return projects.FileType
	}
	return projects.EnvVar
}

// optional is a field as it was sent, nil if it is empty.
func (v *visit) optional(name string) *string {
	if text := v.sent(name); text != "" {
		return &text
	}
	return nil
}

// variableFields are the fields of a new variable, or of one that is stored. The value is
// never among them: it is a secret.
func (v *visit) variableFields(one projects.Variable) variableFields {
	isNew := one.ID == 0
	description := ""
	if one.Description != nil {
		description = *one.Description
	}
	f := variableFields{
		Value:       areaField{Form: v.form, Name: "value", Label: "Value", Lines: 3, Length: 10000, Hint: "At most 10,000 characters."},
		Type:        v.pick("variable_type", "Type", string(one.Type), string(projects.EnvVar), "Variable", string(projects.FileType), "File"),
		Scope:       newField(v.form, "environment_scope", "Environments", one.Scope).Help("* is all. production, review/* and the like are some."),
		Description: newField(v.form, "description", "Description", description),
		Protected:   v.box("protected", "Protected", "Only for jobs of protected branches and tags.", one.Protected),
		Masked:      v.box("masked", "Masked in logs", "The value must be one line of at least 8 characters: letters, digits and _ + = / @ : . ~ -", one.Masked),
		Hidden:      v.box("hidden", "Hidden", "Nobody can read the value again, here or by the API. It is masked, too. This cannot be changed later.", one.Hidden),
		Raw:         v.box("raw", "Raw", "A $ in the value refers to no other variable. A masked value may then have any characters but blanks.", one.Raw),
		New:         isNew,
	}
	if !isNew {
		f.Value.Hint = "Empty keeps the value as it is. " + f.Value.Hint
	}
	return f
}

// variablePage is the data of the page that edits a variable.
type variablePage struct {
	Form      *form
	Key, Tag  string
	ScopeNow  string
	Fields    variableFields
	At        string // the address of the page
	Delete    string
	IsHidden  bool
	Can       bool
	Variables string // the address of the list
}

// showVariable is the page that edits one variable.
func showVariable(v *visit) error {
	one, err := v.variables().Get(v.r.Context(), v.actor, v.ref(), v.chosen())
	if err != nil {
		return err
	}
	list := v.s.in(v.full(), "settings", "variables")
	scope := "?scope=" + url.QueryEscape(one.Scope)
	d := variablePage{
		Form: v.form, Key: one.Key, ScopeNow: one.Scope, Tag: v.form.Or("tag", one.Tag()), Fields: v.variableFields(one), At: v.s.in(v.full(), "settings", "variables", one.Key) + scope,
		Delete: v.s.in(v.full(), "settings", "variables", one.Key, "delete") + scope, IsHidden: one.Hidden, Variables: list,
		Can: v.can(v.either(access.AdminProjectVariables, access.AdminGroupVariables)),
	}
	page := v.settingsScreen("settings_variable", "settings/variables", one.Key, d)
	page.crumbs = []link{{"Variables", list}}
	return v.show(page)
}

// editVariable changes a variable if it is still as the page showed it.
func editVariable(v *visit) error {
	kind, scope, description := v.variableType(), v.sent("environment_scope"), projects.Setting[string]{Given: true, Value: v.optional("description")}
	protected, masked, raw := v.ticked("protected"), v.ticked("masked"), v.ticked("raw")
	e := projects.VariableEdit{Type: &kind, Scope: &scope, Protected: &protected, Masked: &masked, Raw: &raw, Description: description}
	if value := v.form.values.Get("value"); value != "" {
		e.Value = &value
	}
	if _, err := v.variables().Edit(v.r.Context(), v.actor, v.ref(), v.chosen(), v.asShown(), e); err != nil {
		return v.again(showVariable, err)
	}
	return v.see(v.s.in(v.full(), "settings", "variables"), "saved")
}

// asShown is the condition that a variable is as the page of the form showed it.
func (v *visit) asShown() projects.Condition {
	return func(tag string) bool { return v.sent("tag") == tag }
}

// deleteVariable removes a variable if it is still as the page showed it.
func deleteVariable(v *visit) error {
	err := v.variables().Delete(v.r.Context(), v.actor, v.ref(), v.chosen(), v.asShown())
	if fault.Is(err, fault.Precondition) {
		return v.again(showVariable, err)
	}
	if err != nil {
		return err
	}
	return v.see(v.s.in(v.full(), "settings", "variables"), "removed")
}
