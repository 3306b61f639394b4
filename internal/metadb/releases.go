package metadb

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"time"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/releases"
	"granary/internal/sqldb"
)

const releaseColumns = `e.id, e.project_id, r.path, e.tag, e.name, e.description, e.ref, e.milestones,
	u.id, u.username, u.name, u.blocked, e.created_at, e.updated_at, e.released_at`

const releaseTables = `releases e JOIN users u ON u.id = e.author_id
	JOIN routes r ON r.project_id = e.project_id AND r.redirect = 0`

func scanRelease(row sqldb.Scanner) (releases.Release, error) {
	var e releases.Release
	var milestones string
	var created, updated, released int64
	a := &e.Author
	err := row.Scan(&e.ID, &e.ProjectID, &e.ProjectPath, &e.Tag, &e.Name, &e.Description, &e.Ref, &milestones,
		&a.ID, &a.Username, &a.Name, &a.Blocked, &created, &updated, &released)
	if milestones != "" {
		e.Milestones = strings.Split(milestones, "\n")
	}
	e.CreatedAt, e.UpdatedAt, e.ReleasedAt = sqldb.Moment(created), sqldb.Moment(updated), sqldb.Moment(released)
	return e, sqldb.Classify(err)
}

func scanOutline(row sqldb.Scanner) (releases.Release, error) {
	var e releases.Release
	err := row.Scan(&e.ID, &e.Tag)
	return e, sqldb.Classify(err)
}

func findRelease(ctx context.Context, q sqldb.Queries, projectID int64, tag string) (releases.Release, error) {
	e, err := scanRelease(q.Row(ctx, `SELECT `+releaseColumns+` FROM `+releaseTables+` WHERE e.project_id = $1 AND e.tag = $2`, projectID, tag))
	if err != nil {
		return e, err
	}
	found := []releases.Release{e}
	err = fillLinks(ctx, q, found)
	return found[0], err
}

// ListReleases implements releases.Store.
func (db *DB) ListReleases(ctx context.Context, projectID int64, f releases.Filter, p page.Request) (page.Of[releases.Release], error) {
	w := chosenReleases(projectID, f, p)
	if f.Outline {
		return countedPage(ctx, direct{db}, &w, p, listing[releases.Release]{
			selection{from: "releases e", columns: "e.id, e.tag", order: releaseOrder(f, p)}, scanOutline,
		})
	}
	rows := listing[releases.Release]{
		selection{narrow: "releases e", from: releaseTables, columns: releaseColumns, bytes: releaseBytes, order: releaseOrder(f, p)}, scanRelease,
	}
	if f.Unlinked {
		rows.bytes = textBytes
	}
	brief := rows
	brief.columns = strings.Replace(releaseColumns, "e.description", opening(f.Opening), 1)
	if f.Brief {
		brief.bytes = briefBytes
		return countedPage(ctx, direct{db}, &w, p, brief)
	}
	all := w.Clone()
	var found page.Of[releases.Release]
	var err error
	if p.OrderBy == releases.ByVersion {
		found, err = db.byVersion(ctx, all, f, p, rows)
	} else {
		found, err = countedPage(ctx, direct{db}, &w, p, rows)
	}
	if err != nil {
		return found, err
	}
	if found.Steps != nil {
		db.readInParts(found.Steps, brief, all, f.Unlinked)
	}
	if f.Unlinked {
		return found, nil
	}
	err = found.Finish(ctx, func(ctx context.Context, rows []releases.Release) ([]releases.Release, error) {
		if len(rows) == 1 && rows[0].Apart != nil {
			return rows, nil
		}
		return rows, fillLinks(ctx, db, rows)
	})
	return found, err
}

// opening is SQL for the first characters of a description. Without any it is not read.
func opening(characters int) string {
	if characters == 0 {
		return `''`
	}
	return "substr(e.description, 1, " + strconv.Itoa(characters) + ")"
}

// chosenReleases is the condition of a list of releases.
func chosenReleases(projectID int64, f releases.Filter, p page.Request) sqldb.Where {
	var w sqldb.Where
	w.And("e.project_id = ?", projectID)
	if f.ID != 0 {
		w.And("e.id = ?", f.ID)
	}
	if f.Tag != "" {
		w.And("e.tag = ?", f.Tag)
	}
	for _, bound := range []struct {
		than string
		at   time.Time
	}{{"e.updated_at > ?", f.UpdatedAfter}, {"e.updated_at < ?", f.UpdatedBefore}, {"e.released_at <= ?", f.ReleasedBy}} {
		if !bound.at.IsZero() {
			w.And(bound.than, sqldb.Micros(bound.at))
		}
	}
	if f.Search != "" {
		w.And(w.MatchingAs(tagPattern, f.Search, "e.tag"))
	}
	if f.After != nil {
		afterRelease(&w, *f.After, p)
	}
	return w
}

// readInParts lets large releases be read in brief, and their description and links
// in parts.
func (db *DB) readInParts(steps *page.Steps[releases.Release], brief listing[releases.Release], all sqldb.Where, unlinked bool) {
	large, read := steps.IsLarge(), steps.Read
	steps.Read = func(ctx context.Context, ids []int64) ([]releases.Release, error) {
		if len(ids) != 1 || !large[ids[0]] {
			return read(ctx, ids)
		}
		rows, err := brief.readRows(ctx, direct{db}, all, ids)
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		e := &rows[0]
		e.Apart = &releases.Parts{Description: db.description(ctx, e.ID, e.UpdatedAt)}
		if !unlinked {
			e.Apart.Links, err = db.ListLinks(ctx, e.ID, releases.LinkFilter{}, page.Request{Number: 1, Size: everyLink, InSteps: true})
		}
		return rows, err
	}
}

// partOfText is how many characters of a long text are read at once.
const partOfText = 128 << 10

// description reads a release's description in parts. It stops if the release changes.
func (db *DB) description(ctx context.Context, id int64, updated time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for from := 1; ; from += partOfText {
			var part string
			err := direct{db}.Row(ctx, `SELECT substr(description, $1, $2) FROM releases WHERE id = $3 AND updated_at = $4`,
				from, partOfText, id, sqldb.Micros(updated)).Scan(&part)
			if part == "" && err == nil || !yield(part, sqldb.Classify(err)) || err != nil {
				return
			}
		}
	}
}

// releaseBytes estimates the size of a release with its links. SQLite knows the
// lengths without reading the texts, but must read a long description to reach columns
// behind it.
const releaseBytes = `CAST(octet_length(e.name) + octet_length(e.description) + octet_length(e.milestones) + (
	SELECT COALESCE(SUM(octet_length(l.name) + octet_length(l.url) + octet_length(l.path) + 512), 0)
	FROM release_links l WHERE l.release_id = e.id) AS BIGINT)`

// textBytes is releaseBytes without links, briefBytes also without the description.
const (
	textBytes  = `CAST(octet_length(e.name) + octet_length(e.description) + octet_length(e.milestones) AS BIGINT)`
	briefBytes = `CAST(octet_length(e.name) + octet_length(e.milestones) AS BIGINT)`
)

// InsertRelease implements releases.Store.
func (db *DB) InsertRelease(ctx context.Context, e releases.Release, with releases.Alongside, most fault.Limit, done audit.Event) (releases.Release, error) {
	var release func()
	defer func() { db.letGo(release, e.ProjectID) }()
	return writeInTurn(ctx, db, func(t tx) (releases.Release, error) {
		if err := t.room(ctx, releaseRows(), 1, most, e.ProjectID); err != nil {
			return e, err
		}
		id, err := t.Insert(`INSERT INTO releases (project_id, tag, name, description, ref, milestones, author_id,
				created_at, updated_at, released_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`,
			e.ProjectID, e.Tag, e.Name, e.Description, e.Ref, strings.Join(e.Milestones, "\n"), e.Author.ID,
			sqldb.Micros(e.CreatedAt), sqldb.Micros(e.UpdatedAt), sqldb.Micros(e.ReleasedAt))
		if err != nil {
			return e, err
		}
		for _, l := range e.Links {
			if err := t.addLink(id, l); err != nil {
				return e, err
			}
		}
		if err := t.record(ctx, done.To("Release", id, e.Tag)); err != nil {
			return e, err
		}
		changed, err := t.releaseWith(ctx, e.ProjectID, with)
		if err != nil {
			return e, err
		}
		if changed && release == nil { // no file of a draft is cached
			release = db.holdChoices()
		}
		return findRelease(ctx, t, e.ProjectID, e.Tag)
	})
}

// UpdateRelease implements releases.Store.
func (db *DB) UpdateRelease(ctx context.Context, projectID int64, tag string, edit func(*releases.Release) (audit.Event, error)) (releases.Release, error) {
	return writeInTurn(ctx, db, func(t tx) (releases.Release, error) {
		e, err := findRelease(ctx, t, projectID, tag)
		if err != nil {
			return e, err
		}
		before := map[int64]releases.Link{}
		for _, l := range e.Links {
			before[l.ID] = l
		}
		done, err := edit(&e)
		if err != nil {
			return e, err
		}
		if err := t.record(ctx, done); err != nil {
			return e, err
		}
		err = t.Exec(`UPDATE releases SET name = $1, description = $2, milestones = $3, updated_at = $4, released_at = $5 WHERE id = $6`,
			e.Name, e.Description, strings.Join(e.Milestones, "\n"), sqldb.Micros(e.UpdatedAt), sqldb.Micros(e.ReleasedAt), e.ID)
		if err != nil {
			return e, err
		}
		if err := t.changeLinks(e, before); err != nil {
			return e, err
		}
		return findRelease(ctx, t, projectID, tag)
	})
}

// DeleteRelease implements releases.Store.
func (db *DB) DeleteRelease(ctx context.Context, projectID int64, tag string, done audit.Event) (releases.Release, error) {
	return writeInTurn(ctx, db, func(t tx) (releases.Release, error) {
		e, err := findRelease(ctx, t, projectID, tag)
		if err != nil {
			return e, err
		}
		if err := t.Exec(`DELETE FROM releases WHERE id = $1`, e.ID); err != nil {
			return e, err
		}
		return e, t.record(ctx, done.To("Release", e.ID, e.Tag))
	})
}
