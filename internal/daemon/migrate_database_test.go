package daemon

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/config"
	"granary/internal/metadb/metadbtest"
)

// TestMigrateDatabase moves a server's records to PostgreSQL and back again, and starts
// a server on them each time: its token, files, an empty one among them, and a CI/CD
// variable of before are there.
func TestMigrateDatabase(t *testing.T) {
	dsn := metadbtest.NewServer(t).DSN("granary")
	dir := t.TempDir()
	at := config.Location{Scheme: "file", Path: filepath.Join(dir, "blobs")}
	data, blobs := filepath.Join(dir, "data"), "--blobs=file:"+at.Path
	const file = "/api/v4/projects/root%2Fdemo/packages/generic/tool/1.0.0/f"
	const nothing = "/api/v4/projects/root%2Fdemo/packages/generic/tool/1.0.0/empty"
	const variable = "/api/v4/projects/root%2Fdemo/variables"
	url, stop := serveHere(t, nil, "--data-dir="+data, blobs)
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	token, key := read(tokenFile), read(keyFile)
	for _, call := range [][2]string{{"PUT " + file, "bytes"}, {"PUT " + nothing, ""}, {"POST " + variable, "key=NEXT&value=secret"}} {
		method, path, _ := strings.Cut(call[0], " ")
		res, said := ask(t, method, url+path, strings.NewReader(call[1]), "Private-Token", token, "Content-Type", "application/x-www-form-urlencoded")
		if res.StatusCode != 201 {
			t.Fatalf("%s: %s %s", call[0], res.Status, said)
		}
	}

	move := func(key string) error {
		cfg := config.Config{Blobs: at, Database: config.Location{Scheme: "postgres", URL: config.Secret(dsn)}, EncryptionKey: config.Secret(key)}
		return MigrateDatabase(t.Context(), cfg, config.Location{Scheme: "sqlite", Path: filepath.Join(data, "granary.db")}, io.Discard)
	}
	wants := func(what string, err error, words string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %q in it", what, err, words)
		}
	}
	wants("beside a server", move(key), "another granary")
	stop()
	wants("with another key", move(strings.Repeat("0a", 32)), "is not the one")
	if err := move(key); err != nil {
		t.Fatal(err)
	}
	wants("twice", move(key), "the target must be an empty database")

	serves := func(environ []string, args ...string) (stop func() string) {
		t.Helper()
		url, stop := serveHere(t, append(environ, "GRANARY_ENCRYPTION_KEY="+key), append(args, blobs)...)
		for path, want := range map[string]string{file: "bytes", nothing: "", variable + "/NEXT": `"value":"secret"`} {
			if res, said := ask(t, "GET", url+path, nil, "Private-Token", token); res.StatusCode != 200 || !strings.Contains(said, want) || want == "" && said != "" {
				t.Errorf("%s: %s %s", path, res.Status, said)
			}
		}
		return stop
	}
	stop = serves([]string{"GRANARY_DATABASE=" + dsn}, "--data-dir="+filepath.Join(dir, "node"))

	again := filepath.Join(dir, "again")
	back := func(key string) error {
		cfg := config.Config{Blobs: at, DataDir: again, Database: config.Location{Scheme: "sqlite", Path: filepath.Join(again, "granary.db")}, EncryptionKey: config.Secret(key)}
		return MigrateDatabase(t.Context(), cfg, config.Location{Scheme: "postgres", URL: config.Secret(dsn)}, io.Discard)
	}
	wants("beside a node", back(key), "nodes run on postgres://")
	stop()
	wants("without a key", back(""), "set GRANARY_ENCRYPTION_KEY")
	wants("with another key", back(strings.Repeat("0a", 32)), "is not the one")
	if err := back(key); err != nil {
		t.Fatal(err)
	}
	wants("twice", back(key), "the target must be an empty database")
	serves(nil, "--data-dir="+again)()
}

// TestMigrateDatabaseOfAnOlderBuild: the SQLite database is the way back, so that it
// is not brought up to date on the way; its own build moves it, or a server first.
func TestMigrateDatabaseOfAnOlderBuild(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(data, os.DirFS(filepath.Join(upgradeDir, "sqlite", "data"))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(data, "granary.db")
	cfg := config.Config{Blobs: config.Location{Scheme: "file", Path: filepath.Join(data, "blobs")}, Database: config.Location{Scheme: "postgres", URL: "postgres://127.0.0.1:1/none"}, EncryptionKey: fixtureKey}
	err := MigrateDatabase(t.Context(), cfg, config.Location{Scheme: "sqlite", Path: file}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "schema version 9, older than") {
		t.Errorf("%v, want a refusal that names the schema", err)
	}
	u := &upgraded{filler: filler{t: t}}
	var schema int
	if err := u.open(t, "sqlite", file).QueryRow(`SELECT MAX(version_id) FROM goose_db_version`).Scan(&schema); err != nil || schema != 9 {
		t.Errorf("schema %d afterwards, %v, want 9", schema, err)
	}
}
