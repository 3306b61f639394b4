package main

import (
	"embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/apk" // nfpm finds the three by their names
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

//go:embed packaging
var packaging embed.FS

const description = `generic package registry in one program
granary keeps the files of releases and serves them by the API that GitLab's
generic packages have, so that curl and release tools publish to it unchanged.
It is server and client in one.`

// writePackages makes the packages of a Linux target. Alpine's has the program and its pages
// alone, because there is no systemd.
func (r *release) writePackages(p parts) error {
	if p.target.os != "linux" {
		return nil
	}
	for _, kind := range []string{"deb", "rpm", "apk"} {
		packager, err := nfpm.Get(kind)
		if err != nil {
			return err
		}
		staged := staging{release: r, kind: kind, folder: filepath.Join(r.work, p.target.cpu()+"."+kind)}
		info, err := staged.info(p)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		name := packager.ConventionalFileName(info)
		r.say("packing %s", name)
		err = writeFile(filepath.Join(r.out, name), func(w io.Writer) error { return packager.Package(info, w) })
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// info is all that nfpm wants to know of a package.
func (s *staging) info(p parts) (*nfpm.Info, error) {
	r := s.release
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "granary", Arch: p.target.arch + p.target.arm, Platform: "linux", Version: r.version,
		Section: "net", Priority: "optional", Maintainer: r.maintainer, Description: description,
		MTime: r.date, DisableGlobbing: true,
	})
	if s.kind != "deb" { // Debian's control file has no such field
		info.License = "MIT"
	}
	info.Recommends = []string{"ca-certificates"}
	info.RPM.BuildHost = "localhost" // nfpm would ask this machine for its name
	info.RPM.Packager = r.maintainer
	if err := os.MkdirAll(s.folder, 0o755); err != nil {
		return nil, err
	}
	if err := s.addProgram(p); err != nil {
		return nil, err
	}
	if err := s.addDocuments(p); err != nil {
		return nil, err
	}
	if s.kind != "apk" {
		if err := s.addService(&info.Scripts); err != nil {
			return nil, err
		}
	}
	info.Contents = s.contents
	return info, nil
}

// staging is a package's files on their way to nfpm, which reads them from a folder.
type staging struct {
	release  *release
	kind     string // deb, rpm or apk
	folder   string
	contents files.Contents
}

// add puts a file into the package, as what nfpm calls its type: "" for any.
func (s *staging) add(to, from, kind string, mode os.FileMode) {
	s.contents = append(s.contents, &files.Content{Source: from, Destination: to, Type: kind,
		FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: s.release.date}})
}

// addText puts a file into the package that is there nowhere else.
func (s *staging) addText(to string, text []byte, kind string, mode os.FileMode) error {
	from := filepath.Join(s.folder, strings.ReplaceAll(to, "/", "+"))
	s.add(to, from, kind, mode)
	return os.WriteFile(from, text, 0o644)
}

// fill is a template of the folder packaging, filled.
func (s *staging) fill(name string, units []string) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").ParseFS(packaging, "packaging/"+name)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	err = t.Execute(&text, map[string]string{
		"version":    strings.Replace(s.release.number(), "-", "~", 1), // as nfpm has it
		"maintainer": s.release.maintainer,
		"date":       s.release.date.Format("Mon, 02 Jan 2006 15:04:05 -0700"),
		"units":      strings.Join(units, " "),
	})
	return []byte(text.String()), err
}

func (s *staging) addProgram(p parts) error {
	s.add("/usr/bin/granary", p.program, "", 0o755)
	zsh := "/usr/share/zsh/site-functions/_granary"
	if s.kind == "deb" {
		zsh = "/usr/share/zsh/vendor-completions/_granary"
	}
	names := completionNames()
	for shell, to := range map[string]string{"bash": "/usr/share/bash-completion/completions/granary", "zsh": zsh,
		"fish": "/usr/share/fish/vendor_completions.d/granary.fish"} {
		s.add(to, filepath.Join(p.pages.completions, names[shell]), "", 0o644)
	}
	manuals, err := filepath.Glob(filepath.Join(p.pages.manuals, "*"))
	if err != nil {
		return err
	}
	for _, path := range manuals {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if text, err = compressed(text); err != nil {
			return err
		}
		if err := s.addText("/usr/share/man/man1/"+filepath.Base(path)+".gz", text, "", 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (s *staging) addDocuments(p parts) error {
	changes, err := os.ReadFile(filepath.Join(s.release.source, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	if changes, err = compressed(changes); err != nil {
		return err
	}
	if err := s.addText("/usr/share/doc/granary/CHANGELOG.md.gz", changes, "", 0o644); err != nil {
		return err
	}
	if s.kind != "deb" {
		s.add("/usr/share/licenses/granary/LICENSE", filepath.Join(s.release.source, "LICENSE"), "", 0o644)
		s.add("/usr/share/licenses/granary/THIRD_PARTY_LICENSES", p.licences, "", 0o644)
		return nil
	}
	s.add("/usr/share/doc/granary/THIRD_PARTY_LICENSES", p.licences, "", 0o644)
	for name, to := range map[string]string{"copyright": "/usr/share/doc/granary/copyright",
		"changelog": "/usr/share/doc/granary/changelog.gz", "lintian-overrides": "/usr/share/lintian/overrides/granary"} {
		text, err := s.fill(name, nil)
		if err == nil && strings.HasSuffix(to, ".gz") {
			text, err = compressed(text)
		}
		if err != nil {
			return err
		}
		if err := s.addText(to, text, "", 0o644); err != nil {
			return err
		}
	}
	return nil
}
