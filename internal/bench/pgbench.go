package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"granary/internal/servers"
)

// statement is one of the texts that a node sends to PostgreSQL to record one
// small file, and what pgbench puts into its parameters.
type statement struct {
	text  string
	args  []string // of $1, $2...
	after string   // names the columns that pgbench keeps, and keeps them
}

// publication is the transaction of a small file in a new version, in the order
// in which a node sends it; TestClusters holds it to that. What a
// node reads before it, to know who asks and what may be, is left out.
func publication() []statement {
	return []statement{
		{text: `SELECT EXISTS (SELECT 1 FROM hooks h WHERE h.project_id = p.id AND h.package_events = 1)
	FROM projects p WHERE p.id = $1 AND p.deleted_at IS NULL`,
			args: []string{":project"}},
		{text: `INSERT INTO packages (project_id, name, version, status, creator_id, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $6)
		ON CONFLICT (project_id, name, version) WHERE status <> 'pending_destruction'
		DO UPDATE SET updated_at = excluded.updated_at,
			status = CASE WHEN $7 = 1 THEN excluded.status ELSE packages.status END
		RETURNING id, created_at = $6`,
			args:  []string{":project", "'pgbench'", ":now", "'default'", ":user", ":now", "0"},
			after: ` AS is_new \gset package_`},
		{text: `INSERT INTO blobs (digest, size, files, touched_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (digest) DO UPDATE SET touched_at = excluded.touched_at, files = blobs.files + excluded.files
		RETURNING id`,
			args:  []string{"sha256(int8send(:now))", "4096", "1", ":now"},
			after: ` \gset blob_`},
		{text: `INSERT INTO blob_contents (blob_id, content) VALUES ($1, $2)
		ON CONFLICT (blob_id) DO NOTHING`,
			args: []string{":blob_id", ":content"}},
		{text: `INSERT INTO package_files (package_id, blob_id, file_name, status, created_at)
		VALUES ($1, $2, $3, $4, $5) RETURNING id`,
			args:  []string{":package_id", ":blob_id", "'file.bin'", "'default'", ":now"},
			after: ` \gset file_`},
		{text: `INSERT INTO audit_events (id, name, entity_type, entity_id, entity_path,
		author_id, author_username, author_name, credential, credential_id, address, sudo_id, sudo_username,
		target_type, target_id, target_details, change, change_from, change_to)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
	ON CONFLICT (id) DO NOTHING`,
			args: []string{":now", "'package_registry_package_published'", "'Project'", ":project", "'root/demo'",
				":user", "'root'", "'Administrator'", "'personal_access_token'", "1", "'127.0.0.1'", "0", "''",
				"'PackageFile'", ":file_id", "'pgbench/1700000000.1000.0/file.bin'", "''", "''", "''"}},
	}
}

// pgbenchScript is one transaction for pgbench. now is a number that no other
// has, and for one client it grows as a clock does.
func pgbenchScript() string {
	var b strings.Builder
	b.WriteString("\\set n :n + 1\n\\set now :start + :n * 1000 + :client_id\nBEGIN;\n")
	parameter := regexp.MustCompile(`\$[0-9]+`)
	for _, s := range publication() {
		b.WriteString(parameter.ReplaceAllStringFunc(s.text, func(p string) string {
			n, _ := strconv.Atoi(p[1:])
			return s.args[n-1]
		}))
		if s.after == "" {
			s.after = ";"
		}
		b.WriteString(s.after + "\n")
	}
	b.WriteString("COMMIT;\n")
	return b.String()
}

// pgbench runs the same transactions against the nodes' database without them,
// one client a connection, prepared as the nodes prepare.
func pgbench(dir, dsn string, length time.Duration, parts []part) (*server, error) {
	bin, err := servers.PostgresPrograms()
	if err != nil {
		return nil, err
	}
	script := filepath.Join(dir, "publish.pgbench")
	if err := os.WriteFile(script, []byte(pgbenchScript()), 0o644); err != nil {
		return nil, err
	}
	content := make([]byte, smallSize)
	_, _ = newNoise().Read(content) // never fails
	return &server{name: "pgbench", parts: parts, work: func(ctx context.Context, sc scenario) sample {
		out, err := exec.CommandContext(ctx, filepath.Join(bin, "pgbench"), "--no-vacuum", "--protocol=prepared", "--file="+script,
			"--client="+strconv.Itoa(sc.clients), "--jobs="+strconv.Itoa(min(2, sc.clients)),
			"--time="+strconv.Itoa(int(math.Ceil(length.Seconds()))),
			"-Dn=0", fmt.Sprintf("-Dstart=%d", time.Now().UnixMicro()),
			"-Dproject=1", "-Duser=1", // of the first start
			`-Dcontent=\x`+hex.EncodeToString(content), dsn).CombinedOutput()
		s, readErr := readPgbench(string(out))
		if err == nil {
			err = readErr
		}
		if err != nil {
			return sample{errors: 1, first: fmt.Errorf("pgbench: %w\n%s", err, out)}
		}
		return s
	}}, nil
}

// readPgbench finds in what pgbench printed how often it did its transaction. It
// does not say how long it connected where that took all its time.
func readPgbench(out string) (s sample, err error) {
	done := regexp.MustCompile(`(?m)^number of transactions actually processed: (\d+)`).FindStringSubmatch(out)
	if done == nil {
		return s, errors.New("it did not say what it did")
	}
	if s.ops, err = strconv.Atoi(done[1]); err != nil {
		return s, err
	}
	s.bytes = int64(s.ops) * smallSize
	connecting := regexp.MustCompile(`(?m)^initial connection time = ([0-9.]+) ms$`).FindStringSubmatch(out)
	if connecting == nil {
		return s, nil
	}
	ms, err := strconv.ParseFloat(connecting[1], 64)
	s.apart = ms / 1000
	return s, err
}
