package registry_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"granary/internal/blob/blobtest"
	"granary/internal/blob/disk"
	"granary/internal/metadb"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

const benchBlobs = 200_000 // GRANARY_BENCH_BLOBS is another number

// BenchmarkCheck checks many blobs on a disk without reading them. Its budget is 100,000
// blobs a second and 64 MiB.
func BenchmarkCheck(b *testing.B) {
	total := benchBlobs
	if text := os.Getenv("GRANARY_BENCH_BLOBS"); text != "" {
		if _, err := fmt.Sscan(text, &total); err != nil {
			b.Fatal(err)
		}
	}
	dir := filepath.Join(b.TempDir(), "blobs")
	store, err := disk.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	r := newRegistryOn(b, store)
	fillBench(b, r, dir, total)
	if err := exec.CommandContext(b.Context(), "sync").Run(); err != nil { // else the kernel writes them meanwhile
		b.Fatal(err)
	}
	runtime.GC()
	var most uint64
	for b.Loop() {
		check := registry.Check{
			Records: r.Records, Store: store, Age: registry.Grace, Now: time.Now,
			Tell: func(f registry.Finding) error { return fmt.Errorf("found %+v", f) },
			Progress: func(registry.Checked) {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			},
		}
		done, err := check.Run(b.Context())
		if err != nil || done.There != int64(total) {
			b.Fatalf("%+v, %v", done, err)
		}
	}
	b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "blobs/s")
	b.ReportMetric(float64(most)/(1<<20), "MiB")
}

// fillBench makes blobs of 8 bytes, their rows, and a file for each.
func fillBench(b *testing.B, r *faultyRegistry, dir string, total int) {
	b.Helper()
	const atOnce = 200
	exec := func(query string, args ...any) {
		b.Helper()
		_, err := sqldb.Write(b.Context(), r.ledger.Records.(*metadb.DB).DB, func(t *sqldb.Tx) (int64, error) { return t.Count(query, args...) })
		if err != nil {
			b.Fatal(err)
		}
	}
	for from := 0; from < total; from += atOnce {
		var rows, files []string
		var args []any
		exec(`INSERT INTO packages (id, project_id, name, version, status, created_at, updated_at) VALUES ($1, $2, 'tool', $3, 'default', 0, 0)`,
			from+1, r.project, fmt.Sprintf("1.0.%d", from))
		for i := from; i < from+atOnce; i++ {
			body := binary.BigEndian.AppendUint64(nil, uint64(i)) //nolint:gosec // it counts up from 0
			d := blobtest.Digest(body)
			if err := os.WriteFile(filepath.Join(dir, d.String()[:2], d.String()), body, 0o600); err != nil {
				b.Fatal(err)
			}
			args = append(args, d[:])
			rows = append(rows, fmt.Sprintf("(%d, $%d, 8, 1, 0)", i+1, len(args)))
			files = append(files, fmt.Sprintf("(%d, %d, 'f%d', 'default', 0)", from+1, i+1, i))
		}
		exec(`INSERT INTO blobs (id, digest, size, files, touched_at) VALUES `+strings.Join(rows, ", "), args...)
		exec(`INSERT INTO package_files (package_id, blob_id, file_name, status, created_at) VALUES ` + strings.Join(files, ", "))
	}
}
