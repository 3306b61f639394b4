package main

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aead.dev/minisign"
)

// What no release can be made of is refused before anything is built, in words that say why.
func TestRefusals(t *testing.T) {
	source := repository(t)
	_, good := newKey(t)
	_, secret, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	locked, err := minisign.EncryptKey("password", secret)
	if err != nil {
		t.Fatal(err)
	}
	lockedFile := filepath.Join(t.TempDir(), "locked")
	if err := os.WriteFile(lockedFile, locked, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	tests := []struct {
		args    string
		environ map[string]string
		want    string
	}{
		{"", nil, `the version "" is none of a release`},
		{"-version 1.2.3", nil, `"1.2.3" is none of a release`},
		{"-version v1.2", nil, `"v1.2" is none of a release`},
		{"-version v01.2.3", nil, `"v01.2.3" is none of a release`},
		{"-version v1.2.3+build", nil, `is none of a release`},
		{"-version v1.2.3", nil, "-out names no folder"},
		{"-version v1.2.3 -out " + source, nil, "is there already"},
		{"-version v1.2.3 -out " + out + " -only plan9/mips", nil, `"plan9/mips" is no system of a release: there are linux/amd64`},
		{"-version v1.2.3 -out " + out + " -base-url http://plain.example", nil, "starts with https://"},
		{"-version v1.2.3 -out " + out, map[string]string{"SOURCE_DATE_EPOCH": "yesterday"}, `"yesterday" is no number of seconds`},
		{"-version v1.2.3 -out " + out, map[string]string{"MINISIGN_KEY_FILE": lockedFile}, "is encrypted"},
		{"-version v1.2.3 -out " + out, map[string]string{"MINISIGN_KEY_FILE": filepath.Join(source, "none")}, "no such file"},
		{"-version v1.2.3 -out " + out, map[string]string{"MINISIGN_KEY_FILE": filepath.Join(source, "go.mod")}, "MINISIGN_KEY_FILE"},
		// The sources are no program, so that what passes all checks fails then.
		{"-version v1.2.3-rc.1 -out " + out, map[string]string{"MINISIGN_KEY_FILE": good}, "go build"},
	}
	for _, tt := range tests {
		err := run(t.Context(), append([]string{"-source", source}, strings.Fields(tt.args)...), func(name string) string { return tt.environ[name] }, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %v: %v, want %q", tt.args, tt.environ, err, tt.want)
		}
	}
	if err := os.WriteFile(filepath.Join(source, "more.go"), []byte("package main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = run(t.Context(), []string{"-source", source, "-version", "v1.2.3", "-out", out}, func(string) string { return "" }, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "more.go") {
		t.Errorf("a file that is in no commit goes into a release: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) > 0 {
		t.Errorf("refusals left %q", left)
	}
}

// repository is one with a commit and a module without a program.
func repository(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "go.mod"), []byte("module granary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	commit(t, folder)
	return folder
}

// commit makes a repository of a folder, with one commit, which is the same each time.
func commit(t *testing.T, folder string) {
	t.Helper()
	command(t, folder, "git", "init", "--quiet")
	command(t, folder, "git", "add", "--all")
	command(t, folder, "env", "GIT_AUTHOR_DATE=2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z",
		"git", "-c", "user.name=test", "-c", "user.email=test@granary.invalid", "commit", "--quiet", "--message=all")
}

// Packages start the program where they install it. A unit that says this in another way must
// not be shipped as it is.
func TestPackagedUnit(t *testing.T) {
	good := "[Service]\nExecStart=/usr/local/bin/granary serve\nExecReload=/usr/local/bin/granary x\n"
	got, err := packagedUnit([]byte(good))
	if want := "[Service]\nExecStart=/usr/bin/granary serve\nExecReload=/usr/bin/granary x\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"[Service]\nExecStart=/opt/granary serve\n", "#ExecStart=/usr/local/bin/granary serve\n", good + good} {
		if got, err := packagedUnit([]byte(bad)); err == nil {
			t.Errorf("%q becomes %q", bad, got)
		}
	}
}

func TestLicences(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"license.go": "package x", "a/LICENSE": "of a part", "testdata/LICENSE": "of a test", "README": "x"} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := addLicences(&strings.Builder{}, "example.com/m v1.0.0", folder, wholeModule); err == nil || !strings.Contains(err.Error(), "example.com/m v1.0.0 has no licence") {
		t.Errorf("a module without a licence: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "LICENCE.txt"), []byte("of the whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := addLicences(&text, "example.com/m v1.0.0", folder, wholeModule); err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]bool{"of the whole": true, "of a part": true, "example.com/m v1.0.0: a/LICENSE": true, "package x": false, "of a test": false} {
		if strings.Contains(text.String(), part) != want {
			t.Errorf("%q: want %v in\n%s", part, want, text.String())
		}
	}
}

func TestFormulas(t *testing.T) {
	r := newRelease(t, "../..")
	r.baseURL = "https://packages.example.com/granary/v1.2.3"
	var packed []parts
	for _, of := range targets() {
		packed = append(packed, parts{target: of})
		for _, end := range []string{".tar.gz", ".zip"} {
			if err := os.WriteFile(filepath.Join(r.out, r.stem(of)+end), []byte(of.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.writeFormulas(packed); err != nil {
		t.Fatal(err)
	}
	files := contents(t, r.out)
	for _, of := range []string{"darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64"} {
		digest, err := digestOf(filepath.Join(r.out, "granary_1.2.3_"+of+".tar.gz"))
		if want := `url "` + r.baseURL + "/granary_1.2.3_" + of + ".tar.gz\"\n      sha256 \"" + digest + `"`; err != nil || !strings.Contains(files["granary.rb"], want) {
			t.Errorf("%v, the formula has no %q:\n%s", err, want, files["granary.rb"])
		}
	}
	var manifest struct {
		Version      string
		Architecture map[string]struct {
			URL, Hash string
			Extract   string `json:"extract_dir"`
		}
	}
	if err := json.Unmarshal([]byte(files["granary.json"]), &manifest); err != nil {
		t.Fatal(err)
	}
	digest, err := digestOf(filepath.Join(r.out, "granary_1.2.3_windows_amd64.zip"))
	if got := manifest.Architecture["64bit"]; err != nil || manifest.Version != "1.2.3" || got.Hash != digest ||
		got.URL != r.baseURL+"/granary_1.2.3_windows_amd64.zip" || got.Extract != "granary_1.2.3_windows_amd64" {
		t.Errorf("%v %+v", err, manifest)
	}
}
