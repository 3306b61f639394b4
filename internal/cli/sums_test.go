package cli

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"granary/internal/client"
)

// What show --sums prints is read by sha256sum, and by verify --sums, whatever is in
// a name.
func TestSums(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it has no such names")
	}
	dir := t.TempDir()
	want := map[string]string{}
	var files []client.File
	for _, name := range []string{"plain", "two words ", `back\slash`, `\n`, "new\nline", "a\ttab", "größer", "*star"} {
		sum := sumOfBytes([]byte(name))
		write(t, filepath.Join(dir, name), name)
		files = append(files, client.File{Path: name, SHA256: sum})
		want[name] = sum
	}
	var printed bytes.Buffer
	if err := printSums(Env{Stdout: screen{&printed}}, files); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"escape\x1b[31m", "right\u202eleft"} {
		var none bytes.Buffer
		err := printSums(Env{Stdout: screen{&none}}, append(files[:1:1], client.File{Path: name, SHA256: want["plain"]}))
		if exitCode(err) != exitRefused || none.Len() > 0 {
			t.Errorf("%q: %v %q", name, err, &none)
		}
	}
	got, err := readSums(bytes.NewReader(printed.Bytes()), "SUMS")
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
	program, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Skip(err)
	}
	check := exec.Command(program, "--check", "--strict")
	check.Dir, check.Stdin = dir, &printed
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	made := exec.Command("sh", "-c", program+" -- *")
	made.Dir, made.Stderr = dir, os.Stderr
	theirs, err := made.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readSums(bytes.NewReader(theirs), "SUMS"); err != nil || !maps.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
}

func TestReadSums(t *testing.T) {
	sum := sumOfBytes(nil)
	for line, want := range map[string]string{
		sum + "  a":                        "a",
		strings.ToUpper(sum) + " *./d/a\r": "d/a",
		`\` + sum + `  a\rb\\n`:            "a\rb\\n",
		sum + `  a\nb`:                     `a\nb`,
	} {
		if got, err := readSums(strings.NewReader("# of one file\n\n"+line+"\n"), "SUMS"); err != nil || len(got) != 1 || got[want] != sum {
			t.Errorf("%s: %q %v", line, got, err)
		}
	}
	for _, line := range []string{"a", sum, sum + "  ", sum[1:] + "  a", `\` + sum + `  a\t`, `\` + sum + `  a\`, `\\` + sum + "  a", strings.Repeat("a", 1<<20)} {
		if got, err := readSums(strings.NewReader(line), "SUMS"); exitCode(err) != exitUsage || !strings.HasPrefix(err.Error(), "SUMS:") {
			t.Errorf("%.100s: %q %v", line, got, err)
		}
	}
}
