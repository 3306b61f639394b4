package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/servers"
)

// smallRun is a bench of a second or so.
func smallRun(t *testing.T) (*driver, options, *team) {
	t.Helper()
	o, err := parseOptions([]string{"-quick", "-size=20MiB", "-slice=100ms", "-clients=4", "-uploads=2", "-dir=" + t.TempDir()})
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
	if err := printMany(&out, many); err == nil {
		err = printDirect(&out, straight)
	}
	if rows := strings.Count(out.String(), "%"); err != nil || len(many) != 4 || len(straight) != 3 || rows < 4*4+2*2+3 {
		t.Errorf("%v\n%s", err, out.String())
	}
	testPublicationIsGranarys(t, o, team)
}

// testPublicationIsGranarys holds pgbench's statements to those that PostgreSQL
// is sent for a small file.
func testPublicationIsGranarys(t *testing.T, o options, team *team) {
	bin, err := servers.PostgresPrograms()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "psql"), team.DSN, "-c", `ALTER SYSTEM SET log_statement = 'all'`,
		"-c", `ALTER SYSTEM SET log_parameter_max_length = 0`, "-c", `SELECT pg_reload_conf()`).CombinedOutput()
	if err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	want := []string{"begin"}
	for _, s := range publication() {
		want = append(want, words(s.text))
	}
	want = append(want, "commit")
	s, err := dial(t.Context(), team.Addresses[0], team.Token)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	b := newBodies()
	var got []string
	until := time.Now().Add(10 * time.Second)
	for n := 0; got == nil && time.Now().Before(until); n++ { // until the settings are there
		path := fmt.Sprintf("%slogged/1.%d.0/file.bin", o.packages(), n)
		if err := s.publish(path, b.small()); err != nil {
			t.Fatal(err)
		}
		log, err := os.ReadFile(team.Database.Log)
		if err != nil {
			t.Fatal(err)
		}
		got = transaction(string(log), "INSERT INTO package_files")
	}
	if !slices.Equal(got, want) {
		t.Errorf("a node sends\n%s\npgbench sends\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// transaction finds in PostgreSQL's log the first whole transaction that has a
// statement beginning so, and returns all its statements.
func transaction(log, begins string) []string {
	line := regexp.MustCompile(`(?m)^\d{4}-\S+ \S+ \S+ \[(\d+)\] LOG:  (?:statement|execute [^:]*): `)
	open := map[string][]string{} // by process
	marks := line.FindAllStringSubmatchIndex(log, -1)
	for i, m := range marks {
		end := len(log)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		process, text := log[m[2]:m[3]], log[m[1]:end]
		if next := regexp.MustCompile(`(?m)^\d{4}-`).FindStringIndex(text); next != nil { // DETAIL and the like
			text = text[:next[0]]
		}
		text = words(text)
		if text == "begin" {
			open[process] = nil
		}
		open[process] = append(open[process], text)
		if text == "commit" && slices.ContainsFunc(open[process], func(s string) bool { return strings.HasPrefix(s, begins) }) {
			return open[process]
		}
	}
	return nil
}

// words is a text with one space between any two.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

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
