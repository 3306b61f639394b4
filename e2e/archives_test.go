package e2e_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// archiveReaders are commands of other programs that extract the archive at $AT.
func archiveReaders() []string {
	const get, python = `curl -q -fsS "$AT`, `/usr/bin/python3 -c 'import sys, tarfile, zipfile; `
	return []string{
		get + `/@all.tar" | tar -x`,
		get + `/@all.tar" | bsdtar -x`,
		get + `/@all.tar" | busybox tar -x`,
		get + `/@all.tar" | ` + python + `tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall()'`,
		get + `/@all.tar.zst" | tar --zstd -x`,
		get + `/@all.tar.zst" | bsdtar -x`,
		get + `/@all.zip" | LC_ALL=C.UTF-8 bsdtar -x`,
		get + `/@all.zip" -o z && unzip -tq z >&2 && unzip -q z && rm z`,
		get + `/@all.zip" -o z && busybox unzip -q z && rm z`,
		get + `/@all.zip" -o z && ` + python + `zipfile.ZipFile("z").extractall()' && rm z`,
	}
}

// TestArchivesReachTools: other programs, and Go, extract the files of a version from what
// the server sends.
func TestArchivesReachTools(t *testing.T) {
	t.Parallel()
	p := &ciProject{t: t, url: startServer(t, "--naming=relaxed") + "/api/v4"}
	id := made(p.do("POST", "/projects", url.Values{"name": {"packed"}, "visibility": {"public"}}, 201))
	at := p.url + "/projects/" + id + "/packages/generic/app/1.4.2"
	files := map[string][]byte{"a.txt": []byte("a"), "lib/deep/b.bin": movingBody(1), "empty": {}}
	for name, content := range files {
		put(t, at+"/"+name, content)
	}
	for _, command := range archiveReaders() {
		dir := t.TempDir()
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", command)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "NO_PROXY=*", "no_proxy=*", "AT="+at)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, text)
			continue
		}
		compare(t, command, os.DirFS(dir), files)
	}
	unpacked := t.TempDir()
	untar(t, download(t, at+"/@all.tar"), unpacked)
	compare(t, "Go's tar", os.DirFS(unpacked), files)
	packed := download(t, at+"/@all.zip")
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "Go's zip", z, files)
}

func download(t *testing.T, address string) []byte {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", address, resp.Status, err)
	}
	return content
}

// untar extracts with Go's own package.
func untar(t *testing.T, packed []byte, dir string) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(packed)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, h.Name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, dir, h.Name, content)
	}
}

// compare wants these files in a folder, and no others.
func compare(t *testing.T, by string, folder fs.FS, files map[string][]byte) {
	t.Helper()
	found := 0
	err := fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		found++
		got, err := fs.ReadFile(folder, path)
		if want, ok := files[path]; !ok || !bytes.Equal(got, want) {
			t.Errorf("%s: %s is wrong, %d bytes", by, path, len(got))
		}
		return err
	})
	if err != nil || found != len(files) {
		t.Errorf("%s: %d files of %d, %v", by, found, len(files), err)
	}
}
