package registry

import (
	"context"
	"strconv"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/page"
	"granary/internal/versions"
)

// VersionRow is a version in a list.
type VersionRow struct {
	PackageVersion
	Files int   // that are not removed, also several of one name
	Size  int64 // bytes of these files
}

// PreRelease reports whether the version is a pre-release.
func (v VersionRow) PreRelease() bool { return versions.IsPreRelease(string(v.Version)) }

// VersionFilter chooses versions of a name, and their order: the highest first.
type VersionFilter struct {
	Text   string          // a part of the version, whatever its case
	Within *versions.Range // nil: not limited
	Stable bool            // without pre-releases
	Status Status          // "": those that lists show
	Yanked bool            // only yanked ones
	ByDate bool            // the newest first. All versions of the name are read for a page
	Asc    bool            // the other way round

	Uncounted bool // rows have no Files and no Size
}

// VersionQuery is a VersionFilter with the range as text.
type VersionQuery struct {
	VersionFilter
	Range string // such as ^2, ~1.4 or 1.x; "": not limited
}

// VersionList is a page of the versions of a name.
type VersionList struct {
	page.Part[VersionRow]
	ProjectID  int64
	Name       Name
	Latest     Version // what the selector latest chooses; "" for none
	NameFacts          // of all versions that lists show
	Rules      Rules
	MayPublish bool // the actor may put files into the package
}

// NameFacts is what there is of a name.
type NameFacts struct {
	Versions int   // that lists show
	Stored   int64 // bytes of their files; -1 until the upkeep has counted those of an older server
	Keyless  bool  // some version of an older server has no key yet, and is not in its place in lists
	Channels []Channel
}

// Rules are what a project demands of those who change a package.
type Rules struct {
	Push, Delete access.Role // the least that its protection rules ask for; NoRole: they do not say
	Duplicates   bool        // a file may be published twice
	Exceptions   bool        // but not, or only, into versions that match the project's exception
	Naming       naming.Grammar
}

// rulesOf are the rules of a place for a name.
func (r *Registry) rulesOf(place Project, name Name) Rules {
	d := place.Duplicates
	excepted := d.Exception.Matches(string(name))
	rules := Rules{Duplicates: d.Allowed != excepted, Exceptions: d.Exception != nil && !excepted, Naming: r.Naming}
	if place.Naming != nil {
		rules.Naming = *place.Naming
	}
	for _, rule := range place.Protections {
		if rule.matches(name) {
			rules.Push, rules.Delete = max(rules.Push, rule.Push), max(rules.Delete, rule.Delete)
		}
	}
	return rules
}

// versionRows is how many versions a page has.
const versionRows = 20

// Versions lists the versions of a name. Absent if lists show none of that name. Drafts
// are only for actors that may publish: to others there are none. Invalid if the range or
// the cursor is none.
func (r *Registry) Versions(ctx context.Context, a access.Actor, project, name string, q VersionQuery, at *page.Cursor) (VersionList, error) {
	place, err := r.enter(ctx, a, project, access.ListPackages, apiDoor())
	if err != nil {
		return VersionList{}, err
	}
	all := VersionList{ProjectID: place.ProjectID, Name: Name(name)}
	after, err := q.read(at)
	if err != nil {
		return all, err
	}
	if q.Status == StatusDraft && !r.may(a, place, access.PublishPackage) {
		return all, nil
	}
	f := q.VersionFilter
	f.Asc = f.Asc != (at != nil && at.Back)
	rows, err := r.Records.ListInOrder(ctx, place.ProjectID, all.Name, f, after, versionRows+1)
	if err != nil {
		return all, err
	}
	if len(rows) == 0 && at == nil && q.VersionFilter == (VersionFilter{ByDate: q.ByDate, Asc: q.Asc}) {
		return all, fault.New(fault.Absent, "404 Not Found - there is no package "+name)
	}
	if all.NameFacts, err = r.Records.FindName(ctx, place.ProjectID, all.Name); err != nil {
		return all, err
	}
	all.Rules = r.rulesOf(place, all.Name)
	all.MayPublish = r.may(a, place, access.PublishPackage) && checkProtection(place, a, all.Name) == nil
	for i := range rows {
		rows[i].Channels = leadingTo(rows[i].Version, all.Channels)
		rows[i].ProjectPath = place.FullPath
		rows[i].MayDelete = r.may(a, place, access.DestroyPackage) && r.refusal(place, a, rows[i].Package, false) == nil
	}
	all.Part = page.PartOf(q.cursorOrder(), at, rows, versionRows, q.keys)
	all.Latest, err = r.Records.ChooseVersion(ctx, place.ProjectID, all.Name, latestText, versions.Selector{Latest: true})
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return all, err
}

// latestText is the selector of the latest version.
const latestText = "latest"

// read reads the range and the cursor.
func (q *VersionQuery) read(at *page.Cursor) (*VersionCursor, error) {
	if q.Range != "" {
		s, ok := versions.ParseSelector(q.Range)
		if !ok || s.Range == nil {
			return nil, fault.New(fault.Invalid, "range is invalid, want one such as ^2, ~1.4 or 1.x")
		}
		q.Within = s.Range
	}
	keys, err := at.In(q.cursorOrder(), 2)
	if err != nil || keys == nil {
		return nil, err
	}
	id, err := strconv.ParseInt(keys[1], 10, 64)
	if err != nil {
		return nil, page.ErrCursor()
	}
	if !q.ByDate {
		return &VersionCursor{Version: Version(keys[0]), ID: id}, nil
	}
	us, err := strconv.ParseInt(keys[0], 10, 64)
	if err != nil {
		return nil, page.ErrCursor()
	}
	return &VersionCursor{ID: id, CreatedAt: time.UnixMicro(us)}, nil
}

func (q *VersionQuery) cursorOrder() string {
	order := "semver"
	if q.ByDate {
		order = "date"
	}
	if q.Asc {
		return "versions:" + order
	}
	return "versions:-" + order
}

func (q *VersionQuery) keys(v VersionRow) []string {
	id := strconv.FormatInt(v.ID, 10)
	if q.ByDate {
		return []string{strconv.FormatInt(v.CreatedAt.UnixMicro(), 10), id}
	}
	return []string{string(v.Version), id}
}

// Latest is the version that the selector latest chooses, or one that is called latest.
// Absent if there is none.
func (r *Registry) Latest(ctx context.Context, a access.Actor, project, name string) (Version, error) {
	at, err := r.reading(ctx, a, project, Raw{Name: name, Version: "latest", Whole: true}, nil)
	if err != nil {
		return "", err
	}
	c, err := r.choose(ctx, &at)
	return c.Version, err
}
