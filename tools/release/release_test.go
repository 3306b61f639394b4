package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// A release of this machine's system, packed twice in two folders, from one program: building
// that as a release does takes minutes, and is part of make proof-release.
func TestPack(t *testing.T) {
	outer := t // its folders outlive those of its parts
	if !slices.Contains(targets(), here()) || here().os != "linux" {
		t.Skipf("a release on %s makes no packages", here())
	}
	program := filepath.Join(t.TempDir(), "granary")
	command(t, "../..", "go", "build", "-ldflags=-s -w -X main.version=v1.2.3 -X main.commit="+testCommit, "-o", program, "./cmd/granary")
	public, keyFile := newKey(t)
	made := make([]string, 2)
	t.Run("made", func(t *testing.T) {
		for i := range made {
			r := newRelease(outer, copySources(outer))
			r.keyFile = keyFile
			made[i] = r.out
			t.Run("", func(t *testing.T) {
				t.Parallel()
				if err := r.pack(t.Context(), []target{here()}, map[target]string{here(): program}); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
	t.Run("twice", func(t *testing.T) { sameFiles(t, made[0], made[1]) })
	t.Run("archive", func(t *testing.T) { checkArchive(t, made[0], here()) })
	t.Run("sbom", func(t *testing.T) { checkSBOM(t, made[0], program) })
	t.Run("deb", func(t *testing.T) { checkDeb(t, only(t, made[0], "*.deb")) })
	t.Run("image", func(t *testing.T) { checkImage(t, only(t, made[0], "*_image.tar"), 1) })
	t.Run("sums", func(t *testing.T) { checkSums(t, made[0], public) })
}

const testCommit = "0123456789012345678901234567890123456789"

// newRelease is a release of sources, with nothing made yet.
func newRelease(t *testing.T, source string) *release {
	t.Helper()
	return &release{version: "v1.2.3", commit: testCommit, date: time.Unix(1767225600, 0).UTC(), source: source,
		work: t.TempDir(), out: t.TempDir(), maintainer: "the granary authors <maintainers@granary.invalid>", log: t.Output()}
}

// copySources copies what packing reads of granary's sources.
func copySources(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	command(t, "../..", "cp", "-r", "--parents", "go.mod", "go.sum", "LICENSE", "README.md", "CHANGELOG.md", "deploy", folder)
	return folder
}

// command runs a program in a folder, which must succeed, and returns what it printed.
func command(t *testing.T, folder string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = folder
	said, err := output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// only is the one file of a folder that has this pattern.
func only(t *testing.T, folder, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	return found[0]
}

// contents are the files below a folder, by their paths.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, folder+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	first, second := contents(t, a), contents(t, b)
	for name := range maps.Keys(first) {
		if text, there := second[name]; !there || text != first[name] {
			t.Errorf("%s differs", name)
		}
	}
	if len(first) != len(second) || len(first) < 6 {
		t.Errorf("%d and %d files", len(first), len(second))
	}
}

func checkArchive(t *testing.T, made string, of target) {
	unpacked := t.TempDir()
	if of.os == "windows" {
		command(t, unpacked, "unzip", "-q", only(t, made, "*_"+of.os+"_"+of.cpu()+".zip"))
	} else {
		command(t, unpacked, "tar", "-xzf", only(t, made, "*_"+of.os+"_"+of.cpu()+".tar.gz"))
	}
	files := contents(t, unpacked)
	top := "granary_1.2.3_" + of.os + "_" + of.cpu() + "/"
	want := []string{"granary" + of.suffix(), "LICENSE", "THIRD_PARTY_LICENSES", "README.md", "CHANGELOG.md",
		"man/man1/granary.1", "man/man1/granary-push.1", "completions/granary.bash", "completions/_granary", "completions/granary.fish", "completions/granary.ps1"}
	if of.os == "linux" {
		want = append(want, "deploy/granary.service")
	}
	for _, name := range want {
		if files[top+name] == "" {
			t.Errorf("%s is missing or empty", name)
		}
	}
	licences := files[top+"THIRD_PARTY_LICENSES"]
	for _, text := range []string{"Go go1.", "Copyright 2009 The Go Authors", "modernc.org/sqlite v", "github.com/spf13/cobra v", ": LICENSE"} {
		if !strings.Contains(licences, text) {
			t.Errorf("the licences do not have %q", text)
		}
	}
	info, err := os.Stat(filepath.Join(unpacked, top+"granary"+of.suffix()))
	if err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("the program cannot be run: %v, %v", info, err)
	}
}

// checkSBOM compares the list of modules with what the program says of itself.
func checkSBOM(t *testing.T, made, program string) {
	var said struct {
		Modules []struct{ Path, Version string }
	}
	if err := json.Unmarshal([]byte(command(t, ".", program, "version", "--json")), &said); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, m := range said.Modules {
		want = append(want, m.Path+" "+m.Version)
	}
	text, err := os.ReadFile(only(t, made, "*_"+here().os+"_"+here().cpu()+".cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		SerialNumber string
		Metadata     struct {
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	std := 0
	for _, c := range list.Components {
		if c.Name == "std" {
			std++
			continue
		}
		got = append(got, c.Name+" "+c.Version)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) || len(want) < 20 || std != 1 {
		t.Errorf("std %d times; the program has\n%q, the list\n%q", std, want, got)
	}
	if list.Metadata.Component.Name != "granary" || list.Metadata.Component.Version != "v1.2.3" || list.SerialNumber != "" {
		t.Errorf("%+v, serial number %q", list.Metadata, list.SerialNumber)
	}
}

func checkDeb(t *testing.T, deb string) {
	unpacked := t.TempDir()
	command(t, unpacked, "dpkg-deb", "--raw-extract", deb, "root")
	files := contents(t, filepath.Join(unpacked, "root"))
	if unit := files["lib/systemd/system/granary.service"]; !strings.Contains(unit, "\nExecStart=/usr/bin/granary serve") || strings.Contains(unit, "/usr/local") {
		t.Errorf("the unit:\n%s", unit)
	}
	if got := files["DEBIAN/conffiles"]; strings.TrimSpace(got) != "/etc/granary/granary.env" {
		t.Errorf("conffiles: %q", got)
	}
	info, err := os.Stat(filepath.Join(unpacked, "root/etc/granary/granary.env"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of settings: %v, %v", info, err)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		command(t, unpacked, "sh", "-n", "root/DEBIAN/"+script)
	}
	if !strings.Contains(files["DEBIAN/control"], "\nVersion: 1.2.3\n") {
		t.Errorf("control:\n%s", files["DEBIAN/control"])
	}
}

// checkImage looks at the image of each system in an OCI layout.
func checkImage(t *testing.T, file string, systems int) {
	folder := t.TempDir()
	command(t, folder, "tar", "-xf", file)
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	named, err := index.IndexManifest()
	if err != nil || len(named.Manifests) != 1 || named.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "1.2.3" {
		t.Fatalf("%+v, %v", named, err)
	}
	if index, err = index.ImageIndex(named.Manifests[0].Digest); err != nil {
		t.Fatal(err)
	}
	parts, err := index.IndexManifest()
	if err != nil || len(parts.Manifests) != systems {
		t.Fatalf("%+v, %v", parts, err)
	}
	for _, part := range parts.Manifests {
		image, err := index.Image(part.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		checkConfig(t, part.Platform, config)
	}
}

func checkConfig(t *testing.T, platform *v1.Platform, config *v1.ConfigFile) {
	t.Helper()
	if platform == nil || platform.OS != "linux" || platform.Architecture != config.Architecture {
		t.Errorf("the index says %v, the image %s", platform, config.Architecture)
	}
	started := strings.Join(slices.Concat(config.Config.Entrypoint, config.Config.Cmd), " ")
	if started != "/usr/bin/granary serve --data-dir /data --listen 0.0.0.0:8080" {
		t.Errorf("it runs %s", started)
	}
	if _, volume := config.Config.Volumes["/data"]; !volume || config.Config.User != "65532:65532" {
		t.Errorf("%+v", config.Config)
	}
	if config.Config.Labels["org.opencontainers.image.version"] != "1.2.3" || len(config.Config.Labels["org.opencontainers.image.revision"]) != 40 {
		t.Errorf("%q", config.Config.Labels)
	}
}

// newKey makes a pair of minisign's keys, and returns the public one and the secret one's file.
func newKey(t *testing.T) (minisign.PublicKey, string) {
	t.Helper()
	public, secret, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := secret.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "minisign.key")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return public, file
}

func checkSums(t *testing.T, made string, public minisign.PublicKey) {
	command(t, made, "sha256sum", "--check", "--strict", "--quiet", sumsName)
	sums, err := os.ReadFile(filepath.Join(made, sumsName))
	if err != nil {
		t.Fatal(err)
	}
	for name := range contents(t, made) {
		if !strings.HasPrefix(name, sumsName) && !bytes.Contains(sums, []byte("  "+name+"\n")) {
			t.Errorf("%s has no sum", name)
		}
	}
	signature, err := os.ReadFile(filepath.Join(made, sumsName+".minisig"))
	if err != nil {
		t.Fatal(err)
	}
	if !prehashed(public, sums, signature) {
		t.Error("the signature does not fit")
	}
	sums[len(sums)/2] ^= 1
	if prehashed(public, sums, signature) {
		t.Error("the signature fits other sums")
	}
}

// prehashed tells whether the signature fits, as minisign -V -H does.
func prehashed(public minisign.PublicKey, text, signature []byte) bool {
	reader := minisign.NewReader(bytes.NewReader(text))
	if _, err := bytes.NewBuffer(nil).ReadFrom(reader); err != nil {
		return false
	}
	return reader.Verify(public, signature)
}
