package config

import (
	"strings"

	"github.com/spf13/pflag"
)

// helpWidth is how many columns of a terminal help fills.
const helpWidth = 100

// AddFlags gives fs one flag for every setting that may be one, and --config.
// Load reads them back; nothing is kept here.
func AddFlags(fs *pflag.FlagSet) {
	fs.String(configFlag, "", "read settings from this YAML `file`")
	ofSetting := map[string][]string{isSetting: {}}
	for _, s := range settings() {
		if s.secret {
			continue
		}
		fs.String(s.name, s.def, s.help)
		f := fs.Lookup(s.name)
		f.Annotations = ofSetting
		if s.isBool {
			f.Value = boolText{f.Value}
			f.NoOptDefVal = "true"
		}
	}
}

// isSetting is an annotation of the flags of settings. A command may have a flag of its own
// with the name of a setting, which has none.
const isSetting = "granary-setting"

// flagOf is the flag of a setting; nil if there is none.
func flagOf(fs *pflag.FlagSet, s setting) *pflag.Flag {
	if f := fs.Lookup(s.name); f != nil && f.Annotations[isSetting] != nil {
		return f
	}
	return nil
}

// boolText is a flag's text that help shows as a switch. It is checked with all
// other values, not by the flag.
type boolText struct{ pflag.Value }

func (boolText) Type() string { return "bool" }

// Usage says in a few lines, for help texts, how settings are given other than
// by flags, and names the settings that are no flags.
func Usage() string {
	var b strings.Builder
	b.WriteString("Every setting may also be given in the environment or in the YAML file named by\n" +
		"--config or GRANARY_CONFIG: --data-dir is GRANARY_DATA_DIR and data_dir. A flag\n" +
		"overrides the environment, the environment the file, the file the default.\n" +
		"`granary config check` prints the values in use. A file may hold the value of\n" +
		"GRANARY_DATABASE, and of each variable below: GRANARY_DATABASE_FILE names it.\n\n" +
		"These have no flag, because other users can see command lines:\n")
	for _, s := range settings() {
		if s.secret {
			b.WriteString("  " + s.env() + "\n")
			b.WriteString("      " + strings.ReplaceAll(wrap(s.help, helpWidth-6), "\n", "\n      ") + "\n")
		}
	}
	return b.String()
}

// wrap breaks a text between words into lines of so many bytes.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > width:
			b.WriteString("\n")
			column = 0
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

// FlagUsages is the help for the flags of fs, those of AddFlags by purpose in
// the order of the table, all others first.
func FlagUsages(fs *pflag.FlagSet) string {
	var b strings.Builder
	told := map[string]bool{}
	var groups []*pflag.FlagSet
	for _, s := range sections() {
		group := pflag.NewFlagSet("", pflag.ContinueOnError)
		group.SortFlags = false
		for _, one := range s.settings {
			if f := flagOf(fs, one); f != nil {
				group.AddFlag(f)
				told[one.name] = true
			}
		}
		groups = append(groups, group)
	}
	others := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.VisitAll(func(f *pflag.Flag) {
		if !told[f.Name] {
			others.AddFlag(f)
		}
	})
	b.WriteString("Flags:\n" + others.FlagUsagesWrapped(helpWidth))
	for i, s := range sections() {
		b.WriteString("\n" + s.title + ":\n" + groups[i].FlagUsagesWrapped(helpWidth))
	}
	return b.String()
}
