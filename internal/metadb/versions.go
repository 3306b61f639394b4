package metadb

import (
	"cmp"
	"context"
	"database/sql"
	"strconv"
	"strings"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/versions"
)

// versionColumns are the columns of a package as a version. They need no join, so that
// a probe of an index reads one row.
const versionColumns = packageColumns + `, k.manifest, k.yanked_at, k.yank_reason, k.deprecation, k.draft_status,
	(SELECT u.username FROM users u WHERE u.id = k.creator_id)`

// scanVersion reads a row whose first column is any number.
func scanVersion(row sqldb.Scanner) (registry.PackageVersion, error) {
	v, err := scanRanked(row)
	return v.PackageVersion, err
}

// rankedVersion is a version that a selector found, and how good it is.
type rankedVersion struct {
	rank int
	registry.PackageVersion
}

func scanRanked(row sqldb.Scanner) (rankedVersion, error) {
	var v rankedVersion
	var s packageScan
	var yanked sql.NullInt64
	var manifest []byte
	var reason, deprecation, draft, username sql.NullString
	into := append([]any{&v.rank}, s.into()...)
	err := row.Scan(append(into, &manifest, &yanked, &reason, &deprecation, &draft, &username)...)
	v.Package = s.scanned()
	v.YankedAt, v.YankReason, v.Creator = sqldb.OptionalMoment(yanked), reason.String, username.String
	if v.Status == registry.StatusDeprecated {
		v.Deprecation = deprecation.String
	}
	if v.Status == registry.StatusDraft {
		v.DraftStatus = cmp.Or(registry.Status(draft.String), registry.StatusDefault)
	}
	if len(manifest) > 0 {
		v.Manifest = (*registry.Digest)(manifest)
	}
	return v, sqldb.Classify(err)
}

// Conditions of the indexes on versions. Queries must have the same text.
const (
	ofName     = `k.project_id = $1 AND k.name = $2 AND k.status <> 'pending_destruction'`
	finalOf    = ofName + ` AND k.final_at IS NOT NULL`
	selectable = ` AND k.status IN ` + shown + ` AND k.yanked_at IS NULL`
)

// Ranks of what a selector may find. The lowest that was found decides.
const (
	literalRank   = iota // the version whose name is the selector's text
	keylessRank          // some version without a key: the choice is made in Go
	finalRank            // the best final version
	finalPreRank         // the best final pre-release
	finalOnlyRank        // some final version: open ones do not count
	openRank             // the best open version
	openPreRank          // the best open pre-release
)

// inOrder keeps PostgreSQL at the index of these rows even if so many rows of the table
// are such that it expects to meet one soon in any order.
const inOrder = ` ORDER BY k.prerelease, k.version_key`

// union is the one statement that reads the rows of all arms.
func union(arms ...string) string {
	numbered := make([]string, len(arms))
	for i, arm := range arms {
		numbered[i] = `SELECT * FROM (` + arm + `) AS a` + strconv.Itoa(i)
	}
	return strings.Join(numbered, ` UNION ALL `)
}

// arm is a probe of an index, with a rank.
func arm(rank int, condition string) string {
	return `SELECT ` + strconv.Itoa(rank) + ` AS rank, ` + versionColumns + ` FROM packages k WHERE ` + condition + ` LIMIT 1`
}

func literalArm(rank int, of string) string {
	return arm(rank, of+` AND k.version = $3 AND k.status IN `+installable)
}

// best is the highest version of a range that a selector may choose.
func best(rank int, of, prerelease string) string {
	return arm(rank, of+` AND k.prerelease = `+prerelease+` AND k.version_key >= $4 AND k.version_key < $5`+selectable+
		` ORDER BY k.version_key DESC, k.id DESC`)
}

// channelSelection needs no literal version: no grammar lets one begin with @.
func channelSelection() string {
	return `SELECT 0, ` + versionColumns + ` FROM package_channels c JOIN packages k
		ON k.project_id = c.project_id AND k.name = c.name AND k.version = c.version AND k.status <> 'pending_destruction'
		WHERE c.project_id = $1 AND c.name = $2 AND c.channel = $3` + selectable
}

// ranks is how many ranks there are.
const ranks = openPreRank + 1

// rangeArms are for a range of stable versions, or with pre, of all. only is a further
// condition of the versions that count; from is added to the ranks.
func rangeArms(pre bool, only string, from int) []string {
	of, final := ofName+only, finalOf+only
	arms := []string{literalArm(from+literalRank, of), arm(from+keylessRank, of+` AND k.prerelease IS NULL`+inOrder), best(from+finalRank, final, "0")}
	if pre {
		arms = append(arms, best(from+finalPreRank, final, "1"))
	}
	arms = append(arms, arm(from+finalOnlyRank, final+inOrder), best(from+openRank, of, "0"))
	if pre {
		arms = append(arms, best(from+openPreRank, of, "1"))
	}
	return arms
}

// selections are the texts of all kinds of selectors, and of FindVersion.
type selections struct{ literal, channel, latest, ranged, around string }

func newSelections() selections {
	return selections{literalArm(literalRank, ofName), channelSelection(), union(rangeArms(true, "", 0)...), union(rangeArms(false, "", 0)...), aroundVersion()}
}

// SelectVersion implements registry.Versions.
func (db *DB) SelectVersion(ctx context.Context, projectID int64, name registry.Name, text registry.Version, s *versions.Selector) (registry.PackageVersion, error) {
	v, err := db.selectVersion(ctx, projectID, name, text, s)
	if err != nil {
		return v, err
	}
	return withPipeline(ctx, db, v)
}

// withPipeline fills in the last pipeline of a version.
func withPipeline(ctx context.Context, q sqldb.Queries, v registry.PackageVersion) (registry.PackageVersion, error) {
	one := []registry.PackageVersion{v}
	err := versionPipelines(ctx, q, one)
	return one[0], err
}

// versionPipelines fills in the last pipeline of each version.
func versionPipelines(ctx context.Context, q sqldb.Queries, all []registry.PackageVersion) error {
	packages := make([]registry.Package, len(all))
	for i, v := range all {
		packages[i] = v.Package
	}
	err := lastPipelines(ctx, q, packages)
	for i, p := range packages {
		all[i].Package = p
	}
	return err
}

// selectVersion is SelectVersion without the pipeline.
func (db *DB) selectVersion(ctx context.Context, projectID int64, name registry.Name, text registry.Version, s *versions.Selector) (registry.PackageVersion, error) {
	query, args := db.selections.literal, []any{projectID, string(name), string(text)}
	switch {
	case s == nil:
	case s.Channel != "":
		query, args[2] = db.selections.channel, s.Channel
	case s.Range != nil:
		query, args = db.selections.ranged, append(args, s.Range.From, s.Range.Below)
	default:
		all := versions.Semantic()
		query, args = db.selections.latest, append(args, all.From, all.Below)
	}
	found, err := sqldb.ListFixed(ctx, db, scanRanked, query, args...)
	if err != nil {
		return registry.PackageVersion{}, err
	}
	v, rank := first(found)
	switch rank {
	case keylessRank:
		return db.selectKeyless(ctx, projectID, name, *s)
	case finalOnlyRank, ranks:
		return registry.PackageVersion{}, fault.New(fault.NotFound, "")
	}
	return v, nil
}

// first is the version of the lowest rank that was found; the rank is ranks if none was.
func first(found []rankedVersion) (v registry.PackageVersion, rank int) {
	rank = ranks
	for _, f := range found {
		if f.rank < rank {
			v, rank = f.PackageVersion, f.rank
		}
	}
	return v, rank
}

// choiceKey is a selector's text in a package.
type choiceKey struct {
	projectID int64
	name      registry.Name
	text      registry.Version
}

func weighChoice(key choiceKey, v registry.Version) int64 {
	return texts(string(key.name), string(key.text), string(v))
}

// ChooseVersion implements registry.Versions. On SQLite choices are cached until a
// version or a channel changes.
func (db *DB) ChooseVersion(ctx context.Context, projectID int64, name registry.Name, text registry.Version, s versions.Selector) (registry.Version, error) {
	choose := func() (registry.Version, error) {
		v, err := db.selectVersion(ctx, projectID, name, text, &s)
		return v.Version, err
	}
	if db.Shared() { // another node may publish a version
		return choose()
	}
	key := choiceKey{projectID, name, text}
	if v, known, _ := db.choices.look(key); known {
		return v, nil
	}
	key.name, key.text = registry.Name(strings.Clone(string(name))), registry.Version(strings.Clone(string(text)))
	return db.choices.get(key, choose)
}

// forgetVersions drops what is cached about which versions there are.
func (db *DB) forgetVersions() { db.choices.clear() }

// holdChoices is for a transaction that changes what a selector chooses: nothing is cached
// until the end of it, when the returned function is called.
func (db *DB) holdChoices() (release func()) {
	db.choices.holdAll()
	return db.choices.releaseAll
}

// letGo ends a hold that a transaction began, if it did, and forgets the bookmarks of the
// project's lists.
func (db *DB) letGo(release func(), projectID int64) {
	if release != nil {
		release()
		db.walks.drop(projectID)
	}
}

// holdVersions is holdChoices for one that changes which files there are, too.
func (db *DB) holdVersions() (release func()) {
	db.files.holdAll()
	db.choices.holdAll()
	return func() {
		db.choices.releaseAll()
		db.files.releaseAll()
	}
}
