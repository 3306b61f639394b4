package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// target is a system that the program is built for, in Go's words. On windows and darwin it is
// the client.
type target struct{ os, arch, arm string }

func targets() []target {
	return []target{
		{"linux", "amd64", ""}, {"linux", "arm64", ""}, {"linux", "arm", "7"},
		{"darwin", "amd64", ""}, {"darwin", "arm64", ""},
		{"windows", "amd64", ""},
	}
}

// chosen are all targets, or the one that is named.
func chosen(name string) ([]target, error) {
	if name == "" {
		return targets(), nil
	}
	var names []string
	for _, t := range targets() {
		if t.String() == name {
			return []target{t}, nil
		}
		names = append(names, t.String())
	}
	return nil, fmt.Errorf("-only %q is no system of a release: there are %s", name, strings.Join(names, ", "))
}

func (t target) String() string { return t.os + "/" + t.cpu() }

// cpu is the processor as people and file names have it: armv7, where Go says arm and 7.
func (t target) cpu() string {
	if t.arm != "" {
		return t.arch + "v" + t.arm
	}
	return t.arch
}

// stem begins the names of the target's files.
func (r *release) stem(t target) string {
	return "granary_" + r.number() + "_" + t.os + "_" + t.cpu()
}

// here is this machine's system, whose program writes the pages.
func here() target { return target{os: runtime.GOOS, arch: runtime.GOARCH} }

// parts is what a target's archives and packages are made of.
type parts struct {
	target   target
	program  string // a file
	licences string // a file
	pages    pages
}

// build makes the program of a target, and returns its file. Nothing of the machine gets into
// it but the version of Go: neither folders nor the processor's features nor GOFLAGS.
func (r *release) build(ctx context.Context, t target) (string, error) {
	r.say("building %s", t)
	program := filepath.Join(r.work, t.os+"_"+t.cpu(), "granary"+t.suffix())
	cmd := r.goCommand(ctx, t, "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.version="+r.version+" -X main.commit="+r.commit,
		"-o", program, "./cmd/granary")
	_, err := output(cmd)
	return program, err
}

func (t target) suffix() string {
	if t.os == "windows" {
		return ".exe"
	}
	return ""
}

func (r *release) goCommand(ctx context.Context, t target, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = r.source
	cmd.Env = append(os.Environ(), "GOOS="+t.os, "GOARCH="+t.arch, "GOARM="+cmp.Or(t.arm, "7"), "GOAMD64=v1", "GOARM64=v8.0",
		"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=")
	return cmd
}

// pages are folders of files that the program writes about itself.
type pages struct {
	manuals     string
	completions string // of each shell, by completionNames
}

// completionNames are the files of completions, by the name of their shell.
func completionNames() map[string]string {
	return map[string]string{"bash": "granary.bash", "zsh": "_granary", "fish": "granary.fish", "powershell": "granary.ps1"}
}

// writePages has a program that runs here write its manual pages and completions.
func (r *release) writePages(ctx context.Context, program string) (pages, error) {
	p := pages{filepath.Join(r.work, "man1"), filepath.Join(r.work, "completions")}
	if _, err := output(exec.CommandContext(ctx, program, "man", p.manuals)); err != nil {
		return p, err
	}
	if err := os.Mkdir(p.completions, 0o755); err != nil {
		return p, err
	}
	for shell, name := range completionNames() {
		script, err := output(exec.CommandContext(ctx, program, "completion", shell))
		if err != nil {
			return p, err
		}
		if err := os.WriteFile(filepath.Join(p.completions, name), []byte(script), 0o644); err != nil {
			return p, err
		}
	}
	return p, nil
}
