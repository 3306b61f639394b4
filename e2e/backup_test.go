package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/dev/servers"
	"granary/internal/blob/s3/s3test"
	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// documented is the commands of docs/operations.md in a section: the nth block.
func documented(t *testing.T, section string, n int) string {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## "+section+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	var blocks []string
	inside := false
	for line := range strings.Lines(rest) {
		command, is := strings.CutPrefix(line, "    ")
		if is && !inside {
			blocks = append(blocks, "")
		}
		if inside = is; is {
			blocks[len(blocks)-1] += command
		}
	}
	if len(blocks) <= n {
		t.Fatalf("%s has %d blocks of commands", section, len(blocks))
	}
	return blocks[n]
}

// site is a server that is backed up and restored.
type site struct {
	t       *testing.T
	url     string
	environ []string // for the server, and for the commands
	server  *servers.Process
}

func newSite(t *testing.T, environ ...string) *site {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "granary")
	if err := servers.Build(t.Context(), program); err != nil {
		t.Fatal(err)
	}
	postgres, err := servers.PostgresPrograms()
	if err != nil {
		t.Fatal(err)
	}
	address, err := servers.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(dir, "backup")
	if err := os.Mkdir(backup, 0o700); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, url: "http://" + address}
	s.environ = append(environ, "D="+filepath.Join(dir, "data"), "B="+backup,
		"GRANARY_LISTEN="+address, "GRANARY_ROOT_TOKEN="+token, "PATH="+dir+":"+postgres+":"+os.Getenv("PATH"))
	s.server = &servers.Process{
		Name: "granary", Log: filepath.Join(dir, "log"), Args: []string{program, "serve", "--data-dir", filepath.Join(dir, "data")}, Env: s.environ,
		Ready: servers.Answers(s.url + "/-/readiness"),
	}
	t.Cleanup(s.server.Kill)
	s.start()
	return s
}

func (s *site) start() {
	s.t.Helper()
	if err := s.server.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// run runs a script as an administrator would.
func (s *site) run(script string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Env = slices.Concat(os.Environ(), s.environ)
	said, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s\n%v\n%s", script, err, said)
	}
	return string(said)
}

// call is the status and the body of an answer.
func (s *site) call(method, path, body string) (int, string) {
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	req.Header.Set("Private-Token", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Error(err)
	}
	return resp.StatusCode, string(text)
}

// book is what was acknowledged.
type book struct {
	mu    sync.Mutex
	bytes map[string]string // by path
}

func (b *book) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.bytes)
}

// publish publishes small files and large ones until stop.
func (s *site) publish(b *book, stop <-chan struct{}, client int) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		path := fmt.Sprintf("/api/v4/projects/root%%2Fdemo/packages/generic/tool/%d.%d.0/f", client, n)
		body := strings.Repeat(path, 1+n%2*2000) // 70 B in the database, or 140 kB in the store
		status, said := s.call(http.MethodPut, path, body)
		if status != http.StatusCreated {
			s.t.Errorf("%s: %d %s", path, status, said)
			return
		}
		b.mu.Lock()
		b.bytes[path] = body
		b.mu.Unlock()
	}
}

// backUp makes the documented backup while clients publish, and more is acknowledged
// while it is made. It returns what was acknowledged before, and in all.
func (s *site) backUp(script string) (before, all map[string]string) {
	s.t.Helper()
	b := &book{bytes: map[string]string{}}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() { s.publish(b, stop, client) })
	}
	reached := func(n int) {
		s.t.Helper()
		eventually.Holds(s.t, fmt.Sprint(n, " files are published"), func() bool { return s.t.Failed() || b.len() >= n })
		if s.t.Failed() {
			s.t.Fatalf("%d files were published, want %d", b.len(), n)
		}
	}
	reached(300)
	b.mu.Lock()
	before = make(map[string]string, len(b.bytes))
	for path, body := range b.bytes {
		before[path] = body
	}
	b.mu.Unlock()
	s.run(script)
	if b.len() == len(before) {
		s.t.Error("nothing was published while the backup was made")
	}
	reached(b.len() + 50) // of which the backup knows nothing
	close(stop)
	clients.Wait()
	return before, b.bytes
}

// listed are the versions that the restored database knows.
func (s *site) listed() map[string]bool {
	found := map[string]bool{}
	for page := 1; ; page++ {
		_, list := s.call(http.MethodGet, fmt.Sprintf("/api/v4/projects/root%%2Fdemo/packages?per_page=100&page=%d", page), "")
		versions := regexp.MustCompile(`"version":"([^"]+)"`).FindAllStringSubmatch(list, -1)
		for _, v := range versions {
			found[v[1]] = true
		}
		if len(versions) == 0 {
			return found
		}
	}
}

// check asks for every file: what was acknowledged before the backup is there, the rest
// is there whole or not at all, whatever the database knows has its bytes, and new files
// can be published.
func (s *site) check(before, all map[string]string) {
	s.t.Helper()
	lost, listed := 0, s.listed()
	for path, body := range all {
		status, got := s.call(http.MethodGet, path, "")
		_, promised := before[path]
		version := strings.Split(path, "/")[8]
		switch {
		case status == http.StatusOK && got == body:
		case status == http.StatusNotFound && !promised && !listed[version]:
			lost++
		default:
			s.t.Errorf("%s: %d, %d bytes, acknowledged before the backup: %v, listed: %v", path, status, len(got), promised, listed[version])
		}
	}
	if lost == 0 {
		s.t.Error("the backup has what was published after it: the server was not restored")
	}
	if status, said := s.call(http.MethodPut, "/api/v4/projects/root%2Fdemo/packages/generic/new/1.0.0/f", "new"); status != http.StatusCreated {
		s.t.Errorf("a new file: %d %s", status, said)
	}
}

// TestBackup carries out what docs/operations.md says, twice: a backup while clients
// publish, and when the data directory is lost, its restoration.
func TestBackup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(documented(t, "Backup", 0)) // the second takes the place of the first
	before, all := s.backUp(documented(t, "Backup", 0))
	s.server.Kill()
	s.run(`rm -rf "$D"`)
	s.run(documented(t, "Restore", 0))
	s.start()
	s.check(before, all)
	if said := s.run(`find "$B" "$D" -perm /077`); said != "" {
		t.Errorf("others can read:\n%s", said)
	}
}

// TestBackupOfCluster does the same with PostgreSQL and S3.
func TestBackupOfCluster(t *testing.T) {
	t.Parallel()
	cluster, objects := metadbtest.NewServer(t), s3test.Start(t)
	place := func(prefix string) string {
		return "s3://" + s3test.Bucket + "/" + prefix + "?endpoint=" + objects.URL + "&region=" + s3test.Region
	}
	settings := func(database, prefix string) []string {
		return []string{"GRANARY_DATABASE=" + cluster.DSN(database), "GRANARY_BLOBS=" + place(prefix)}
	}
	s := newSite(t, append(settings("granary", "old"), "GRANARY_ENCRYPTION_KEY="+strings.Repeat("0a", 32),
		"GRANARY_S3_ACCESS_KEY_ID="+s3test.AccessKeyID, "GRANARY_S3_SECRET_ACCESS_KEY="+s3test.SecretAccessKey)...)
	before, all := s.backUp(documented(t, "Backup", 0))
	s.server.Kill()
	if err := os.RemoveAll(filepath.Join(objects.Dir, s3test.Bucket, "old")); err != nil {
		t.Fatal(err)
	}
	cluster.Run(t, `DROP DATABASE granary WITH (FORCE)`)
	cluster.Run(t, `CREATE DATABASE restored ENCODING 'UTF8' TEMPLATE template0`)
	s.environ = append(s.environ, settings("restored", "new")...)
	s.server.Env = s.environ
	s.run(documented(t, "Restore", 0))
	s.start()
	s.check(before, all)
}
