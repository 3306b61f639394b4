package metadb

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/naming"
	"granary/internal/registry"
)

// heap is the bytes in use on the heap, once nothing more is freed: what earlier tests
// left ends in the background.
func heap() int64 {
	var m runtime.MemStats
	last, same := int64(0), 0
	for range 100 {
		runtime.GC()
		runtime.ReadMemStats(&m)
		now := int64(m.HeapAlloc)
		if same++; now < last-512 || now > last+512 {
			same = 0
		}
		if last = now; same == 3 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return last
}

// text is the n-th text of so many bytes, in memory of its own.
func text(n, size int) string {
	number := fmt.Sprintf("%08d", n)
	return strings.Clone(strings.Repeat("x", max(0, size-len(number))) + number)
}

// filling is a cache and entries for it, whose size grows with an argument.
type filling struct {
	name string
	put  func(db *DB, n, large int)
	of   func(db *DB) forgetter
}

func fillings() []filling {
	token := func(n int, t auth.Token) auth.Token {
		t.Digest = auth.DigestOf(text(n, 0))
		return t
	}
	someday := func() *time.Time { return new(time.Now()) }
	user := func(n, large int) auth.User {
		return auth.User{ID: int64(n), Username: text(n, 8), Name: text(n, 16), Email: text(n, 24), Note: text(n, large)}
	}
	tokens := func(db *DB) forgetter { return db.tokens }
	places := func(db *DB) forgetter { return db.projects }
	return []filling{
		{"routes", func(db *DB, n, large int) { db.routes.put(text(n, 16+2*large), route{projectID: 7}, stamp{}) },
			func(db *DB) forgetter { return db.routes }},
		{"places", func(db *DB, n, large int) {
			p := registry.Project{ProjectID: int64(n), Path: text(n, 8+large/10), FullPath: text(n, 16+large/10), MaxFileSize: new(int64(n))}
			for i := range large / 10 {
				p.Protections = append(p.Protections, registry.Protection{Pattern: text(i, 20)})
			}
			db.projects.put(projectKey{projectID: int64(n)}, p, stamp{})
		}, places},
		{"places with an exception", func(db *DB, n, large int) {
			expr := fmt.Sprintf(`[a-z]{1,%d}-tool`, 1+large*9/10)
			p := registry.Project{ProjectID: int64(n), Path: text(n, 8), FullPath: text(n, 16), Naming: new(naming.Grammar(text(n, 8))),
				Drafts: registry.DraftMode(text(n, 8)), Standing: access.Resource{Finalisers: access.Finalisers(text(n, 8))},
				Duplicates: registry.DuplicatePolicy{Exception: naming.KeptException(expr)}}
			db.projects.put(projectKey{projectID: int64(n)}, p, stamp{})
		}, places},
		{"personal tokens", func(db *DB, n, large int) {
			t := token(n, auth.Token{User: user(n, large), Personal: &auth.PersonalToken{
				Name: text(n, 8), Description: text(n, large), Scopes: splitScopes(text(n, 8) + " api"), ExpiresAt: someday(), LastUsedAt: someday()}})
			db.tokens.put(t.Digest, t, stamp{})
		}, tokens},
		{"sessions", func(db *DB, n, large int) {
			t := token(n, auth.Token{User: user(n, 0), Session: &auth.Session{Method: text(n, 8), Scopes: splitScopes(text(n, 8) + " api"), Address: text(n, 9), UserAgent: text(n, large)},
				Origin: &auth.PersonalToken{Name: text(n, 8), Description: text(n, large), Scopes: splitScopes(text(n, 8)), ExpiresAt: someday()}})
			db.tokens.put(t.Digest, t, stamp{})
		}, tokens},
		{"deploy tokens", func(db *DB, n, large int) {
			t := token(n, auth.Token{Deploy: &auth.DeployToken{Name: text(n, 8+large), Username: text(n, 20), Scopes: splitScopes(text(n, 16)), ExpiresAt: someday()}})
			db.tokens.put(t.Digest, t, stamp{})
		}, tokens},
		{"job tokens", func(db *DB, n, large int) {
			t := token(n, auth.Token{User: user(n, 0), Job: &auth.Job{User: user(n, 0), Name: text(n, 8+large), Ref: text(n, 8), SHA: text(n, 40)}})
			t.User = t.Job.User
			db.tokens.put(t.Digest, t, stamp{})
		}, tokens},
		{"files", func(db *DB, n, large int) {
			c := cloned(registry.Coordinates{Name: registry.Name(text(n, 8)), Version: "1.0.0", File: "tool.tar.gz"})
			f := foundFile{registry.File{Name: c.File, Status: registry.Status(text(1, 8))}, make([]byte, 30+50*large)}
			db.files.put(fileKey{7, c}, f, stamp{})
		}, func(db *DB) forgetter { return db.files }},
		{"walks", func(db *DB, n, large int) {
			for i := range 1 + large/10 {
				key := keyOfWalk(registry.PackageFilter{Projects: []int64{int64(n)}, Status: registry.Status(text(i%4, 8))}, "created_at", false)
				db.walks.end(key, text(1, 20), db.walks.begin(int64(n)), bookmark{offset: i, key: listKey{name: text(i, 20), version: text(i, 8)}})
			}
		}, func(db *DB) forgetter { return db.walks.lists }},
	}
}

// remembering is the caches of a DB without a database.
func remembering(bytes int64) *DB {
	db := &DB{}
	db.makeCaches()
	db.LimitCaches(bytes)
	return db
}

// TestCachesWeighWhatTheHeapSays: each within a factor of 1.5, with few and many
// small entries and with large ones.
func TestCachesWeighWhatTheHeapSays(t *testing.T) {
	for _, f := range fillings() {
		for _, of := range []struct{ entries, large int }{{300, 0}, {3500, 0}, {4700, 0}, {7100, 0}, {700, 100}, {40, 1000}} {
			var db *DB
			var took, weight int64
			for range 3 { // the heap is everybody's: another test may free something meanwhile
				db = remembering(1 << 30)
				before := heap()
				for n := range of.entries {
					f.put(db, n, of.large)
				}
				took, weight = heap()-before, f.of(db).weighs()
				if 2*took <= 3*weight && 2*weight <= 3*took {
					break
				}
			}
			if 2*took > 3*weight || 2*weight > 3*took {
				t.Errorf("%s, %d entries of size %d: it weighs %d and takes %d bytes", f.name, of.entries, of.large, weight, took)
			}
			if total := db.budget.weight.Load(); total != weight {
				t.Errorf("%s: the budget has %d bytes, the cache %d", f.name, total, weight)
			}
			if db.budget.clear(); db.budget.weight.Load() != 0 {
				t.Errorf("%s: %d bytes are left after everything was forgotten", f.name, db.budget.weight.Load())
			}
			runtime.KeepAlive(db)
		}
	}
}

// TestBudgetHoldsWhateverComes: after small entries of every kind, large ones, and
// small ones again, the heap has grown by little more than the budget.
func TestBudgetHoldsWhateverComes(t *testing.T) {
	const limit = 1 << 20
	before := heap()
	db := remembering(limit)
	for round, large := range []int{0, 200, 0, 30} {
		for _, f := range fillings() {
			for n := range 20000 / (1 + large) {
				f.put(db, n, large)
			}
			if weight := db.budget.weight.Load(); weight > limit {
				t.Errorf("round %d: after %s the caches weigh %d bytes", round, f.name, weight)
			}
		}
		if took := heap() - before; took > limit*3/2 {
			t.Errorf("round %d: %d bytes on the heap", round, took)
		}
	}
	runtime.KeepAlive(db)
}

// TestPopularEntriesStay: entries that are asked for again and again stay, however
// many others are asked for once, in the same cache or another.
func TestPopularEntriesStay(t *testing.T) {
	db := remembering(1 << 20)
	file := func(n int) fileKey {
		return fileKey{1, registry.Coordinates{Name: registry.Name(text(n, 8)), Version: "1.0.0", File: "f"}}
	}
	const popular = 100
	asked, misses := 0, 0
	ask := func() {
		for n := range popular {
			asked++
			if _, found, at := db.files.look(file(n)); !found {
				misses++
				db.files.put(file(n), foundFile{small: make([]byte, 1000)}, at)
			}
			place := projectKey{projectID: int64(n)}
			if _, found, at := db.projects.look(place); !found {
				misses++
				db.projects.put(place, registry.Project{}, at)
			}
		}
	}
	for flood := range 200 {
		ask()
		for n := range 100 {
			n += popular + 100*flood
			_, _, at := db.files.look(file(n))
			db.files.put(file(n), foundFile{small: make([]byte, 2000)}, at)
		}
	}
	if misses -= 2 * popular; misses > asked/20 { // a fifth, if chance decided
		t.Errorf("%d of %d were forgotten", misses, 2*asked)
	}
}

// TestFullBudgetForgetsAPart: a full budget drops a part of the heaviest cache, and
// nothing of a light one.
func TestFullBudgetForgetsAPart(t *testing.T) {
	const limit = 1 << 20
	db := remembering(limit)
	for n := range 100 {
		db.tokens.put(auth.DigestOf(text(n, 0)), auth.Token{}, stamp{})
	}
	least := int64(limit)
	for n := range 10000 {
		db.routes.put(text(n, 200), route{projectID: 1}, stamp{})
		if n > 8000 {
			least = min(least, db.budget.weight.Load())
		}
	}
	if least < limit*7/8 {
		t.Errorf("%d of %d bytes were left", least, limit)
	}
	if n := remembered(db.tokens); n != 100 {
		t.Errorf("%d tokens of 100 are left", n)
	}
}

// remembered is the number of a cache's entries. A sweep may run during a test.
func remembered[K comparable, V any](c *cache[K, V]) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

// TestNothingIsRememberedWithoutMemory: nothing is cached with a budget of 0, and no
// entry that would take too much of a budget.
func TestNothingIsRememberedWithoutMemory(t *testing.T) {
	for _, f := range fillings() {
		for limit, large := range map[int64]int{-1: 0, 1000: 1000} {
			db := remembering(limit)
			f.put(db, 1, large)
			if weight := db.budget.weight.Load(); weight != 0 {
				t.Errorf("%s: of a budget of %d, %d bytes are taken", f.name, limit, weight)
			}
		}
	}
}

// TestOldEntriesGo: old entries are dropped even if nobody asks again; others stay.
func TestOldEntriesGo(t *testing.T) {
	db := remembering(1 << 20)
	for n := range 3 * atOnce {
		db.tokens.put(auth.DigestOf(text(n, 0)), auth.Token{}, stamp{})
		db.projects.put(projectKey{projectID: int64(n), kind: access.User}, registry.Project{}, stamp{})
	}
	db.files.put(fileKey{projectID: 1}, foundFile{}, stamp{})
	if !db.tokens.sweep(lookupLife/2) || db.tokens.weighs() == 0 {
		t.Error("entries were forgotten before their time")
	}
	db.budget.began = db.budget.began.Add(-2 * lookupLife)
	db.budget.sweep()
	if n := db.tokens.weighs() + db.projects.weighs(); n != 0 {
		t.Errorf("%d bytes of old entries are left", n)
	}
	if !db.budget.waking.Load() || remembered(db.files) != 1 {
		t.Error("the file is forgotten, or nobody comes to forget it")
	}
	db.budget.clear()
	if db.budget.sweep(); db.budget.waking.Load() {
		t.Error("nothing is left, and still it is swept")
	}
}

// TestCacheUnderLoad: parallel looks, puts, drops and clears leave a correct weight.
func TestCacheUnderLoad(t *testing.T) {
	b := newBudget(200 << 10)
	c := newCache(b, new(sync.RWMutex), time.Nanosecond, func(_ int, v string) int64 { return texts(v) })
	d := newCache(b, new(sync.RWMutex), time.Hour, func(_ int, v string) int64 { return texts(v) })
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for n := range 5000 {
				_, _ = c.get(n*g%1500, func() (string, error) { return text(n, 50), nil })
				_, _ = d.get(n*g%2500, func() (string, error) { return text(n, 50), nil })
				switch n % 100 {
				case 1:
					d.drop(n)
				case 2:
					b.sweep()
				case 3:
					if g == 0 && n%1000 == 3 {
						d.clear()
					}
				}
			}
		})
	}
	all.Wait()
	b.trim()
	d.mu.Lock() // a sweep may be due
	defer d.mu.Unlock()
	var sum int64
	for _, e := range d.entries {
		sum += e.weight
	}
	if want := sum + int64(d.most)*d.slot; d.weighs() != want || c.weighs()+d.weighs() != b.weight.Load() || b.weight.Load() > b.limit.Load() {
		t.Errorf("entries weigh %d, the cache %d, both %d, the budget %d of %d", want, d.weighs(), c.weighs()+d.weighs(), b.weight.Load(), b.limit.Load())
	}
}
