package main

import (
	"debug/buildinfo"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"aead.dev/minisign"
)

const megabyte = 1 << 20

// A whole release, made twice in two folders, and by a third run that has nothing built yet.
// Other people's programs read what it has. `make proof-release` runs this, as root on Debian.
func TestProof(t *testing.T) {
	if os.Getenv("GRANARY_TEST_RELEASE") != "all" {
		t.Skip("building all systems takes many minutes: make proof-release")
	}
	if os.Geteuid() != 0 {
		t.Fatal("programs are run in other roots, which only root may")
	}
	keys := t.TempDir()
	command(t, keys, "minisign", "-G", "-W", "-p", "public", "-s", "secret")
	tool := filepath.Join(t.TempDir(), "release")
	command(t, ".", "go", "build", "-o", tool, ".")
	secret := "MINISIGN_KEY_FILE=" + filepath.Join(keys, "secret")
	m := maker{tool, snapshot(t)}
	made := m.release(t, "v1.2.3", nil, secret)
	t.Run("twice", func(t *testing.T) {
		// Nothing of a machine's settings may get into it.
		defer syscall.Umask(syscall.Umask(0o077))
		sameFiles(t, made, m.release(t, "v1.2.3", nil, secret, "TZ=Asia/Tokyo", "GOFLAGS=-tags=other", "GOAMD64=v3", "LC_ALL=C"))
	})
	t.Run("from nothing", func(t *testing.T) {
		again := contents(t, m.release(t, "v1.2.3", []string{"-only", "linux/amd64"}, "GOCACHE="+t.TempDir()))
		first, same := contents(t, made), 0
		for name := range maps.Keys(again) {
			if name == sumsName || strings.HasSuffix(name, "_image.tar") { // of fewer systems
				continue
			}
			if same++; first[name] != again[name] {
				t.Errorf("%s differs", name)
			}
		}
		if same != 5 {
			t.Errorf("%d files compared", same)
		}
	})
	t.Run("archives", func(t *testing.T) { proveArchives(t, made) })
	t.Run("sums", func(t *testing.T) { proveSums(t, made, filepath.Join(keys, "public")) })
	t.Run("image", func(t *testing.T) { proveImage(t, only(t, made, "*_image.tar")) })
	t.Run("packages", func(t *testing.T) { provePackages(t, made) })
	t.Run("deb", func(t *testing.T) {
		next := m.release(t, "v1.2.4", []string{"-only", "linux/" + here().cpu()})
		deb := "granary_*_" + here().cpu() + ".deb"
		proveDeb(t, only(t, made, deb), only(t, next, deb))
	})
	t.Run("self-hosting", func(t *testing.T) {
		t.Log(command(t, "../..", "go", "test", "./e2e", "-run=^TestReleaseExample$", "-count=1", "-args", "-release.files="+made))
	})
	t.Run("formula", func(t *testing.T) { command(t, made, "ruby", "-c", "granary.rb") })
}

// snapshot copies this tree as it is now: somebody may work on it meanwhile.
func snapshot(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	listed := command(t, "../..", "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	copying := []string{"cp", "--parents", "--target-directory=" + folder}
	for name := range strings.SplitSeq(strings.TrimSuffix(listed, "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join("../..", name)); err == nil && info.Mode().IsRegular() {
			copying = append(copying, name)
		}
	}
	command(t, "../..", copying...)
	return folder
}

// maker makes releases of one tree.
type maker struct{ tool, tree string }

// release makes a release from a folder of its own, and returns the folder of what was made.
func (m maker) release(t *testing.T, version string, args []string, environ ...string) string {
	t.Helper()
	source := filepath.Join(t.TempDir(), "source")
	command(t, ".", "cp", "--recursive", m.tree, source)
	commit(t, source)
	out := filepath.Join(t.TempDir(), "made")
	args = append([]string{"-source", source, "-version", version, "-out", out, "-base-url", "https://packages.example.com/" + version}, args...)
	cmd := exec.CommandContext(t.Context(), m.tool, args...)
	cmd.Env = append(os.Environ(), environ...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return out
}

// proveArchives looks at each system's, and runs what a processor here, or one that is
// imitated, can run.
func proveArchives(t *testing.T, made string) {
	for _, of := range targets() {
		t.Run(of.os+"_"+of.cpu(), func(t *testing.T) {
			checkArchive(t, made, of)
			if of.os == "windows" {
				return
			}
			folder := t.TempDir()
			command(t, folder, "tar", "-xzf", only(t, made, "*_"+of.os+"_"+of.cpu()+".tar.gz"))
			program := only(t, folder, "*/granary")
			info, err := buildinfo.ReadFile(program)
			if err != nil {
				t.Fatal(err)
			}
			settings := map[string]string{}
			for _, s := range info.Settings {
				settings[s.Key] = s.Value
			}
			if settings["GOOS"] != of.os || settings["GOARCH"] != of.arch || settings["CGO_ENABLED"] != "0" || settings["GOARM"] != of.arm {
				t.Errorf("%q", settings)
			}
			if of == here() {
				checkSBOM(t, made, program)
			}
			if said := runs(t, of, program); said != "" && !strings.HasPrefix(said, "granary v1.2.3 (go1.") {
				t.Errorf("it says %q", said)
			}
			if size, err := os.Stat(program); err == nil {
				t.Logf("the program has %.2f MiB", float64(size.Size())/megabyte)
			}
		})
	}
}

// runs is what granary version prints, or "" on a system that is not Linux.
func runs(t *testing.T, of target, program string) string {
	t.Helper()
	imitated := map[string]string{"arm64": "qemu-aarch64-static", "arm": "qemu-arm-static"}[of.arch]
	switch {
	case of.os != "linux":
		return ""
	case of == here():
		return command(t, ".", program, "version")
	case imitated == "":
		return ""
	}
	return command(t, ".", imitated, program, "version")
}

func proveSums(t *testing.T, made, publicFile string) {
	public, err := minisign.PublicKeyFromFile(publicFile)
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, made, public)
	verify := []string{"minisign", "-V", "-H", "-p", publicFile, "-m", sumsName}
	command(t, made, verify...)
	folder := t.TempDir()
	command(t, made, "cp", sumsName, sumsName+".minisig", folder)
	file := filepath.Join(folder, sumsName)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), verify[0], verify[1:]...)
	cmd.Dir = folder
	if said, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("sums with a flipped bit pass:\n%s", said)
	}
}

// provePackages has lintian, rpm and tar read the packages of each processor.
func provePackages(t *testing.T, made string) {
	for of, names := range map[string][3]string{
		"amd64": {"amd64", "x86_64", "x86_64"}, "arm64": {"arm64", "aarch64", "aarch64"}, "armv7": {"armhf", "armv7hl", "armv7"},
	} {
		deb := only(t, made, "*_"+names[0]+".deb")
		command(t, made, "lintian", "--fail-on", "error,warning", "--allow-root", deb)
		rpm := only(t, made, "*."+names[1]+".rpm")
		about := command(t, made, "rpm", "-qip", rpm)
		for _, line := range []string{"Version     : 1.2.3", "Architecture: " + names[1], "License     : MIT", "Build Host  : localhost"} {
			if !strings.Contains(about, line) {
				t.Errorf("%s: no %q in\n%s", of, line, about)
			}
		}
		listed := command(t, made, "rpm", "-qlp", rpm)
		apk := command(t, made, "tar", "-tzf", only(t, made, "*_"+names[2]+".apk"))
		for _, file := range []string{"usr/bin/granary", "usr/share/man/man1/granary.1.gz", "usr/share/licenses/granary/THIRD_PARTY_LICENSES"} {
			if !strings.Contains(listed, "/"+file+"\n") {
				t.Errorf("the rpm of %s has no %s", of, file)
			}
			if !strings.Contains(apk, file+"\n") {
				t.Errorf("the apk of %s has no %s", of, file)
			}
		}
		if !strings.Contains(listed, "/usr/lib/systemd/system/granary.service\n") || !strings.Contains(command(t, made, "rpm", "-qcp", rpm), "/etc/granary/granary.env\n") {
			t.Errorf("the rpm of %s has no unit or no file of settings:\n%s", of, listed)
		}
		if strings.Contains(apk, "systemd") {
			t.Errorf("the apk of %s has a unit, and Alpine no systemd", of)
		}
	}
}
