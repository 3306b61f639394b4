package daemon

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"granary/dev/servers"
	"granary/internal/metadb/metadbtest"
)

// Where the fixture of an old build lies, and what is in it.
const (
	upgradeDir     = "testdata/upgrade"
	secretsFile    = "fixture-secrets.json" // tokens by name
	answersFile    = "answers.jsonl"
	dumpFile       = "dump.sql"
	fixtureKey     = "f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1"
	fixtureAddress = "--external-url=https://packages.example.com"
)

var upgradeOld = flag.String("upgrade.old", "", "the granary of which TestMakeUpgradeFixture makes the fixture")

// TestMakeUpgradeFixture makes testdata/upgrade anew: make upgrade-fixture OLD=path.
func TestMakeUpgradeFixture(t *testing.T) {
	binary := *upgradeOld
	if binary == "" {
		t.Skip("make upgrade-fixture OLD=path-of-a-granary runs it")
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "thanks") }))
	defer receiver.Close()
	for _, database := range []string{"sqlite", "postgres"} {
		dir := filepath.Join(upgradeDir, database)
		data := filepath.Join(t.TempDir(), "data")
		b := &builder{filler: filler{t: t, binary: binary, tokens: map[string]credential{"root": {"Private-Token", rootToken}}}}
		b.environ = []string{asRoot}
		b.flags = []string{"--data-dir=" + data, "--listen=127.0.0.1:0", "--inline-max=1KiB", "--webhook-allow-networks=127.0.0.0/8", fixtureAddress}
		b.admin = []string{"--data-dir=" + data}
		driver, at := "sqlite", filepath.Join(data, "granary.db")
		if database == "postgres" {
			b.postgres = metadbtest.NewServer(t)
			driver, at = "pgx", b.postgres.DSN("granary")
			b.environ = append(b.environ, "GRANARY_DATABASE="+at, "GRANARY_ENCRYPTION_KEY="+fixtureKey)
		}
		if err := os.Mkdir(data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(data, keyFile), []byte(fixtureKey+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}

		b.start()
		b.fill(receiver.URL + "/hook")
		b.stop()
		b.age(driver, at)
		b.start()
		answers := b.ask()
		b.stop()
		b.publishUncounted(driver, at)

		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		b.keep(dir, data, answers)
	}
}

// builder runs the old build.
type builder struct {
	filler
	flags    []string
	postgres *metadbtest.Server // nil for SQLite
	running  *exec.Cmd
}

func (b *builder) start() {
	b.t.Helper()
	b.running = exec.CommandContext(b.t.Context(), b.binary, append([]string{"serve"}, b.flags...)...)
	b.running.Env = bare(b.environ...)
	logs, err := b.running.StderrPipe()
	if err == nil {
		err = b.running.Start()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	p := &process{listening: make(chan string, 1), exited: make(chan struct{}), all: true}
	go func() { p.read(logs); close(p.exited) }()
	if b.url = p.url(); b.url == "" {
		b.t.Fatalf("%s ended:\n%s", b.binary, p.logged())
	}
}

func (b *builder) stop() {
	b.t.Helper()
	if err := b.running.Process.Signal(syscall.SIGTERM); err != nil {
		b.t.Fatal(err)
	}
	if err := b.running.Wait(); err != nil {
		b.t.Fatal(err)
	}
}

// age does what only time would: a membership runs out, a webhook fails
// too often, and a job and deliveries last for as long as there are tests.
func (b *builder) age(driver, at string) {
	b.t.Helper()
	db, err := sql.Open(driver, at)
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	for _, s := range []string{
		`UPDATE members SET expires_at = 1000000 WHERE user_id = (SELECT id FROM users WHERE username = 'lea') AND project_id IS NOT NULL`,
		`UPDATE jobs SET expires_at = 4102444800000000`,
		`UPDATE packages SET status = 'deprecated' WHERE name = 'old'`, // which no route does
		`UPDATE hooks SET failures = 4, disabled_until = 4102444800000000 WHERE name = ''`,
		`UPDATE hook_deliveries SET due = 4102444800000000, lease = 0`,
	} {
		if _, err := db.ExecContext(b.t.Context(), s); err != nil {
			b.t.Fatalf("%s: %v", s, err)
		}
	}
}

// publishUncounted leaves a publication on PostgreSQL that its counters have not
// added up yet, which they do every five seconds.
func (b *builder) publishUncounted(driver, at string) {
	b.t.Helper()
	for n := 0; b.postgres != nil; n++ {
		b.start()
		b.publish("root", "elsewhere/last", fmt.Sprintf("last/1.0.%d/last", n), "last")
		b.stop()
		db, err := sql.Open(driver, at)
		if err != nil {
			b.t.Fatal(err)
		}
		var left int
		if err := db.QueryRowContext(b.t.Context(), `SELECT COUNT(*) FROM package_name_changes`).Scan(&left); err != nil {
			b.t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.t.Fatal(err)
		}
		if left > 0 {
			return
		}
	}
}

// keep writes the fixture.
func (b *builder) keep(dir, data string, answers []asked) {
	b.t.Helper()
	secrets, err := json.MarshalIndent(b.tokens, "", " ")
	if err != nil {
		b.t.Fatal(err)
	}
	writeFile(b.t, filepath.Join(dir, secretsFile), append(secrets, '\n'))
	var lines bytes.Buffer
	for _, a := range answers {
		if err := json.NewEncoder(&lines).Encode(a); err != nil {
			b.t.Fatal(err)
		}
	}
	writeFile(b.t, filepath.Join(dir, answersFile), lines.Bytes())
	locks, err := filepath.Glob(filepath.Join(data, "*", lockName))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, lock := range append(locks, filepath.Join(data, lockName)) {
		if err := os.Remove(lock); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "data"), os.DirFS(data)); err != nil {
		b.t.Fatal(err)
	}
	if b.postgres != nil {
		writeFile(b.t, filepath.Join(dir, dumpFile), b.dump())
	}
}

// dump is the database as plain SQL, without the words that only psql knows and
// what is another's at each run.
func (b *builder) dump() []byte {
	b.t.Helper()
	programs, err := servers.PostgresPrograms()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := exec.CommandContext(b.t.Context(), filepath.Join(programs, "pg_dump"), "--inserts", "--no-owner", "--no-privileges", "--no-comments", b.postgres.DSN("granary")).Output()
	if err != nil {
		b.t.Fatalf("pg_dump: %v", err)
	}
	out = regexp.MustCompile(`(?m)^(\\|--).*\n|^\n`).ReplaceAll(out, nil)
	return out
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask puts the questions to the old build.
func (b *builder) ask() (answers []asked) {
	b.t.Helper()
	before := time.Now().UTC().Format(time.RFC3339Nano)
	for _, q := range b.questions(before) {
		answers = append(answers, b.answer(q))
	}
	return answers
}

// questions are requests that change nothing: every list and every thing as root,
// and of each token what it may do.
func (b *builder) questions(before string) (all []asked) {
	root := func(paths ...string) {
		for _, p := range paths {
			all = append(all, asked{As: "root", Method: "GET", Path: "/api/v4" + p})
		}
	}
	const tools = "/projects/acme%2Ftools"
	root("/user", "/users?per_page=100", "/personal_access_tokens?per_page=100&created_before="+before, "/deploy_tokens",
		"/groups", "/groups/acme", "/groups/acme%2Fwithin", "/groups/acme%2Finner", "/groups/acme/subgroups", "/groups/acme/projects?include_subgroups=true",
		"/projects?order_by=id&sort=asc", "/projects/acme%2Fnew-name", "/projects/acme%2Fold-name", "/projects/acme%2Finner%2Fsecret", "/projects/acme%2Fdoomed", "/projects/console%2Fmade",
		"/groups/acme/members", "/groups/acme%2Fwithin/members/all", "/groups/acme/deploy_tokens", "/groups/acme/access_tokens", "/groups/acme/variables", "/groups/acme/packages?exclude_subgroups=false",
		"/features", "/audit_events?per_page=10&created_before="+before, "/groups/acme/audit_events?per_page=10&created_before="+before)
	root("/projects/acme%2Fnew-name/members", "/projects/acme%2Fnew-name/job_token_scope", "/projects/acme%2Fwithin%2Fsecret", "/projects/acme%2Fwithin%2Fsecret/packages")
	for _, p := range []string{
		"", "/members", "/members/all", "/deploy_tokens", "/access_tokens", "/jobs", "/job_token_scope", "/job_token_scope/allowlist", "/job_token_scope/groups_allowlist",
		"/packages?order_by=name&sort=asc", "/packages?status=hidden", "/packages?package_name=oo", "/packages?package_version=1.0.0", "/packages/protection/rules",
		"/releases", "/releases/v1.0.0", "/releases/v1.0.0/assets/links", "/releases/permalink/latest", "/releases/v1.0.0/downloads/bin/tool", "/variables", "/hooks",
		"/audit_events?per_page=10&created_before=" + before,
	} {
		root(tools + p)
	}
	for _, name := range []string{"tool", "Other.Name_9"} {
		rows := b.list(tools + "/packages?status=hidden&package_name=" + name)
		if rows = append(rows, b.list(tools+"/packages?package_name="+name)...); len(rows) == 0 {
			b.t.Fatalf("no package %s", name)
		}
		for _, row := range rows {
			one := fmt.Sprintf("%s/packages/%v", tools, row["id"])
			root(one, one+"/pipelines", one+"/package_files")
		}
	}
	const generic = tools + "/packages/generic/"
	root(generic+"tool/1.0.0/tool.tar.gz", generic+"tool/1.0.0/empty", generic+"tool/1.0.0/SHA256SUMS", generic+"tool/1.1.0/tool.tar.gz",
		generic+"Other.Name_9/2.0.0/file.txt", generic+"gone/1.0.0/gone", generic+"old/1.0.0/old", "/projects/acme%2Fwithin%2Fsecret/packages/generic/kept/0.0.1/a")

	names := []string{""}
	for name := range b.tokens {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, who := range names {
		for _, p := range []string{
			"GET /user", "GET " + tools, "GET " + generic + "tool/1.0.0/SHA256SUMS", "GET /projects/acme%2Fwithin%2Fsecret", "GET /projects/acme%2Fwithin%2Fsecret/packages/generic/kept/0.0.1/a",
			"GET /projects/acme%2Fnew-name/packages", "GET " + tools + "/jobs", "GET " + tools + "/variables", "GET " + tools + "/hooks", "GET /groups/acme/variables", "GET /groups/acme/audit_events", "GET /features",
			"DELETE " + tools + "/packages/999999", "DELETE " + tools + "/variables/NONE", "DELETE " + tools + "/deploy_tokens/999999", "DELETE /groups/acme/deploy_tokens/999999",
		} {
			method, path, _ := strings.Cut(p, " ")
			all = append(all, asked{As: who, Method: method, Path: "/api/v4" + path, Short: true})
		}
	}
	return all
}
