package metadb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"granary/internal/sqldb"
)

// owners are the packages that events name, and those of the files that they name.
func (d *delta) owners() (owners ids, err error) {
	for id := range d.packages {
		owners.add(id)
	}
	err = d.each(`SELECT package_id FROM package_files WHERE id IN (`, 1, d.files.sorted(), func(v []int64) { owners.add(v[0]) })
	return owners, err
}

// filesAndBlobs are the files that events name, and all those of packages that they name;
// and the blobs of these and of uploads.
func (d *delta) filesAndBlobs() (files, blobs ids, err error) {
	published := ids{}
	for id := range d.files {
		files.add(id)
	}
	err = d.each(`SELECT id FROM package_files WHERE package_id IN (`, 1, d.packages.sorted(), func(v []int64) { files.add(v[0]) })
	if err != nil {
		return files, blobs, err
	}
	err = d.each(`SELECT id, blob_id FROM package_files WHERE id IN (`, 2, files.sorted(), func(v []int64) {
		blobs.add(v[1])
		if _, named := d.files[v[0]]; named {
			published.add(v[1])
		}
	})
	if err != nil {
		return files, blobs, err
	}
	err = d.each(`SELECT blob_id FROM uploads WHERE id IN (`, 1, d.uploads.sorted(), func(v []int64) {
		blobs.add(v[0])
		published.add(v[0])
	})
	d.done.Blobs = published.sorted()
	return files, blobs, err
}

// pipelines are those of packages, files and jobs.
func (d *delta) pipelines(owners, files ids) (pipelines ids, err error) {
	add := func(v []int64) { pipelines.add(v[0]) }
	err = d.each(`SELECT pipeline_id FROM package_pipelines WHERE package_id IN (`, 1, owners.sorted(), add)
	if err == nil {
		err = d.each(`SELECT pipeline_id FROM package_file_pipelines WHERE package_file_id IN (`, 1, files.sorted(), add)
	}
	if err == nil {
		err = d.each(`SELECT pipeline_id FROM jobs WHERE id IN (`, 1, d.jobs.sorted(), add)
	}
	return pipelines, err
}

// gone writes which of these rows are no more.
func (d *delta) gone(table string, named ids) error {
	there := ids{}
	err := d.each(`SELECT id FROM `+table+` WHERE id IN (`, 1, named.sorted(), func(v []int64) { there.add(v[0]) })
	if err != nil {
		return err
	}
	for _, id := range named.sorted() {
		if _, found := there[id]; found || id == 0 {
			continue
		}
		if err := d.w.Gone(table, []string{"id"}, []any{id}); err != nil {
			return err
		}
	}
	return nil
}

// versionKey is what rows that outlive a package are found by.
type versionKey struct {
	project       int64
	name, version string
}

// ofVersions writes the rows that belong to the versions of packages by their names.
func (d *delta) ofVersions(owners ids) error {
	versions, err := d.versions(owners.sorted())
	if err != nil {
		return err
	}
	for _, table := range []string{"reserved_versions", "former_files"} {
		if err := d.keyed(table, versions, []string{"project_id", "name", "version"}); err != nil {
			return err
		}
	}
	if d.channelGone {
		i := slices.IndexFunc(recordTables(), func(t recordTable) bool { return t.name == "package_channels" })
		return d.whole(recordTables()[i])
	}
	for i := range versions {
		versions[i].version = ""
	}
	return d.keyed("package_channels", slices.Compact(versions), []string{"project_id", "name"})
}

// versions are those of packages, sorted, each once.
func (d *delta) versions(packages []int64) (all []versionKey, err error) {
	for chunk := range slices.Chunk(packages, idsAtOnce) {
		texts, args := idList(chunk)
		some, err := sqldb.List(d.ctx, d.q, func(row sqldb.Scanner) (v versionKey, err error) {
			err = row.Scan(&v.project, &v.name, &v.version)
			return v, err
		}, `SELECT project_id, name, version FROM packages WHERE id IN (`+texts+`)`, args...)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b versionKey) int {
		return cmp.Or(cmp.Compare(a.project, b.project), cmp.Compare(a.name, b.name), cmp.Compare(a.version, b.version))
	})
	return slices.Compact(all), nil
}

// keyed writes the rows of a table that versions have in the columns.
func (d *delta) keyed(table string, versions []versionKey, columns []string) error {
	begun := false
	for chunk := range slices.Chunk(versions, namesOfVersions) {
		var conditions []string
		var args []any
		for _, v := range chunk {
			values := []any{v.project, v.name, v.version}
			var parts []string
			for i, column := range columns {
				args = append(args, values[i])
				parts = append(parts, fmt.Sprintf("%s = $%d", column, len(args)))
			}
			conditions = append(conditions, "("+strings.Join(parts, " AND ")+")")
		}
		if err := d.append(table, &begun, `SELECT * FROM `+table+` WHERE `+strings.Join(conditions, " OR "), args); err != nil {
			return inTable(table, err)
		}
	}
	return nil
}
