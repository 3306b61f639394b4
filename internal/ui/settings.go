package ui

import (
	"strconv"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/projects"
)

// settingsPage is the data of the page of a project's general settings.
type settingsPage struct {
	Form         *form
	At           string // the address of the page
	Name         field
	Description  areaField
	Topics       field
	Branch       field
	Path         field
	Visibilities []visibilityRow
	Feature      featureRow
	Owner        bool // may change the visibility, archive, transfer and delete
	Archived     bool
	Delete       string
}

// visibilityRow is a visibility that may be chosen.
type visibilityRow struct {
	choiceRow
	Why string // it may not be chosen; "" if it may
}

// featureRow is the state of generic_packages.
type featureRow struct {
	On, Sometimes bool
	From          string // in words
	Can           bool   // switch it
}

// maxDescription is the characters of a description.
const maxDescription = 2000

// showSettings is a project's general settings.
func showSettings(v *visit) error {
	if err := v.need(access.EditProject); err != nil {
		return err
	}
	here, err := v.s.Projects.FeatureHere(v.r.Context(), v.actor, v.ref())
	if err != nil {
		return err
	}
	p := v.project
	d := settingsPage{
		Form: v.form, At: v.s.in(p.FullPath, "settings"), Name: newField(v.form, "name", "Name", p.Name).Required(),
		Description: v.description(p.Description),
		Topics:      newField(v.form, "topics", "Topics", strings.Join(p.Topics, ", ")).Such("cli, tools").Help("At most 20, with commas between them.").Most(5000),
		Branch:      newField(v.form, "default_branch", "Default branch", p.DefaultBranch),
		Path:        newField(v.form, "path", "Path", p.Path).Required().Help("What stands in addresses. The present one stays reserved and leads to the new one."),
		Feature:     featureRow{On: here.On, Sometimes: here.Gates.PercentageOfTime > 0 && here.From == projects.FromShare && !here.On, From: sourceWords(here), Can: v.can(access.AdminFeatures)},
		Owner:       v.can(access.OwnProject), Archived: p.Archived, Delete: v.s.in(p.FullPath, "settings", "delete"),
	}
	var above *access.Visibility
	if !p.Namespace.Personal() {
		above = &p.Namespace.Visibility
	}
	d.Visibilities = v.visibilityRows(p.Visibility, above)
	return v.show(v.settingsScreen("settings", "settings", "Settings", d))
}

// description is the field of that name.
func (v *visit) description(stored string) areaField {
	return areaField{Form: v.form, Name: "description", Label: "Description", Value: v.form.Or("description", stored), Lines: 3, Length: maxDescription}
}

// visibilityRows are the visibilities; above is that of the group around, nil for none.
func (v *visit) visibilityRows(stored access.Visibility, above *access.Visibility) (rows []visibilityRow) {
	for _, row := range visibilities(stored) {
		row.Chosen = v.form.Or("visibility", number(int64(stored))) == row.Value
		r := visibilityRow{choiceRow: row}
		if level, err := strconv.Atoi(row.Value); err == nil && above != nil && access.Visibility(level) > *above {
			r.Why = "The group is " + visibilityWord(*above) + ", and nothing in it can be more visible."
		}
		rows = append(rows, r)
	}
	return rows
}

// sourceWords say where the state of generic_packages comes from.
func sourceWords(here projects.FeatureHere) string {
	switch here.From {
	case projects.FromProject:
		return "set for this project"
	case projects.FromInstance:
		return "set for the whole server"
	case projects.FromShare:
		if here.Gates.PercentageOfTime > 0 {
			return "set for " + number(here.Gates.PercentageOfTime) + " % of requests and " + number(here.Gates.PercentageOfActors) + " % of projects"
		}
		return "set for " + number(here.Gates.PercentageOfActors) + " % of projects"
	}
	return "the default: nobody has set it"
}

// edit changes the project, and leads to a page of its settings.
func (v *visit) edit(show func(*visit) error, e projects.ProjectEdit, parts ...string) error {
	p, err := v.s.Projects.EditProject(v.r.Context(), v.actor, v.ref(), e)
	if err != nil {
		return v.again(show, visibilityField(err))
	}
	return v.see(v.s.in(p.FullPath, parts...), "saved")
}

// editSettings changes what a project is called and what it is about, or its path: what
// the form has.
func editSettings(v *visit) error {
	var e projects.ProjectEdit
	e.Name, e.Path, e.Description, e.DefaultBranch = v.given("name"), v.given("path"), v.given("description"), v.given("default_branch")
	if text := v.given("topics"); text != nil {
		topics := topicsOf(*text)
		e.Topics = &topics
	}
	return v.edit(showSettings, e, "settings")
}

// given is a field as it was sent, nil if the form had none of that name.
func (v *visit) given(name string) *string {
	if _, sent := v.form.values[name]; !sent {
		return nil
	}
	text := v.sent(name)
	return &text
}

// givenText is a field with the blanks around it, nil if the form had none of that name.
func (v *visit) givenText(name string) *string {
	if !v.form.values.Has(name) {
		return nil
	}
	text := v.form.values.Get(name)
	return &text
}

// topicsOf are the texts between commas, without empty ones.
func topicsOf(text string) []string {
	topics := []string{}
	for topic := range strings.SplitSeq(text, ",") {
		if topic = strings.TrimSpace(topic); topic != "" {
			topics = append(topics, topic)
		}
	}
	return topics
}

// setVisibility changes who sees the project.
func setVisibility(v *visit) error {
	visibility, err := v.visibility()
	if err != nil {
		return v.again(showSettings, err)
	}
	return v.edit(showSettings, projects.ProjectEdit{Visibility: &visibility}, "settings")
}

// visibilityField gives a refusal of a visibility the name of the form's field.
func visibilityField(err error) error {
	if e, ok := fault.As(err, fault.Rejected); ok && len(e.Fields["visibility_level"]) > 0 {
		return fault.Field("visibility", e.Fields["visibility_level"][0])
	}
	return err
}

// setFeatureHere switches generic_packages for the project.
func setFeatureHere(v *visit) error {
	on := v.sent("value") == "1"
	change := projects.FeatureChange{Value: &on, Targets: projects.FeatureTargets{Projects: []string{v.full()}}}
	if _, err := v.s.Projects.SetFeature(v.r.Context(), v.actor, projects.GenericPackages, change); err != nil {
		return v.again(showSettings, err)
	}
	word := "off"
	if on {
		word = "on"
	}
	return v.see(v.s.in(v.full(), "settings"), word)
}

// archiveProject makes the project read-only, or writable again.
func archiveProject(v *visit) error {
	archived := v.sent("archived") == "1"
	if _, err := v.s.Projects.ArchiveProject(v.r.Context(), v.actor, v.ref(), archived); err != nil {
		return v.again(showSettings, err)
	}
	word := "unarchived"
	if archived {
		word = "archived"
	}
	return v.see(v.s.in(v.full(), "settings"), word)
}

// transferProject moves the project into another group or a user's own namespace.
func transferProject(v *visit) error {
	p, err := v.s.Projects.TransferProject(v.r.Context(), v.actor, v.ref(), v.sent("namespace"))
	if absent(err) {
		err = fault.Field("namespace", "is no group that you can see: give its full path")
	}
	if err != nil {
		return v.again(showSettings, stays(err))
	}
	return v.see(v.s.in(p.FullPath, "settings"), "transferred")
}

// stays takes the sentence out of GitLab's words for a project that is not transferred.
func stays(err error) error {
	e, ok := fault.As(err, fault.Rejected)
	if !ok || e.Fields != nil {
		return err
	}
	text := e.Msg
	if _, after, found := strings.Cut(text, `=>["`); found {
		text = strings.TrimSuffix(after, `"]}`)
	}
	return fault.New(fault.Rejected, strings.TrimPrefix(text, "Transfer failed: "))
}
