package metadb_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/metadb"
	"granary/internal/metadb/metadbtest"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/sqldb"
)

// benchDB is a database with one project, and the actor that owns it.
func benchDB(b *testing.B) (*metadb.DB, projects.Project, access.Actor) {
	b.Helper()
	ctx := context.Background()
	db, err := openBench(b)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	u, err := db.InsertUser(ctx, auth.User{Username: "root", Name: "root", Email: "root@example.com", ProjectsLimit: 100, CreatedAt: time.Now()}, audit.Event{})
	if err != nil {
		b.Fatal(err)
	}
	p, err := db.InsertProject(ctx, projects.Project{
		Name: "demo", Path: "demo", CreatorID: u.ID, Namespace: projects.Group{ID: u.NamespaceID}, CreatedAt: time.Now(),
		PackageAccess: access.PackagesEnabled,
	}, access.Owner, fault.Limit{Most: 1000}, audit.Event{})
	if err != nil {
		b.Fatal(err)
	}
	return db, p, access.Actor{Kind: access.User, UserID: u.ID, Username: "root"}
}

// openBench opens a fresh database, SQLite on a disk or PostgreSQL as
// GRANARY_TEST_DATABASE says.
func openBench(b *testing.B) (*metadb.DB, error) {
	b.Helper()
	if !metadbtest.Wanted() {
		return metadb.OpenSQLite(context.Background(), filepath.Join(b.TempDir(), "granary.db"), sqldb.Options{})
	}
	dsn := metadbtest.Postgres(b, func(dsn string) error {
		db, err := metadb.OpenPostgres(context.Background(), dsn, sqldb.Options{})
		if err != nil {
			return err
		}
		return db.Close()
	})
	return metadb.OpenPostgres(context.Background(), dsn, sqldb.Options{})
}

// publication is the n-th file, of size bytes that no other file has.
func publication(projectID, n int64, size int) registry.Publication {
	body := make([]byte, size)
	copy(body, fmt.Sprint("file ", n))
	return registry.Publication{
		ProjectID:   projectID,
		Coordinates: registry.Coordinates{Name: "tool", Version: registry.Version(fmt.Sprintf("1.0.%d", n)), File: "tool.tar.gz"},
		Size:        int64(size), Digest: sha256.Sum256(body), Small: body, Now: time.Now(),
		Event: audit.New(access.Actor{Kind: access.User, UserID: 1, Username: "root", Name: "Administrator", TokenID: 1, Address: "192.0.2.7"},
			audit.PackagePublished, time.Now(), audit.Entity{Type: audit.Project, ID: projectID, Path: "root/demo"}),
	}
}

// BenchmarkAddFile records new versions with 4 KiB of bytes each: with one publisher,
// and with 16 that share commits.
func BenchmarkAddFile(b *testing.B) {
	for _, publishers := range []int{1, 16} {
		b.Run(fmt.Sprintf("publishers-per-core=%d", publishers), func(b *testing.B) {
			db, p, _ := benchDB(b)
			var n atomic.Int64
			b.SetParallelism(publishers)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := db.AddFile(context.Background(), publication(p.ID, n.Add(1), 4096)); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkFindFile finds a file of 4 KiB: always the same, and one of more files than
// are cached.
func BenchmarkFindFile(b *testing.B) {
	ctx := context.Background()
	db, p, _ := benchDB(b)
	const files = 8000 // of 4 KiB: twice what is remembered
	at := make([]registry.Coordinates, files)
	for i := range at {
		next := publication(p.ID, int64(i), 4096)
		at[i] = next.Coordinates
		if _, err := db.AddFile(ctx, next); err != nil {
			b.Fatal(err)
		}
	}
	for name, stride := range map[string]int{"remembered": 0, "asked": 1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i += stride {
				if _, small, err := db.FindFile(ctx, p.ID, at[i%files]); err != nil || len(small) != 4096 {
					b.Fatal(err, len(small))
				}
			}
		})
	}
}

// BenchmarkFindPackageProject is the cost of permission for a request: cached, and after a
// change.
func BenchmarkFindPackageProject(b *testing.B) {
	ctx := context.Background()
	db, _, actor := benchDB(b)
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.FindPackageProject(ctx, "root/demo", actor); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("asked", func(b *testing.B) {
		b.ReportAllocs()
		for i := int64(1); b.Loop(); i++ {
			actor.JobProjectID = i // another key each time
			if _, err := db.FindPackageProject(ctx, "root/demo", actor); err != nil {
				b.Fatal(err)
			}
		}
	})
}
