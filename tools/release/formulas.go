package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// writeFormulas makes Homebrew's formula and scoop's manifest, which name files by their
// address and digest. Without an address there are none.
func (r *release) writeFormulas(packed []parts) error {
	if r.baseURL == "" {
		r.say("no formula for Homebrew and no manifest for scoop: BASE_URL, the address of the release's files, is not set")
		return nil
	}
	archives := map[string]map[string]string{} // by the target's name
	for _, p := range packed {
		name := r.stem(p.target) + ".tar.gz"
		if p.target.os == "windows" {
			name = r.stem(p.target) + ".zip"
		}
		digest, err := digestOf(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		key := p.target.os + "_" + p.target.cpu()
		archives[key] = map[string]string{"url": r.baseURL + "/" + name, "sha256": digest, "folder": r.stem(p.target)}
	}
	filled := map[string]any{"version": r.number(), "url": r.baseURL, "archives": archives}
	for name, needs := range map[string][]string{
		"granary.rb":   {"darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64"},
		"granary.json": {"windows_amd64"},
	} {
		if !hasAll(archives, needs) { // one system alone is being made
			continue
		}
		t, err := template.ParseFS(packaging, "packaging/"+name)
		if err != nil {
			return err
		}
		err = writeFile(filepath.Join(r.out, name), func(w io.Writer) error { return t.Execute(w, filled) })
		if err != nil {
			return err
		}
	}
	return nil
}

func hasAll(archives map[string]map[string]string, names []string) bool {
	for _, name := range names {
		if archives[name] == nil {
			return false
		}
	}
	return true
}

func digestOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// fitsFormulas tells whether an address can stand in a formula as it is, or is "", for none.
func fitsFormulas(address string) bool {
	return address == "" || strings.HasPrefix(address, "https://") && !strings.ContainsAny(address, "\"'\\#?{}<> \t\n")
}
