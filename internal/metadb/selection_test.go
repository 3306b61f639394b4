package metadb

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"

	"granary/internal/client"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/versions"
)

// made is a version that a test put into the table.
type made struct {
	id            int64
	version       string
	status        registry.Status
	yanked, final bool
}

// semantic is the version as Masterminds/semver reads it; nil if it is none.
func (m made) semantic() *semver.Version {
	v, err := semver.NewVersion(m.version)
	if err != nil {
		return nil
	}
	return v
}

func (m made) installs() bool {
	return slices.Contains([]registry.Status{registry.StatusDefault, registry.StatusHidden, registry.StatusDeprecated}, m.status)
}

const pendingDestruction = registry.Status("pending_destruction")

// worded is the choice of a selector as design note 020 words it; 0 for none.
func worded(all []made, text string) int64 {
	anyFinal := slices.ContainsFunc(all, func(m made) bool { return m.final && m.status != pendingDestruction })
	constraint, failed := semver.NewConstraint(text)
	var best made
	for _, m := range all {
		if m.version == text && m.installs() {
			return m.id
		}
		v := m.semantic()
		switch {
		case v == nil, m.yanked, m.status != registry.StatusDefault && m.status != registry.StatusDeprecated, anyFinal && !m.final:
			continue
		case text != "latest" && (failed != nil || v.Prerelease() != "" || !constraint.Check(v)):
			continue
		}
		if best.id == 0 || higher(m, best) {
			best = m
		}
	}
	return best.id
}

// higher reports whether latest prefers one version to another.
func higher(m, than made) bool {
	v, w := m.semantic(), than.semantic()
	if stable, other := v.Prerelease() == "", w.Prerelease() == ""; stable != other {
		return stable
	}
	return cmp.Or(v.Compare(w), cmp.Compare(m.id, than.id)) > 0
}

// randomVersions are versions of one name: few texts, so that many are equal, or next to
// each other.
func randomVersions(r *rand.Rand, at int64) (all []made) {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	rare := r.IntN(3) // some names have final versions
	seen := map[string]bool{}
	for range 1 + r.IntN(12) {
		m := made{id: at + int64(len(all)), status: registry.Status(pick("default", "default", "default", "deprecated", "hidden", "error", "pending_destruction"))}
		m.version = pick("", "", "v") + pick("0", "1", "1", "2", "10") + pick("", ".0", ".4", ".10") + pick("", "-rc.1", "-rc.10", "-a", "+b") + pick("", "", "", ".x")
		if r.IntN(9) == 0 {
			m.version = pick("latest", "1.x", "nightly", "build-7", "1.2.3.4")
		}
		if seen[m.version] && m.status != pendingDestruction {
			continue
		}
		seen[m.version] = seen[m.version] || m.status != pendingDestruction
		m.yanked, m.final = r.IntN(5) == 0, rare == 0 && r.IntN(3) == 0
		all = append(all, m)
	}
	return all
}

func insertMade(t *testing.T, db *DB, projectID int64, name string, all []made) {
	t.Helper()
	must(t, 0, db.do(t.Context(), func(tx tx) error {
		for _, m := range all {
			var final, yanked any
			if m.final {
				final = int64(1)
			}
			if m.yanked {
				yanked = int64(1)
			}
			err := tx.Exec(`INSERT INTO packages (id, project_id, name, version, status, created_at, updated_at, final_at, yanked_at, version_key, prerelease)
				VALUES ($1, $2, $3, $4, $5, 1, 1, $6, $7, $8, $9)`, m.id, projectID, name, m.version, string(m.status), final, yanked,
				versions.Key(m.version), sqldb.Bool(versions.IsPreRelease(m.version)))
			if err != nil {
				return fmt.Errorf("%+v: %w", m, err)
			}
		}
		return nil
	}))
}

// The choice of every selector is the one that the design note words, by a comparison of
// all versions, and the client's: with keys, and while the upkeep has not reached one or all of them.
func TestSelectorsChooseAsWorded(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		r := rand.New(rand.NewPCG(15, 2))
		next := int64(1)
		for n := range 30 {
			name := registry.Name(fmt.Sprint("tool-", n))
			all := randomVersions(r, next)
			next += int64(len(all))
			insertMade(t, db, p.ID, string(name), all)
			for _, keyless := range []string{"", fmt.Sprint("id = ", all[r.IntN(len(all))].id), "name = '" + string(name) + "'"} {
				if keyless != "" {
					do(t, db, `UPDATE packages SET version_key = NULL, prerelease = NULL WHERE `+keyless)
				}
				wantChoices(t, db, p.ID, name, all)
			}
			if n%10 == 0 { // the upkeep
				done, err := db.KeyVersions(t.Context(), 1000)
				if must(t, done, err) == 0 {
					t.Error("no version had lost its key")
				}
				wantChoices(t, db, p.ID, name, all)
			}
		}
	})
}

// asListed are versions as the client lists them.
func asListed(all []made) (packages []client.Package) {
	for _, m := range all {
		if m.status != pendingDestruction {
			packages = append(packages, client.Package{ID: m.id, Version: m.version, Status: string(m.status), Yanked: m.yanked, Final: m.final})
		}
	}
	return packages
}

func parseSelector(t *testing.T, text string) *versions.Selector {
	t.Helper()
	s, ok := versions.ParseSelector(text)
	if !ok {
		t.Fatalf("%q is no selector", text)
	}
	return &s
}

func wantChoices(t *testing.T, db *DB, projectID int64, name registry.Name, all []made) {
	t.Helper()
	for _, text := range []string{"latest", "^1", "^1.4", "^0.0", "^0.4", "^10", "~1", "~1.4", "~1.4.0", "1.x", "1.4.x", "0.x", "3.x"} {
		v, err := db.SelectVersion(t.Context(), projectID, name, registry.Version(text), parseSelector(t, text))
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
		if want := worded(all, text); v.ID != want {
			t.Fatalf("%s of %s is %d %s, want %d of\n%+v", text, name, v.ID, v.Version, want, all)
		}
		if !slices.ContainsFunc(all, func(m made) bool { return m.version == text && m.installs() }) {
			byClient, err := client.Highest(asListed(all), text, false)
			if err == nil && byClient.ID != v.ID || err != nil && v.ID != 0 {
				t.Fatalf("%s of %s is %d %s, the client chooses %d, %v, of\n%+v", text, name, v.ID, v.Version, byClient.ID, err, all)
			}
		}
	}
}

// wantNeighbours checks the neighbours of the versions of tool, and that a list from each in
// both directions begins with them.
func wantNeighbours(t *testing.T, db *DB, projectID int64, all []string) {
	t.Helper()
	text := func(v *registry.Version) string {
		if v == nil {
			return ""
		}
		return string(*v)
	}
	for i, version := range all {
		v, err := db.FindVersion(t.Context(), projectID, "tool", registry.Version(version), false)
		must(t, 0, err)
		got, want := []string{text(v.Previous), text(v.Next)}, []string{append(all, "")[i+1], append([]string{""}, all...)[i]}
		if !slices.Equal(got, want) {
			t.Errorf("around %s are %q, want %q", version, got, want)
		}
		for k, f := range []registry.VersionFilter{{}, {Asc: true}} {
			rows, err := db.ListInOrder(t.Context(), projectID, "tool", f, &registry.VersionCursor{Version: v.Version, ID: v.ID}, 1)
			must(t, 0, err)
			if first := append(rows, registry.VersionRow{})[0]; string(first.Version) != want[k] {
				t.Errorf("beyond %s is %s, want %q", version, first.Version, want[k])
			}
		}
	}
}

// A list in order is sorted as Masterminds/semver does; versions without a key come last,
// and a cursor at one of them leads on.
func TestKeylessVersionsAreListedLast(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := demo(t, db)
		texts := []string{"1.0.0", "1.10.0", "1.9.0", "1.9.0-rc.1", "nightly", "0.1", "2.0.0-a", "1.9"}
		for i, text := range texts {
			insertMade(t, db, p.ID, "tool", []made{{id: int64(i + 1), version: text, status: registry.StatusDefault}})
		}
		listed := func(size int) (got []string) {
			t.Helper()
			var after *registry.VersionCursor
			for {
				page, err := db.ListInOrder(t.Context(), p.ID, "tool", registry.VersionFilter{}, after, size)
				if len(must(t, page, err)) == 0 || len(got) > len(texts) {
					return got
				}
				for _, v := range page {
					got = append(got, string(v.Version))
				}
				last := page[len(page)-1]
				after = &registry.VersionCursor{Version: last.Version, ID: last.ID}
			}
		}
		want := func(all string) {
			t.Helper()
			for _, size := range []int{1, 2, 3, 5, 100} {
				if got := strings.Join(listed(size), " "); got != all {
					t.Errorf("%d a page: %s, want %s", size, got, all)
				}
			}
			wantNeighbours(t, db, p.ID, strings.Fields(all))
		}
		want("2.0.0-a 1.10.0 1.9 1.9.0 1.9.0-rc.1 1.0.0 0.1 nightly")
		do(t, db, `UPDATE packages SET version_key = NULL, prerelease = NULL WHERE version IN ('1.10.0', '2.0.0-a', '0.1')`)
		want("1.9 1.9.0 1.9.0-rc.1 1.0.0 nightly 2.0.0-a 0.1 1.10.0")
		for _, want := range []int{2, 1, 0} {
			if n, err := db.KeyVersions(t.Context(), 2); must(t, n, err) != want {
				t.Errorf("%d versions had no key, want %d", n, want)
			}
		}
		want("2.0.0-a 1.10.0 1.9 1.9.0 1.9.0-rc.1 1.0.0 0.1 nightly")
	})
}
