package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"
)

// load runs Load as serve would, with file under the name granary.yaml.
func load(t *testing.T, args, environ []string, file string) (Config, []string) {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	c, faults := Load(flags, environ, func(name string, _ int64) ([]byte, error) {
		if name != "granary.yaml" {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(file), nil
	})
	var lines []string
	for _, f := range faults {
		lines = append(lines, f.String())
	}
	return c, lines
}

func TestDefaults(t *testing.T) {
	got, faults := load(t, nil, []string{"HOME=/root", "GRANARY_TOKEN=x", "GRANARY_SERVER=y"}, "")
	want := Config{
		Listen: "127.0.0.1:8080", DataDir: "./granary-data",
		Database: Location{Scheme: "sqlite", Path: "granary-data/granary.db"}, Blobs: Location{Scheme: "file", Path: "granary-data/blobs"}, BlobsRedirect: "off", BlobsRedirectLifetime: time.Hour,
		ACMEDirectory: "https://acme-v02.api.letsencrypt.org/directory",
		Naming:        "strict", Pages: true, GuestsMayReadPackages: true, AllowAnyoneToPull: true,
		Drafts: "on_request", DraftTTL: 7 * 24 * time.Hour, RecordsEvery: 10 * time.Second, BackupWarnAfter: 48 * time.Hour,
		MaxFileSize: 5368709120, InlineMax: 65536, DiskReserve: 268435456, ScrubPeriod: 720 * time.Hour, ScrubRate: 33554432, CacheMemory: 8388608, LogFormat: "text", LogLevel: slog.LevelInfo, Metrics: "loopback",
		ShutdownTimeout: 30 * time.Second, StallTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		RateLimitWrites: RateLimit{Requests: 600, Seconds: 60},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if faults != nil {
		t.Errorf("faults: %q", faults)
	}
}

func TestPrecedence(t *testing.T) {
	const file = "listen: :1\nnaming: relaxed\nlog_level: warn\n"
	c, faults := load(t,
		[]string{"--listen", ":3", "--config=granary.yaml", "--metrics=false", "--data-dir=/d"},
		[]string{"GRANARY_LISTEN=:2", "GRANARY_LOG_LEVEL=error", "GRANARY_CONFIG=elsewhere"}, file)
	if faults != nil {
		t.Fatalf("faults: %q", faults)
	}
	got := []any{c.Listen, c.LogLevel, c.Naming, c.Metrics, c.Database.String(), c.Blobs.Path}
	want := []any{":3", slog.LevelError, "relaxed", "off", "sqlite:/d/granary.db", "/d/blobs"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	origins := map[string]string{"listen": "--listen", "log-level": "GRANARY_LOG_LEVEL", "naming": "granary.yaml:2", "blobs": "default"}
	for name, from := range origins {
		if c.from[name] != from {
			t.Errorf("%s came from %q, want %q", name, c.from[name], from)
		}
	}
}

func TestListInFile(t *testing.T) {
	c, faults := load(t, []string{"--config=granary.yaml"}, nil, "trusted_proxies: [10.1.0.0/8, '::1']\n")
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	if diff := cmp.Diff(want, c.TrustedProxies, cmpopts.EquateComparable(netip.Prefix{})); diff != "" || faults != nil {
		t.Errorf("faults %q, -want +got:\n%s", faults, diff)
	}
}

// Every fault is told, in one go, each on one line that names setting, value,
// origin and what would be right.
func TestAllFaultsAtOnce(t *testing.T) {
	_, got := load(t, []string{"--config=granary.yaml", "--naming=loose", "--shutdown-timeout", "30"},
		[]string{"GRANARY_MAX_FILE_SIZE=5 apples", "GRANARY_ROOT_TOKEN=hunter2", "GRANARY_DATADIR=/x", "GRANARY_DATABASE=postgres://u:pw@h/db"},
		"listen: 8080\n\nroot-token: hunter3\nlog_level: [loud]\nlog_level: info\nmetrics:\n")
	want := []string{
		"GRANARY_DATADIR (environment): there is no such setting; did you mean GRANARY_DATA_DIR?",
		"root-token (granary.yaml:3): there is no such setting; did you mean root_token?",
		"log_level (granary.yaml:5): it is set twice, first at granary.yaml:4",
		"metrics (granary.yaml:6): want one value on the line",
		`listen is "8080" (granary.yaml:1): want HOST:PORT, such as 127.0.0.1:8080, or :8080 for all addresses`,
		"root-token is hidden (GRANARY_ROOT_TOKEN): want 20 or more of A-Z, a-z, 0-9, - and _",
		`naming is "loose" (--naming): want strict or relaxed`,
		`max-file-size is "5 apples" (GRANARY_MAX_FILE_SIZE): want bytes as a whole number, or one with KiB, MiB, GiB or TiB, such as 64KiB`,
		`log-level is "loud" (granary.yaml:4): want debug, info, warn or error`,
		`shutdown-timeout is "30" (--shutdown-timeout): want a number with a unit, such as 30s, 2m or 500ms`,
		"encryption-key (default): want a key, because the database is PostgreSQL, the same for every node: set GRANARY_ENCRYPTION_KEY, or a file that GRANARY_ENCRYPTION_KEY_FILE names, to the key of this server, or for a new one to what `openssl rand -hex 32` prints, and keep it",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFile(t *testing.T) {
	tests := map[string]string{
		"":                                  "",
		"# nothing\n":                       "",
		"---\n":                             "",
		"naming: strict\n":                  "",
		"naming: {a: b}\n":                  "naming (granary.yaml:1): want one value on the line",
		"- naming\n":                        "config (granary.yaml:1): want lines of the form `setting: value`",
		"naming: strict\n---\nlisten: :1\n": "config (granary.yaml): want one document",
		"\"a\\nb\": 1\n":                    `"a\nb" (granary.yaml:1): there is no such setting; ` + "`granary serve --help` lists them",
	}
	for file, want := range tests {
		_, faults := load(t, []string{"--config=granary.yaml"}, nil, file)
		if got := strings.Join(faults, "|"); got != want {
			t.Errorf("file %q\n got %s\nwant %s", file, got, want)
		}
	}
	_, faults := load(t, []string{"--config=none.yaml"}, nil, "")
	if want := []string{`config is "none.yaml" (--config): cannot read it: file does not exist`}; !cmp.Equal(faults, want) {
		t.Errorf("missing file: %q", faults)
	}
}

// What `config check` prints is a settings file with the same meaning, and
// holds no secret.
func TestPrintRoundTrip(t *testing.T) {
	const secret = "abcdefghijklmnopqrstuvwxyz"
	args := []string{"--data-dir=/a b/#c: d", "--max-file-size=1500", "--inline-max=0", "--pprof-listen=[::1]:6060",
		"--trusted-proxies=10.0.0.0/8,::1", "--stall-timeout=90s", "--external-url=https://x.example/", "--log-level=debug"}
	c, faults := load(t, args, []string{"GRANARY_ROOT_TOKEN=" + secret}, "")
	if faults != nil {
		t.Fatal(faults)
	}
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), secret) || !strings.Contains(b.String(), "# root_token is set and hidden  # GRANARY_ROOT_TOKEN\n") {
		t.Errorf("the secret is shown, or not mentioned:\n%s", b.String())
	}
	again, faults := load(t, []string{"--config=granary.yaml"}, []string{"GRANARY_ROOT_TOKEN=" + secret}, b.String())
	if diff := cmp.Diff(c, again, cmpopts.IgnoreUnexported(Config{}), cmpopts.EquateComparable(netip.Prefix{})); diff != "" || faults != nil {
		t.Errorf("%s\nfaults %q, -first +again:\n%s", b.String(), faults, diff)
	}
	if all := fmt.Sprintf("%v %+v %#v %s", c, c, c, c.RootToken); strings.Contains(all, secret) {
		t.Errorf("printing a Config shows its secret: %s", all)
	}
}

// The place to repair from is another than that of blobs. A command may have a flag of its
// own with the name of a setting.
func TestRepairFrom(t *testing.T) {
	_, faults := load(t, []string{"--data-dir=/d", "--repair-from=file:/d/blobs/"}, nil, "")
	if want := []string{`repair-from is "file:/d/blobs/" (--repair-from): want another place than that of blobs`}; !cmp.Equal(faults, want) {
		t.Errorf("%q", faults)
	}
	c, faults := load(t, []string{"--repair-from=s3://mirror/a?region=x"}, nil, "")
	if at, ok := c.RepairPlace(); !ok || faults != nil || at.S3.Bucket != "mirror" || at.S3.Prefix != "a" || c.S3.Bucket != "" {
		t.Errorf("%v, %+v, %q", ok, at.S3, faults)
	}
	if _, ok := (Config{}).RepairPlace(); ok {
		t.Error("there is a place without one")
	}

	settings, own := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("fsck", pflag.ContinueOnError)
	AddFlags(settings)
	own.String("repair-from", "", "its own `place`")
	own.AddFlagSet(settings)
	if err := own.Parse([]string{"--repair-from=https://packages.example.com", "--naming=relaxed"}); err != nil {
		t.Fatal(err)
	}
	c, all := Load(own, []string{"GRANARY_REPAIR_FROM=file:mirror"}, ReadFile)
	if len(all) > 0 || c.RepairFrom != "file:mirror" || c.Naming != "relaxed" {
		t.Errorf("%q, %q, %v", c.RepairFrom, c.Naming, all)
	}
	if usage := FlagUsages(own); strings.Count(usage, "--repair-from") != 1 || strings.Index(usage, "its own place") > strings.Index(usage, "Addresses:") {
		t.Errorf("the usage is %s", usage)
	}
}

func TestLoadCreatesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	load(t, []string{"--data-dir", dir}, nil, "")
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load made %s", dir)
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{"listen: :1\n", "a: &x 1\nb: *x\n", "? [a]\n: b\n", "<<: {a: b}\n", "!!null x", "---\n...\n", "trusted_proxies: [a, [b]]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, faults := parseFile("f.yaml", text)
		for _, fault := range faults {
			if line := fault.String(); strings.ContainsAny(line, "\n\r") {
				t.Errorf("a fault of more than one line: %q", line)
			}
		}
	})
}

// A password is neither on a command line nor in what is shown.
func TestDatabasePassword(t *testing.T) {
	const key = "GRANARY_ENCRYPTION_KEY=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for dsn, want := range map[string]string{
		"postgres://u:s3cret@h:5432/db?sslmode=verify-full": "# database is set: postgres://u:(hidden)@h:5432/db",
		"postgresql://u:s3c@ret@h,i:5433/db":                "# database is set: postgresql://u:(hidden)@h,i:5433/db",
		"postgres:///db?host=/run&password=s3cret":          "# database is set: postgres:///db?host=",
		"postgres://u@h/db":                                 `database: "postgres://u@h/db"`,
	} {
		c, faults := load(t, nil, []string{"GRANARY_DATABASE=" + dsn, key}, "")
		var b strings.Builder
		if err := c.Print(&b); err != nil || faults != nil {
			t.Error(err, faults)
		}
		if !strings.Contains(b.String(), want) || strings.Contains(b.String(), "s3c") {
			t.Errorf("%s: want %s in\n%s", dsn, want, b.String())
		}
		if got := c.Database.URL.Reveal(); got != dsn {
			t.Errorf("%s became %s", dsn, got)
		}
		_, faults = load(t, []string{"--database", dsn}, []string{key}, "")
		if secret := strings.Contains(dsn, "s3c"); secret != (len(faults) == 1) || strings.Contains(strings.Join(faults, ""), "s3c") {
			t.Errorf("%s on a command line: %q", dsn, faults)
		}
	}
}
