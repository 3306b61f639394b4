package e2e_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// releaseFiles is a folder of a whole release of v1.2.3, as `make release` writes it. `make
// proof-release` gives it; without it the test makes the files that the example asks for.
var releaseFiles = flag.String("release.files", "", "folder of a release of v1.2.3 to publish by examples/release")

// TestReleaseExample: what a release has is published by its own program as a draft, becomes final
// if nothing is missing, and is installed from there.
func TestReleaseExample(t *testing.T) {
	t.Parallel()
	p := &ciProject{t: t, url: startServer(t) + "/api/v4"}
	p.id = made(p.do("POST", "/projects", url.Values{"name": {"granary"}}, 201))
	run := p.runner("../examples/release", ".gitlab-ci.yml", "CI_COMMIT_TAG=v1.2.3")
	if build := strings.Join(run.file.Jobs["release"].Script, "\n"); build != `make release VERSION="$CI_COMMIT_TAG"` {
		t.Errorf("the release is built by %q", build)
	}
	dist := filepath.Join(run.artifacts, "dist", "v1.2.3")
	from := *releaseFiles
	if from == "" {
		from = oneSystem(t)
	}
	if err := os.CopyFS(dist, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	const at = "/packages/generic/granary/1.2.3"
	run.job("draft")
	p.do("GET", "/projects/"+p.id+at, nil, 404)
	write(t, dist, "late.txt", []byte("built, and not yet in the draft"))
	if out, err := run.execute(t, "finalise"); err == nil || !strings.Contains(out, "late.txt") || !strings.Contains(out, "1 missing") {
		t.Errorf("without a file: %v\n%s", err, out)
	}
	run.job("draft") // once more
	run.job("finalise")
	names, err := os.ReadDir(dist)
	if err != nil {
		t.Fatal(err)
	}
	if final := p.do("GET", "/projects/"+p.id+at, nil, 200); final["final_at"] == nil || final["files_count"] != float64(len(names)) {
		t.Errorf("the version is %v, and %d files were built", final, len(names))
	}
	run.job("finalise") // its answer may have been lost
	out, err := run.execute(t, "install")
	if err != nil || !strings.Contains(out, "granary_1.2.3_linux_amd64.tar.gz: OK") || !strings.Contains(out, "granary v1.2.3 ") {
		t.Errorf("installed: %v\n%s", err, out)
	}
}

// oneSystem is a folder with the archive of this system, as a release has it, and the sums.
func oneSystem(t *testing.T) string {
	t.Helper()
	folder, dist := t.TempDir(), t.TempDir()
	const name = "granary_1.2.3_linux_amd64"
	for _, args := range [][]string{
		{"go", "build", "-ldflags=-X main.version=v1.2.3", "-o", filepath.Join(folder, name, "granary"), "../cmd/granary"},
		{"tar", "-czf", filepath.Join(dist, name+".tar.gz"), "-C", folder, name},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	archive, err := os.ReadFile(filepath.Join(dist, name+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dist, "SHA256SUMS", fmt.Appendf(nil, "%x  %s.tar.gz\n", sha256.Sum256(archive), name))
	return dist
}
