package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/files"
)

// addService puts the units of systemd into the package, the file of settings, and the scripts
// that run when it is installed and removed.
func (s *staging) addService(scripts *nfpm.Scripts) error {
	folder := "/usr/lib/systemd/system/"
	if s.kind == "deb" {
		folder = "/lib/systemd/system/"
	}
	paths, err := filepath.Glob(s.release.units())
	if err != nil {
		return err
	}
	var units []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		unit := filepath.Base(path)
		if unit == "granary.service" {
			if text, err = packagedUnit(text); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		if err := s.addText(folder+unit, text, "", 0o644); err != nil {
			return err
		}
		units = append(units, unit)
	}
	settings, err := packaging.ReadFile("packaging/granary.env")
	if err != nil {
		return err
	}
	// It may hold secrets. What the administrator wrote stays when the package is replaced.
	if err := s.addText("/etc/granary/granary.env", settings, files.TypeConfigNoReplace, 0o600); err != nil {
		return err
	}
	return s.addScripts(scripts, units)
}

// packagedUnit is the unit of deploy/ for a program that a package installs.
func packagedUnit(text []byte) ([]byte, error) {
	const ours, packaged = "/usr/local/bin/granary", "/usr/bin/granary"
	if strings.Count(string(text), "\nExecStart="+ours+" ") != 1 {
		return nil, fmt.Errorf("the unit has no line ExecStart=%s, which packages replace by %s", ours, packaged)
	}
	return []byte(strings.ReplaceAll(string(text), ours, packaged)), nil
}

func (s *staging) addScripts(scripts *nfpm.Scripts, units []string) error {
	for name, at := range map[string]*string{"postinst": &scripts.PostInstall, "prerm": &scripts.PreRemove, "postrm": &scripts.PostRemove} {
		text, err := s.fill(s.kind+"."+name, units)
		if err != nil {
			return err
		}
		*at = filepath.Join(s.folder, name)
		if err := os.WriteFile(*at, text, 0o755); err != nil {
			return err
		}
	}
	return nil
}
