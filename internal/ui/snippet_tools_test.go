package ui

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool runs a program with the token in its environment. It fails the test without the program.
func tool(t *testing.T, dir, name string, args ...string) ([]byte, error) {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts other programs")
	}
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is not here: tools/install-test-deps installs it", name)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GRANARY_TOKEN="+snippetToken, "HOME="+dir, "no_proxy=*", "ANSIBLE_LOCALHOST_WARNING=False")
	return cmd.CombinedOutput()
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Ansible installs the files, with the token and without, and refuses other bytes.
func TestAnsibleSnippet(t *testing.T) {
	dir := t.TempDir()
	play := "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
	task := func(f installable, more string) {
		text := strings.ReplaceAll(textOf(t, f, "Ansible"), "/tmp/", dir+"/")
		play += "    " + strings.ReplaceAll(text, "\n", "\n    ") + more + "\n"
	}
	want := map[string]string{}
	for i, f := range installables() {
		f.Public = i%2 == 1
		content := strings.Repeat("x", i+1)
		f := storeOf(t, f, []byte(content))
		task(f, "")
		want[f.local()] = content
	}
	wrong := storeOf(t, installable{Name: "n", Version: "1", Path: "wrong", Public: true}, []byte("other bytes"))
	wrong.SHA256 = strings.Repeat("0", 64)
	task(wrong, "\n      register: refused\n      failed_when: refused is succeeded")
	writeFile(t, filepath.Join(dir, "play.yml"), play)
	out, err := tool(t, dir, "ansible-playbook", "-i", "localhost,", "-e", "granary_token="+snippetToken, "play.yml")
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, play, out)
	}
	for name, content := range want {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != content {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// CMake unpacks archives, keeps other files as they are, and refuses other bytes.
func TestCMakeSnippet(t *testing.T) {
	var archive bytes.Buffer
	packed := gzip.NewWriter(&archive)
	w := tar.NewWriter(packed)
	for _, err := range []error{
		w.WriteHeader(&tar.Header{Name: "sonde/in-it", Mode: 0o600, Size: 2}), func() error { _, err := w.Write([]byte("ok")); return err }(), w.Close(), packed.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	configure := func(f installable) (dir string, out []byte, err error) {
		dir = t.TempDir()
		writeFile(t, filepath.Join(dir, "CMakeLists.txt"), "cmake_minimum_required(VERSION 3.14)\nproject(x NONE)\n"+textOf(t, f, "CMake"))
		out, err = tool(t, dir, "cmake", "-S", ".", "-B", "build")
		return dir, out, err
	}
	for _, tc := range []struct {
		f       installable
		content []byte
		there   string // in the folder of the sources
	}{
		{installable{Name: "sonde", Version: "2.4.1", Path: "sonde_2.4.1.tar.gz"}, archive.Bytes(), "in-it"},
		{installable{Name: "s+n.d", Version: "1+b", Path: `d "$ENV{HOME}" ;\/a+b.tar.gz`, Public: true}, archive.Bytes(), "in-it"},
		{installable{Name: "-n", Version: "1", Path: "a+b~1@2.bin"}, []byte("plain"), "a+b~1@2.bin"},
		{installable{Name: "no", Version: "1", Path: "f.bin"}, []byte("plain"), "f.bin"},
	} {
		f := storeOf(t, tc.f, tc.content)
		dir, out, err := configure(f)
		found, _ := filepath.Glob(filepath.Join(dir, "build", "_deps", "*-src", tc.there))
		if err != nil || len(found) != 1 {
			t.Errorf("%v, %v: %s\n%s", err, found, textOf(t, f, "CMake"), out)
		}
	}
	wrong := storeOf(t, installable{Name: "n", Version: "1", Path: "f.bin", Public: true}, []byte("other bytes"))
	wrong.SHA256 = strings.Repeat("0", 64)
	if _, out, err := configure(wrong); err == nil || !strings.Contains(string(out), "Hash mismatch") {
		t.Errorf("%v\n%s", err, out)
	}
}
