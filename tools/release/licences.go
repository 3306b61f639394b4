package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
)

// writeLicences collects in one file the licences of Go and of every module that the program
// says it is made of, and returns the file. A module without one is an error: nobody may
// publish it.
func (r *release) writeLicences(ctx context.Context, t target, program string) (string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", err
	}
	text := &strings.Builder{}
	fmt.Fprintf(text, "granary %s contains code of Go and of the modules below. These are their licences and notices.\n", r.version)
	root, err := r.goRoot(ctx)
	if err != nil {
		return "", err
	}
	if err := addLicences(text, "Go "+info.GoVersion, root, rootOnly); err != nil {
		return "", err
	}
	modules, err := r.modules(ctx, info.Deps)
	if err != nil {
		return "", err
	}
	for _, m := range modules {
		if err := addLicences(text, m.Path+" "+m.Version, m.Dir, wholeModule); err != nil {
			return "", err
		}
	}
	file := filepath.Join(r.work, t.os+"_"+t.cpu()+".licences")
	return file, os.WriteFile(file, []byte(text.String()), 0o644)
}

func (r *release) goRoot(ctx context.Context) (string, error) {
	root, err := output(r.goCommand(ctx, targets()[0], "env", "GOROOT"))
	return strings.TrimSpace(root), err
}

// module is a module, and where its files are in the module cache.
type module struct{ Path, Version, Dir string }

// modules finds the files of what a program was linked from, or has them fetched.
func (r *release) modules(ctx context.Context, linked []*debug.Module) (found []module, err error) {
	args := []string{"mod", "download", "-json"}
	for _, m := range linked {
		if m.Replace != nil {
			m = m.Replace
		}
		args = append(args, m.Path+"@"+m.Version)
	}
	said, err := output(r.goCommand(ctx, targets()[0], args...))
	if err != nil {
		return nil, err
	}
	for answers := json.NewDecoder(strings.NewReader(said)); answers.More(); {
		var m module
		if err := answers.Decode(&m); err != nil {
			return nil, fmt.Errorf("go mod download: %w", err)
		}
		found = append(found, m)
	}
	if len(found) != len(linked) {
		return nil, fmt.Errorf("the program has %d modules, and go mod download knows %d", len(linked), len(found))
	}
	return found, nil
}

// What addLicences looks through: a folder alone, or all below it as well, where code that came
// from elsewhere may have a licence of its own.
const (
	rootOnly    = false
	wholeModule = true
)

func addLicences(text *strings.Builder, name, folder string, below bool) error {
	named := regexp.MustCompile(`(?i)^(licen[cs]e|unlicense|copying|notice|patents)([-_.].*)?$`)
	found := false
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if path != folder && (!below || e.Name() == "testdata" || strings.HasPrefix(e.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if !e.Type().IsRegular() || !named.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			return nil
		}
		licence, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		within, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		found = found || within == e.Name()
		fmt.Fprintf(text, "\n%s\n%s: %s\n\n%s\n", strings.Repeat("=", 78), name, filepath.ToSlash(within), strings.TrimSpace(string(licence)))
		return nil
	})
	if err == nil && !found {
		return fmt.Errorf("%s has no licence in %s: nothing made of it may be published", name, folder)
	}
	return err
}
