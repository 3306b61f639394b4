package sqldb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"granary/internal/eventually"
	"granary/internal/fault"
)

// hold keeps the writer busy until the returned function is called.
func hold(t *testing.T, db *DB) (release func()) {
	t.Helper()
	begun, end := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- db.Do(context.Background(), func(*Tx) error {
			close(begun)
			<-end
			return nil
		})
	}()
	<-begun
	return func() {
		close(end)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Transactions that wait are committed together, and each succeeds or fails alone.
func TestGroupCommit(t *testing.T) {
	commits := 0
	db, err := openLite(t.Context(), filepath.Join(t.TempDir(), "g.db"), files(), Options{CrashPoint: func(point string) {
		if point == "after-commit" {
			commits++
		}
	}})
	must(t, db, err)
	release := hold(t, db)
	boom := errors.New("boom")
	jobs := map[string]func(*Tx) error{
		"fails":  func(t *Tx) error { return errors.Join(addWord("fails")(t), boom) },
		"panics": func(t *Tx) error { must(failing{}, 0, addWord("panics")(t)); panic("oh") },
		"doubles": func(t *Tx) error {
			return errors.Join(addWord("doubles")(t), addWord("doubles")(t))
		},
	}
	for i := range 20 {
		jobs[fmt.Sprintf("good%02d", i)] = addWord(fmt.Sprintf("good%02d", i))
	}
	results := make(map[string]error)
	var mu sync.Mutex
	var all sync.WaitGroup
	for name, job := range jobs {
		all.Go(func() {
			err := db.Do(context.Background(), job)
			mu.Lock()
			defer mu.Unlock()
			results[name] = err
		})
	}
	eventually.Holds(t, "all wait", func() bool { return len(sqliteWriter(db).queue) >= len(jobs) })
	release()
	all.Wait()

	want := ""
	for i := range 20 {
		want += fmt.Sprintf("good%02d ", i)
	}
	if got := words(t, db); got != strings.TrimSpace(want) {
		t.Errorf("kept: %s", got)
	}
	for name, err := range results {
		if strings.HasPrefix(name, "good") && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !errors.Is(results["fails"], boom) {
		t.Errorf("fails: %v", results["fails"])
	}
	if err := results["panics"]; err == nil || fault.KindOf(err) != fault.Internal || !strings.Contains(err.Error(), "oh") {
		t.Errorf("panics: %v", err)
	}
	if !fault.Is(results["doubles"], fault.Conflict) {
		t.Errorf("doubles: %v", results["doubles"])
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if commits != 2 {
		t.Errorf("%d commits, want 2: who waits shares one", commits)
	}
}

// sqliteWriter is the writer of a database.
func sqliteWriter(db *DB) *writer { return db.writer.(*writer) }

type failing struct{}

func (failing) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func TestWriterLeavesWhoLeft(t *testing.T) {
	db := openSQLite(t)
	release := hold(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- db.Do(ctx, addWord("left")) }()
	eventually.Holds(t, "all wait", func() bool { return len(sqliteWriter(db).queue) > 0 })
	cancel()
	release()
	if err := <-done; !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if got := words(t, db); got != "" {
		t.Errorf("kept: %s", got)
	}
}

// Close leaves nobody waiting: each transaction is committed or gets an error.
func TestCloseWhileWaiting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g.db")
	db, err := openLite(t.Context(), path, files(), Options{})
	must(t, db, err)
	release := hold(t, db)
	results := make([]error, 50)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i] = db.Do(context.Background(), addWord(fmt.Sprint("f", i))) })
	}
	eventually.Holds(t, "all wait", func() bool { return len(sqliteWriter(db).queue) >= len(results) })
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	release()
	all.Wait()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := db.Do(context.Background(), addWord("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("late: %v", err)
	}

	again, err := openLite(t.Context(), path, files(), Options{})
	must(t, again, err)
	kept := " " + words(t, again) + " "
	for i, err := range results {
		if strings.Contains(kept, fmt.Sprint(" f", i, " ")) != (err == nil) {
			t.Errorf("f%d: %v, kept: %s", i, err, kept)
		}
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
