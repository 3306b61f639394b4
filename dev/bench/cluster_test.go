package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"granary/dev/servers"
)

// smallRun is a bench of a few seconds.
func smallRun(t *testing.T) (*driver, options, *team) {
	t.Helper()
	o, err := parseOptions([]string{"-quick", "-size=17MiB", "-slice=50ms", "-clients=4", "-uploads=2", "-dir=" + t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	o.granary = filepath.Join(o.dir, "granary")
	if err := servers.Build(t.Context(), o.granary); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(o.dir), 0o755); err != nil { // PostgreSQL runs below it, as another user
		t.Fatal(err)
	}
	d, err := newDriver(o.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	d.seeds = 10
	team, err := startTeam(t.Context(), d, o)
	t.Cleanup(func() {
		if err := team.stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, o, team
}

// TestClusters runs both tables, small, on the real thing: every slice does
// something without an error, and its CPU is that of those who work there.
func TestClusters(t *testing.T) {
	d, o, team := smallRun(t)
	many, err := team.measureMany(t.Context(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	straight, err := team.measureDirect(t.Context(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]float64{}
	for _, r := range slices.Concat(many, straight) {
		for i, samples := range r.samples {
			if len(samples) != 1 || samples[0].ops == 0 || samples[0].errors != 0 {
				t.Errorf("%s, %s: %+v", r.name, r.servers[i], samples)
			}
			for part, cpu := range samples[0].parts {
				used[part] += cpu
			}
			if strings.HasSuffix(r.servers[i], "node") && (samples[0].memory == 0 || samples[0].parts["PostgreSQL"] < 0) {
				t.Errorf("%s, %s: %+v", r.name, r.servers[i], samples[0])
			}
		}
	}
	for _, part := range partNames() {
		if used[part] <= 0 {
			t.Errorf("%s used no CPU", part)
		}
	}
	var out strings.Builder
	err = errors.Join(printMany(&out, many), printDirect(&out, straight))
	if rows := strings.Count(out.String(), " MB/s") + strings.Count(out.String(), "/s "); err != nil || rows < 4*4+2*2+3 {
		t.Errorf("%v\n%s", err, out.String())
	}
	testPgbenchPublishes(t, team, straight[2])
}

// testPgbenchPublishes counts what pgbench left: packages as a node makes them.
func testPgbenchPublishes(t *testing.T, team *team, r result) {
	const query = `SELECT COUNT(DISTINCT k.id) FROM packages k JOIN package_files f ON f.package_id = k.id
		JOIN blobs b ON b.id = f.blob_id AND b.files = 1 JOIN blob_contents c ON c.blob_id = b.id
		JOIN audit_events e ON e.target_id = f.id AND e.name = 'package_registry_package_published' WHERE k.name = '` + recorded + `'`
	out, err := team.psql(t.Context(), query)
	if n, _ := strconv.Atoi(out); err != nil || n <= r.samples[2][0].ops {
		t.Errorf("%d packages, %v; pgbench made %d, and there was one before", n, err, r.samples[2][0].ops)
	}
}

// What stands for a publication, by itself and in a transaction beside others.
func TestPublicationIn(t *testing.T) {
	const log = `2026-11-23 07:00:00.000 UTC [7] LOG:  statement: begin
2026-11-23 07:00:00.001 UTC [8] LOG:  execute stmtcache_1: INSERT INTO package_files (file_name)
		VALUES ($1), ($2)
2026-11-23 07:00:00.001 UTC [8] DETAIL:  parameters: $1 = '1.2.3', $2 = 'it''s', $3 = NULL
2026-11-23 07:00:00.001 UTC [7] LOG:  execute stmtcache_2: INSERT INTO packages (version) VALUES ($1)
2026-11-23 07:00:00.001 UTC [7] DETAIL:  parameters: $1 = '4.5.6'
2026-11-23 07:00:00.002 UTC [9] LOG:  checkpoint starting: time
2026-11-23 07:00:00.002 UTC [7] LOG:  execute stmtcache_3: INSERT INTO package_files (file_name) VALUES (1)
2026-11-23 07:00:00.003 UTC [7] LOG:  statement: commit
2026-11-23 07:00:00.003 UTC [7] LOG:  statement: begin
2026-11-23 07:00:00.003 UTC [7] LOG:  execute stmtcache_3: INSERT INTO package_files (file_name) VALUES ($1)
2026-11-23 07:00:00.003 UTC [7] DETAIL:  parameters: $1 = '7.8.9'
`
	text := func(list []statement) (all []string) {
		for _, s := range list {
			line := s.text
			for _, v := range s.values {
				if v == nil {
					line += " NULL"
				} else {
					line += " " + *v
				}
			}
			all = append(all, line)
		}
		return all
	}
	for version, want := range map[string][]string{
		"1.2.3": {"INSERT INTO package_files (file_name)\n\t\tVALUES ($1), ($2) 1.2.3 it's NULL"},
		"4.5.6": {"begin", "INSERT INTO packages (version) VALUES ($1) 4.5.6", "INSERT INTO package_files (file_name) VALUES (1)", "commit"},
		"7.8.9": nil, // it has not ended
		"9.9.9": nil,
	} {
		if got := text(publicationIn(log, version)); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", version, got, want)
		}
	}
}

func TestBodyReadsAsItIsSent(t *testing.T) {
	h, err := newHead(filepath.Join(t.TempDir(), "head"), 3<<20)
	if err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile(h.file)
	if err != nil {
		t.Fatal(err)
	}
	all := newBodies()
	for _, b := range []body{all.small(), all.large(h)} {
		want := b.tail
		if b.head != nil {
			want = slices.Concat(head, b.tail)
		}
		r, file, err := b.open()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
		}
		for _, at := range []int64{0, int64(len(want)) - smallSize - 100, int64(len(want)) - 10} {
			if at < 0 {
				continue
			}
			part := make([]byte, 200)
			n, err := r.ReadAt(part, at)
			if !bytes.Equal(part[:n], want[at:min(at+200, int64(len(want)))]) || n < 200 && err != io.EOF {
				t.Errorf("%d bytes from %d: %v", n, at, err)
			}
		}
	}
}

func TestReadPgbench(t *testing.T) {
	s, err := readPgbench("number of clients: 4\nnumber of transactions actually processed: 4711\ninitial connection time = 12.500 ms\ntps = 99\n")
	if err != nil || s.ops != 4711 || s.bytes != 4711<<12 || s.apart != 0.0125 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := readPgbench("pgbench: error: connection failed"); err == nil {
		t.Error("a failure passed")
	}
}

func TestRemoveLarge(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int64{"a": 10, "b/c": 10, "b/d": 9} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeLarge(dir, 10); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || !slices.Equal(left, []string{filepath.Join(dir, "b", "d")}) {
		t.Errorf("left %q, %v", left, err)
	}
}
