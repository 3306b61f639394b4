package ui

import (
	"math"
	"strconv"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/projects"
)

// packageSettingsPage is the data of the page of a project's package settings.
type packageSettingsPage struct {
	Form       *form
	At         string // the address of the page
	Access     selectField
	Naming     selectField
	Examples   []namingExample
	Duplicates duplicateFields
	Largest    field
	Drafts     selectField
	Finalisers selectField
}

// namingExample is a file that a naming accepts.
type namingExample struct{ Naming, File string }

// duplicateFields are the fields about files that are published twice, for the template
// duplicate-fields.
type duplicateFields struct {
	Allowed   selectField
	Whose     selectField // the exception: inherited, or one of its own
	Exception field
}

// Values of a select that is not set here.
const (
	inherited = "inherit"
	own       = "own"
)

// showPackageSettings is the rules of publishing in a project.
func showPackageSettings(v *visit) error {
	if err := v.need(access.EditProject); err != nil {
		return err
	}
	p, r := v.project, v.s.Registry
	above, err := v.duplicatesAbove()
	if err != nil {
		return err
	}
	d := packageSettingsPage{
		Form: v.form, At: v.s.in(p.FullPath, "settings", "packages"),
		Access: v.pick("package_registry_access_level", "Registry", p.PackageAccess.String(), "disabled", "Off: nobody publishes or installs", "private", "Members from Reporter up",
			"enabled", "Everyone who sees the project", "public", "Everyone may install, even of a private project").help("Everyone who may see the project installs, unless it says otherwise here."),
		Naming:   v.pick("generic_package_naming", "Naming", orInherited(p.Naming), inherited, "As the server: "+string(r.Naming), string(naming.Strict), "Strict", string(naming.Relaxed), "Relaxed"),
		Examples: namingExamples(), Duplicates: v.duplicateFields(p.Duplicates, above),
		Largest: newField(v.form, "generic_packages_max_file_size", "Largest file", limitText(p.MaxFileSize)).Such("2 GiB").
			Help("Such as 500 MiB. Empty: as the server, which takes " + limitWords(r.MaxFileSize) + ". 0: no limit."),
		Drafts: v.pick("generic_package_drafts", "Drafts", orInherited(p.Drafts), draftChoices(string(r.Drafts))...).help("A draft is seen by nobody else until it is final."),
		Finalisers: v.pick("generic_package_finalisers", "Who makes versions final", orInherited(p.Finalisers), inherited, "Those who may publish", string(access.Maintainers), "Maintainers, of those who may publish",
			string(access.People), "Maintainers in person: no job, no bot, no deploy token"),
	}
	return v.show(v.settingsScreen("settings_packages", "settings/packages", "Package settings", d))
}

// namingExamples are files of which strict accepts only the first. A test holds this.
func namingExamples() []namingExample {
	return []namingExample{{"strict and relaxed", "my-tool/1.2.3/tool_linux.tar.gz"}, {"relaxed only", "my-tool/1.2.3-rc.1/bin/tool@linux.tar.gz"}}
}

// draftChoices are the modes of drafts; server is the server's.
func draftChoices(server string) []string {
	words := map[string]string{
		"on_request": "Only if the publisher asks for one", "always": "Every publish makes one", "release": "Until the version is released", "job": "Every job makes one, until it ends",
	}
	if server == "" {
		server = "on_request"
	}
	pairs := []string{inherited, "As the server: " + strings.ToLower(words[server][:1]) + words[server][1:]}
	for _, mode := range projects.DraftModes() {
		pairs = append(pairs, string(mode), words[string(mode)])
	}
	return pairs
}

// orInherited is the value of a setting for its select.
func orInherited[T ~string](value *T) string {
	if value == nil {
		return inherited
	}
	return string(*value)
}

// setting is a select as an edit: inherited clears.
func setting[T ~string](text string) projects.Setting[T] {
	if text == inherited {
		return projects.Setting[T]{Given: true}
	}
	value := T(text)
	return projects.Setting[T]{Given: true, Value: &value}
}

// editPackageSettings changes the rules of publishing.
func editPackageSettings(v *visit) error {
	largest, err := v.largest("generic_packages_max_file_size")
	if err != nil {
		return v.again(showPackageSettings, err)
	}
	level, err := v.packageAccess()
	if err != nil {
		return v.again(showPackageSettings, err)
	}
	allowed, exception := v.sentDuplicates()
	return v.edit(showPackageSettings, projects.ProjectEdit{
		PackageAccess: &level, Naming: setting[naming.Grammar](v.sent("generic_package_naming")), DuplicatesAllowed: allowed, DuplicateException: exception,
		MaxFileSize: largest, Drafts: setting[projects.DraftMode](v.sent("generic_package_drafts")), Finalisers: setting[access.Finalisers](v.sent("generic_package_finalisers")),
	}, "settings", "packages")
}

// packageAccess is the field of the registry's access level.
func (v *visit) packageAccess() (access.PackageAccess, error) {
	for _, level := range []access.PackageAccess{access.PackagesDisabled, access.PackagesPrivate, access.PackagesEnabled, access.PackagesPublic} {
		if v.sent("package_registry_access_level") == level.String() {
			return level, nil
		}
	}
	return 0, fault.Field("package_registry_access_level", "is disabled, private, enabled or public")
}

// largest is a field of bytes.
func (v *visit) largest(name string) (projects.Setting[int64], error) {
	text := v.sent(name)
	if text == "" {
		return projects.Setting[int64]{Given: true}, nil
	}
	bytes, ok := parseSize(text)
	if !ok {
		return projects.Setting[int64]{}, fault.Field(name, "must be a number of bytes, or a size such as 500 MiB or 2 GiB")
	}
	return projects.Setting[int64]{Given: true, Value: &bytes}, nil
}

// parseSize reads a number of bytes, with or without a unit.
func parseSize(text string) (int64, bool) {
	digits := strings.TrimRight(text, "BKMGTibkmgt ")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit := strings.ToLower(strings.TrimSpace(text[len(digits):]))
	factor, known := map[string]int64{"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}[unit]
	if err != nil || !known || n < 0 || n > math.MaxInt64/factor {
		return 0, false
	}
	return n * factor, true
}

// limitText is a limit as parseSize reads it, exactly; "" if it is not set.
func limitText(limit *int64) string {
	switch {
	case limit == nil:
		return ""
	case *limit == 0:
		return "0"
	}
	n, unit := *limit, 0
	for n%1024 == 0 && unit < 4 {
		n, unit = n/1024, unit+1
	}
	return number(n) + []string{" B", " KiB", " MiB", " GiB", " TiB"}[unit]
}

// limitWords is a limit in a sentence.
func limitWords(limit int64) string {
	if limit == 0 {
		return "files of any size"
	}
	return "files up to " + size(limit)
}
