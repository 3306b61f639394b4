package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is wrong with an ignore file is told by its line's number: the text of one that
// is a link may be a secret. One that leads out of the directory is not read at all,
// whatever is done with other links.
func TestIgnoreFileTellsNoText(t *testing.T) {
	const secret = "glpat-secret"
	outside := write(t, filepath.Join(t.TempDir(), "environ"), "!"+secret)
	for name, tt := range map[string]struct{ text, link, want string }{
		"taken back": {text: "# a\n\n!" + secret, want: ".granaryignore:3 begins with !, which is not supported here"},
		"no pattern": {text: "[" + secret, want: ".granaryignore:1 is not a pattern"},
		"too long":   {text: strings.Repeat(secret, maxIgnoreFile/len(secret)+1), want: "has more than 1048576 bytes"},
		"inside":     {link: "rules", want: ".granaryignore:1 begins with !, which is not supported here"},
		"outside":    {link: outside, want: "is a link that leads out of "},
		"broken":     {link: "nowhere"},
		"directory":  {link: ".", want: ".granaryignore is not a regular file"},
		"fine":       {text: "*.o\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "rules"), "!"+secret)
			if tt.link == "" {
				write(t, filepath.Join(dir, ignoreFile), tt.text)
			} else if err := os.Symlink(tt.link, filepath.Join(dir, ignoreFile)); err != nil {
				t.Skip(err) // there are file systems without
			}
			for _, links := range []string{linksError, linksSkip, linksFollow} {
				f := finder{links: links, notice: func(string, ...any) {}}
				f.at(t.Context(), dir)
				err := f.failed()
				if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret)) {
					t.Errorf("--links %s: %v, want %q", links, err, tt.want)
				}
			}
		})
	}
}

// Git's own is left out however it is written, and so is all below what is left out;
// what a package has of it is seen, and nothing else of it.
func TestLeftOut(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", ".GIT/hook", "lib/.Git", "build/old", "build/deep/new", ".gitignore"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), "x")
	}
	write(t, filepath.Join(dir, ignoreFile), "build\n")
	for _, tt := range []struct {
		has     map[string]bool
		exclude globs
		want    string
	}{
		{want: ".gitignore a"},
		{has: map[string]bool{"build": true, "build/deep": true, "build/deep/new": true}, want: ".gitignore a build/deep/new"},
		{has: map[string]bool{"build": true, "build/old": true}, exclude: globs{"build/"}, want: ".gitignore a"},
		{has: map[string]bool{".GIT": true, ".GIT/other": true, "a": true}, exclude: globs{"/a"}, want: ".gitignore"},
	} {
		f := finder{has: tt.has, exclude: tt.exclude}
		f.below(t.Context(), dir, dir, "**")
		var found []string
		for _, s := range f.found {
			found = append(found, s.path)
		}
		if got := strings.Join(found, " "); got != tt.want || f.failed() != nil {
			t.Errorf("%v without %v: %s, want %s; %v", tt.has, tt.exclude, got, tt.want, f.failed())
		}
	}
	f := finder{}
	f.at(t.Context(), filepath.Join(dir, ".GIT"))
	f.at(t.Context(), filepath.Join(dir, ".GIT", "hook"))
	if err := f.failed(); err == nil || strings.Count(err.Error(), "belongs to git and is never published") != 2 {
		t.Error(err)
	}
}
