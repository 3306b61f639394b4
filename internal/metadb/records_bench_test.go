package metadb

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"granary/internal/records"
	"granary/internal/sqldb"
)

// fileVersions inserts versions of one file each, with one audit event each.
func fileVersions(b *testing.B, db *DB, versions int) {
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) `
	must(b, 0, db.do(b.Context(), func(t tx) error {
		for _, statement := range []string{
			`INSERT INTO users VALUES (1, 'root', 'root', 'Root', 'r@x', 'r@x', 1, 0, 0, 1, 100, '', 0, NULL)`,
			`INSERT INTO namespaces VALUES (1, NULL, 1, 'root', 'root', '', 0, NULL, NULL, 0, 0, NULL)`,
			`INSERT INTO projects (id, namespace_id, name, path, description, visibility, default_branch, topics, package_access, archived, creator_id, job_token_scope, created_at, updated_at)
				VALUES (1, 1, 'tool', 'tool', '', 20, 'main', '', 20, 0, 1, 1, 0, 0)`,
			numbers + `INSERT INTO blobs (id, digest, size, files, touched_at, crc32) SELECT i, randomblob(32), 4096, 1, 1700000000000000 + i, 12345678 FROM n`,
			numbers + `INSERT INTO packages (id, project_id, name, version, status, creator_id, created_at, updated_at, version_key, prerelease, files, bytes, counted)
				SELECT i, 1, 'tool-' || (i % 1000), '1.0.' || i, 'default', 1, 1700000000000000 + i, 1700000000000000 + i, randomblob(12), 0, 1, 4096, 1 FROM n`,
			numbers + `INSERT INTO package_files (id, package_id, blob_id, file_name, status, created_at) SELECT i, i, i, 'tool-linux-amd64.tar.gz', 'default', 1700000000000000 + i FROM n`,
			numbers + `INSERT INTO audit_events (id, name, entity_type, entity_id, entity_path, author_id, author_username, author_name, credential, credential_id, address,
				sudo_id, sudo_username, target_type, target_id, target_details, change, change_from, change_to)
				SELECT 1700000000000000 + i, 'package_file_published', 'Project', 1, 'acme/tools', 1, 'root', 'Administrator', 'personal_access_token', 1, '10.0.0.1',
				0, '', 'PackageFile', i, 'tool-' || (i % 1000) || '/1.0.' || i || '/tool-linux-amd64.tar.gz', '', '', '' FROM n`,
		} {
			if _, err := t.Via.Exec(statement, []any{versions}[:strings.Count(statement, "$1")]...); err != nil {
				return err
			}
		}
		return nil
	}))
}

// BenchmarkRecords exports and replays 100,000 versions, and tells the versions a second
// and the greatest heap.
func BenchmarkRecords(b *testing.B) {
	const versions = 100_000
	from := openSQLite(b)
	fileVersions(b, from, versions)
	file := bytes.NewBuffer(exportOf(b, from, records.ExportOptions{Kind: records.KindBase}))
	timed := func(b *testing.B, fn func()) {
		runtime.GC()
		stop, most := make(chan struct{}), make(chan uint64)
		go func() {
			var peak uint64
			for {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
				select {
				case <-stop:
					most <- peak
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		}()
		began, cpu := time.Now(), cpuTime()
		fn()
		b.ReportMetric(versions/(cpuTime()-cpu).Seconds(), "versions/cpu-s")
		b.ReportMetric(versions/time.Since(began).Seconds(), "versions/s")
		close(stop)
		b.ReportMetric(float64(<-most)/(1<<20), "MiB-heap")
		b.ReportMetric(float64(file.Len())/versions, "bytes/version")
	}
	b.Run("export", func(b *testing.B) {
		for b.Loop() {
			file.Reset()
			timed(b, func() {
				_, err := records.Export(b.Context(), file, from, records.ExportOptions{Kind: records.KindBase})
				must(b, 0, err)
			})
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			timed(b, func() {
				r, err := records.NewReader("file", bytes.NewReader(file.Bytes()))
				must(b, r, err)
				defer r.Close()
				for err == nil {
					_, err = r.Next()
				}
				if err != io.EOF {
					b.Fatal(err)
				}
			})
		}
	})
	for name, open := range map[string]func() *DB{
		"sqlite":   func() *DB { return openSQLite(b) },
		"postgres": func() *DB { return openPostgres(b, sqldb.Options{}) },
	} {
		b.Run("replay/"+name, func(b *testing.B) {
			for b.Loop() {
				to := open()
				timed(b, func() {
					_, err := records.Replay(b.Context(), to, []records.File{inMemory("base", file.Bytes())})
					must(b, 0, err)
				})
			}
		})
	}
}

// cpuTime is the CPU time of this process.
func cpuTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
