package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// Help tells every setting once: those with a flag under the title of their
// purpose, the others by their variable, and no line is too long for a terminal.
func TestHelpTellsEverySettingOnce(t *testing.T) {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.Bool("own", false, "a flag of the command")
	AddFlags(fs)
	flags, usage := FlagUsages(fs), Usage()
	for _, s := range settings() {
		n, variables := strings.Count("\n"+flags, "\n      --"+s.name+" "), strings.Count(usage, "  "+s.env()+"\n")
		if s.secret && (n != 0 || variables != 1) || !s.secret && (n != 1 || variables != 0) {
			t.Errorf("%s is told %d times as a flag and %d times as a variable", s.name, n, variables)
		}
	}
	if strings.Count(flags, "--own ") != 1 || strings.Count(flags, "--config ") != 1 || strings.Index(flags, "--own") > strings.Index(flags, "--listen") {
		t.Errorf("flags that are no settings come first, once:\n%s", flags)
	}
	at := 0
	for _, s := range sections() {
		next := strings.Index(flags, "\n"+s.title+":\n")
		if next < at || !slices.ContainsFunc(s.settings, func(one setting) bool { return !one.secret }) {
			t.Errorf("%s is out of order, or empty", s.title)
		}
		at = next
	}
	if n := strings.Count(usage, "no flag"); n != 1 {
		t.Errorf("it is said %d times that others can see command lines:\n%s", n, usage)
	}
	for line := range strings.Lines(flags + usage) {
		if len(line) > helpWidth+10 { // one word may stand out
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}
