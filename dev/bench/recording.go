package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"granary/dev/servers"
)

// statement is a text that a node sent to PostgreSQL, with its parameters as
// PostgreSQL writes them; nil is NULL.
type statement struct {
	text   string
	values []*string
}

// recording is what a node sent to record one file.
type recording struct {
	statements []statement
	version    string
	content    []byte
	at         time.Time
}

// record publishes a small file through a node, and has PostgreSQL log the statements,
// so that pgbench sends what nodes send now.
func (t *team) record(ctx context.Context, b *bodies, o options) (r recording, err error) {
	if _, err = t.psql(ctx, `ALTER SYSTEM SET log_statement = 'all'`, `SELECT pg_reload_conf()`); err != nil {
		return r, err
	}
	node, err := dial(ctx, t.Addresses[0], t.Token)
	if err != nil {
		return r, err
	}
	defer node.close()
	until := time.Now().Add(10 * time.Second)
	for n := 0; r.statements == nil; n++ { // the settings take a moment
		file := b.small()
		r.version, r.content, r.at = fmt.Sprintf("1.%d.0", n), file.tail, time.Now()
		if err := node.publish(o.packages()+recorded+"/"+r.version+"/file.bin", file); err != nil {
			return r, err
		}
		log, err := os.ReadFile(t.Database.Log)
		if err != nil {
			return r, err
		}
		if r.statements = publicationIn(string(log), r.version); r.statements == nil && time.Now().After(until) {
			return r, fmt.Errorf("PostgreSQL's log, %s, shows no publication", t.Database.Log)
		}
	}
	_, err = t.psql(ctx, `ALTER SYSTEM RESET ALL`, `SELECT pg_reload_conf()`)
	return r, err
}

// recorded is the name of the package.
const recorded = "recorded"

// psql runs statements on the database, and returns what they answer.
func (t *team) psql(ctx context.Context, statements ...string) (string, error) {
	bin, err := servers.PostgresPrograms()
	if err != nil {
		return "", err
	}
	args := []string{"--no-psqlrc", "--set=ON_ERROR_STOP=1", "--tuples-only", "--no-align"}
	for _, s := range statements {
		args = append(args, "--command="+s)
	}
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "psql"), append(args, t.DSN)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w\n%s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// publicationIn finds in PostgreSQL's log the transaction, most often of one
// statement, that records a file of the version.
func publicationIn(log, version string) []statement {
	for _, sent := range transactionsIn(log) {
		records, its := false, false
		for _, s := range sent {
			records = records || strings.Contains(s.text, "INSERT INTO package_files")
			its = its || slices.ContainsFunc(s.values, func(v *string) bool { return v != nil && *v == version })
		}
		if records && its {
			return sent
		}
	}
	return nil
}

// transactionsIn reads what PostgreSQL logged. A statement outside a transaction is a
// transaction of its own.
func transactionsIn(log string) (all [][]statement) {
	for _, sent := range statementsIn(log) {
		for len(sent) > 0 {
			n := 1
			if sent[0].is("begin") {
				n += slices.IndexFunc(sent, func(s statement) bool { return s.is("commit") || s.is("rollback") })
			}
			if n == 0 { // it has not ended
				break
			}
			all, sent = append(all, sent[:n]), sent[n:]
		}
	}
	return all
}

func (s statement) is(word string) bool { return strings.EqualFold(s.text, word) }

// statementsIn reads what each process of PostgreSQL was sent. An entry of the
// log is a line that begins with its moment and process, and lines after it.
func statementsIn(log string) map[string][]statement {
	entry := regexp.MustCompile(`(?m)^\d{4}-\S+ \S+ \S+ \[(\d+)\] (\w+):  (statement: |execute [^:]*: |(?i:parameters: ))?`)
	value := regexp.MustCompile(`\$\d+ = (NULL|'((?:[^']|'')*)')`)
	sent := map[string][]statement{}
	marks := entry.FindAllStringSubmatchIndex(log, -1)
	for i, m := range marks {
		end := len(log)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		process, level, text := log[m[2]:m[3]], log[m[4]:m[5]], strings.TrimSpace(log[m[1]:end])
		list := sent[process]
		switch {
		case m[6] < 0: // something else
		case level == "LOG":
			sent[process] = append(list, statement{text: text})
		case level == "DETAIL" && len(list) > 0:
			for _, v := range value.FindAllStringSubmatch(text, -1) {
				var given *string
				if v[1] != "NULL" {
					given = new(string)
					*given = strings.ReplaceAll(v[2], "''", "'")
				}
				list[len(list)-1].values = append(list[len(list)-1].values, given)
			}
		}
	}
	return sent
}
