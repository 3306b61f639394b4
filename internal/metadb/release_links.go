package metadb

import (
	"context"
	"strings"

	"granary/internal/page"
	"granary/internal/releases"
	"granary/internal/sqldb"
)

const everyLink = 1 << 20 // more than a release may have

// fillLinks reads the links of releases, newest first.
func fillLinks(ctx context.Context, q sqldb.Queries, found []releases.Release) error {
	if len(found) == 0 {
		return nil
	}
	at := map[int64]*releases.Release{}
	ids := make([]int64, len(found))
	for i := range found {
		at[found[i].ID], ids[i] = &found[i], found[i].ID
	}
	var w sqldb.Where
	w.In("release_id", false, ids)
	_, err := sqldb.List(ctx, q, func(row sqldb.Scanner) (struct{}, error) {
		var releaseID int64
		var l releases.Link
		err := row.Scan(&releaseID, &l.ID, &l.Name, &l.URL, &l.Path, &l.Type)
		if err == nil {
			at[releaseID].Links = append(at[releaseID].Links, l)
		}
		return struct{}{}, err
	}, `SELECT release_id, id, name, url, path, link_type FROM release_links`+w.String()+` ORDER BY id DESC`, w.Args...)
	return err
}

// ListLinks implements releases.Store.
func (db *DB) ListLinks(ctx context.Context, releaseID int64, f releases.LinkFilter, p page.Request) (page.Of[releases.Link], error) {
	var w sqldb.Where
	w.And("l.release_id = ?", releaseID)
	if f.ID != 0 {
		w.And("l.id = ?", f.ID)
	}
	if len(f.Paths) > 0 {
		var either []string
		for _, path := range f.Paths {
			either = append(either, w.Bind("l.path = ?", path))
		}
		w.And("l.path <> '' AND (" + strings.Join(either, " OR ") + ")")
	}
	return listPage(ctx, direct{db}, &w, p, scanLink, "release_links l", "l.id, l.name, l.url, l.path, l.link_type", "l.id DESC")
}

func scanLink(row sqldb.Scanner) (releases.Link, error) {
	var l releases.Link
	err := row.Scan(&l.ID, &l.Name, &l.URL, &l.Path, &l.Type)
	return l, sqldb.Classify(err)
}

func (t tx) addLink(releaseID int64, l releases.Link) error {
	return t.Exec(`INSERT INTO release_links (release_id, name, url, path, link_type) VALUES ($1, $2, $3, $4, $5)`,
		releaseID, l.Name, l.URL, l.Path, string(l.Type))
}

// changeLinks writes the changes of a release's links. It deletes first, so that a new
// link may reuse a name.
func (t tx) changeLinks(e releases.Release, before map[int64]releases.Link) error {
	gone := map[int64]bool{}
	for id := range before {
		gone[id] = true
	}
	for _, l := range e.Links {
		delete(gone, l.ID)
	}
	for id := range gone {
		if err := t.Exec(`DELETE FROM release_links WHERE id = $1`, id); err != nil {
			return err
		}
	}
	for _, l := range e.Links {
		var err error
		switch {
		case l.ID == 0:
			err = t.addLink(e.ID, l)
		case l != before[l.ID]:
			err = t.Exec(`UPDATE release_links SET name = $1, url = $2, path = $3, link_type = $4 WHERE id = $5`,
				l.Name, l.URL, l.Path, string(l.Type), l.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
