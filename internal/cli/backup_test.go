package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupInWords: documents have lists, never null, and no times that never were; a
// snapshot that is not there is not found.
func TestBackupInWords(t *testing.T) {
	dir := served(t, "PUT packages/generic/tool/1.0.0/large "+strings.Repeat("large", 20_000))
	place := "file:" + filepath.Join(t.TempDir(), "place")
	document := func(args ...string) {
		t.Helper()
		code, out, errs := run(t, nil, append([]string{args[0], "--data-dir", dir, "--json"}, args[1:]...)...)
		if code != exitOK || !json.Valid([]byte(out)) || strings.Contains(out, "null") || strings.Contains(out, "0001-01-01") {
			t.Errorf("%q: %d, %s%s", args, code, out, errs)
		}
		if args[0] == "backup" && args[1] != "check" && !strings.Contains(out, `"granary": "backup"`) {
			t.Errorf("%q: %s, want what it is", args, out)
		}
	}
	document("backup", "--to", place, "--dry-run", "--limit-rate", "20MiB")
	document("backup", "--to", place)
	document("backup", "ls", "--to", place)
	document("backup", "check", "--to", place)
	document("restore", "--from", place, "--dry-run", "--data-dir", filepath.Join(t.TempDir(), "new"))
	for _, id := range []string{"nope", "20200101t000000.000z-00000000"} {
		if code, out, errs := run(t, nil, "backup", "forget", id, "--to", place); code != exitNotFound {
			t.Errorf("forget %s: %d, %s%s", id, code, out, errs)
		}
		if code, out, errs := run(t, nil, "restore", "--snapshot", id, "--from", place, "--data-dir", t.TempDir()); code != exitNotFound {
			t.Errorf("restore %s: %d, %s%s", id, code, out, errs)
		}
	}
}

// The exit codes in the help of the commands that look for damage are those of the documentation.
func TestExitCodesOfDamage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	if quote := "> " + strings.ReplaceAll(damageExitHelp, "\n", "\n> ") + "\n"; strings.Count(string(page), quote) != 1 {
		t.Errorf("docs/operations.md does not have\n%s", quote)
	}
	for _, args := range [][]string{{"backup"}, {"backup", "ls"}, {"backup", "check"}, {"backup", "forget"}, {"restore"}, {"rebuild"}, {"fsck"}} {
		if _, out, _ := run(t, nil, append(args, "--help")...); !strings.Contains(out, damageExitHelp) || strings.Contains(out, exitHelp) {
			t.Errorf("%q: %s", args, out)
		}
	}
}

// A number that is none is told without the name of a function.
func TestFlagsThatAreNoNumbers(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`--keep-daily is "many": want a whole number`:           {"backup", "--keep-daily", "many"},
		`--keep-weekly is "99999999999999999999": want a whole`: {"backup", "--keep-weekly", "99999999999999999999"},
		`--jobs is "1.5": want a whole number`:                  {"pull", "-j", "1.5"},
		`--dry-run is "maybe": want true or false`:              {"backup", "--dry-run=maybe"},
		`--timeout is "soon": want a number with a unit`:        {"ci", "run", "--timeout", "soon"},
	} {
		code, _, errs := run(t, nil, args...)
		if code != exitUsage || !strings.Contains(errs, want) || strings.Contains(errs, "strconv") {
			t.Errorf("%q: %d, %s", args, code, errs)
		}
	}
}

// One thing is one.
func TestOneOfSomething(t *testing.T) {
	t.Parallel()
	for n, want := range []string{"0 files are", "1 file is", "2 files are"} {
		if got := countedAre(int64(n), "file"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
