package metadb

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/sqldb"
	"granary/internal/versions"
)

// fill completes the rows of names: their latest and newest versions, and their channels.
func (l *nameLister) fill(ctx context.Context, projectID int64, ids []int64, rows []registry.NameRow) error {
	if len(rows) == 0 {
		return nil
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatInt(id, 10)
	}
	all := versions.Semantic()
	found, err := sqldb.List(ctx, l.q, scanRanked, l.db.shownQuery(strings.Join(texts, ", ")), all.From, all.Below)
	if err != nil {
		return err
	}
	shown, err := l.shown(ctx, found)
	if err != nil {
		return err
	}
	keyless := map[int]bool{}
	for i, f := range found {
		row := slices.Index(ids, int64(f.rank/kinds))
		switch f.rank % kinds {
		case latestKind:
			rows[row].Latest = &shown[i]
		case lastKind:
			rows[row].Last, rows[row].PublishedAt = &shown[i], shown[i].CreatedAt
		case keylessKind:
			keyless[row] = true
		}
	}
	for row := range keyless {
		v, err := l.db.selectKeyless(ctx, projectID, rows[row].Name, versions.Selector{Latest: true})
		if err == nil {
			rows[row].Latest = &v
		} else if !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return l.channels(ctx, projectID, rows)
}

// shown is the versions with their pipelines. One version may be there twice.
func (l *nameLister) shown(ctx context.Context, found []rankedVersion) ([]registry.PackageVersion, error) {
	at := map[int64]*registry.PackageVersion{}
	var once []registry.PackageVersion
	for _, f := range found {
		if at[f.ID] == nil {
			once = append(once, f.PackageVersion)
			at[f.ID] = &f.PackageVersion
		}
	}
	err := versionPipelines(ctx, l.q, once)
	for i := range once {
		at[once[i].ID] = &once[i]
	}
	all := make([]registry.PackageVersion, len(found))
	for i, f := range found {
		all[i] = *at[f.ID]
	}
	return all, err
}

// channels fills in the channels of names.
func (l *nameLister) channels(ctx context.Context, projectID int64, rows []registry.NameRow) error {
	w := sqldb.Where{Args: []any{projectID}}
	at := map[registry.Name]*registry.NameRow{}
	var names []string
	for i := range rows {
		at[rows[i].Name] = &rows[i]
		names = append(names, w.Bind("?", string(rows[i].Name)))
	}
	found, err := sqldb.List(ctx, l.q, scanChannel, `SELECT `+channelColumns+` FROM package_channels WHERE project_id = $1 AND name IN (`+strings.Join(names, ", ")+`) ORDER BY name, channel`, w.Args...)
	for _, c := range found {
		at[c.Package].Channels = append(at[c.Package].Channels, c)
	}
	return err
}
