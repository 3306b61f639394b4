package registry

import (
	"context"
	"slices"
	"strconv"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/versions"
)

// Doomed is what somebody is about to delete: some versions of a name, all of them, or one
// file.
type Doomed struct {
	IDs    []int64 // of packages of one name, up to MostDoomed; with FileID, the one of the file
	Name   Name    // all versions of this name; "" for those of IDs
	FileID int64   // only this file of the version; 0 for whole versions
}

// MostDoomed is how many versions can be chosen one by one.
const MostDoomed = 100

// mostDoomedVersions is how many versions a name may have for its deletion to be told.
const mostDoomedVersions = 10_000

// LinkTarget is versions of a name, or one file, that links of releases may lead to.
type LinkTarget struct {
	ProjectID int64
	FullPath  string
	Name      Name
	Versions  []Version // nil: all
	File      FileName  // "": all
}

// LatestChange is what the selector latest chooses before and after a deletion.
type LatestChange struct {
	Before, After Version // "" for none
	Left          int     // versions of the name that lists show afterwards
}

// Consequences is what a deletion does. Nothing was done.
type Consequences struct {
	Versions     []Package // that go, or the one whose file goes
	Files        int
	Size         int64 // bytes of these files
	Stored       Stored
	Latest       *LatestChange // nil if only a file goes
	Channels     []Channel     // that lead nowhere afterwards
	Links        []ReleaseLink
	MoreLinks    bool // there are more than these
	LastDownload *time.Time
	Refused      []Refusal
}

// Refusal is why a version cannot be deleted by this actor.
type Refusal struct {
	Package
	Why string
}

// Shown is what DeletePackage takes to delete the package only as it is here: a time with
// a fraction of a second is compared exactly.
func (p Package) Shown() *time.Time { return exactly(p.UpdatedAt) }

// Shown is what DeletePackageFile takes, as for a package.
func (f File) Shown() *time.Time { return exactly(f.CreatedAt) }

func exactly(t time.Time) *time.Time { return new(t.Add(time.Nanosecond)) }

// Consequences tells what deleting does, for an actor that may delete packages, or drafts.
// Absent if one of the versions, or the file, is not there. Invalid if there are too many,
// or if they are of several names.
func (r *Registry) Consequences(ctx context.Context, a access.Actor, project string, d Doomed) (Consequences, error) {
	place, err := r.enter(ctx, a, project, access.DestroyPackage, apiDoor())
	denied := err
	if fault.Is(denied, fault.Denied) { // they may delete drafts
		place, err = r.enter(ctx, a, project, access.PublishPackage, apiDoor())
	}
	if err != nil {
		return Consequences{}, denied
	}
	if d.Name == "" && len(d.IDs) == 0 || len(d.IDs) > MostDoomed || d.FileID != 0 && len(d.IDs) != 1 {
		return Consequences{}, fault.New(fault.Invalid, "ids are invalid, want 1 to "+strconv.Itoa(MostDoomed)+" packages")
	}
	rows, err := r.Records.DoomedVersions(ctx, place.ProjectID, d, mostDoomedVersions+1)
	switch {
	case err != nil:
		return Consequences{}, err
	case len(rows) == 0, d.Name == "" && len(rows) != len(d.IDs):
		return Consequences{}, fault.New(fault.Absent, "Package not found")
	case slices.ContainsFunc(rows, func(row VersionRow) bool { return row.Name != rows[0].Name }):
		return Consequences{}, fault.New(fault.Invalid, "ids are invalid, want versions of one package")
	case len(rows) > mostDoomedVersions:
		return Consequences{}, fault.New(fault.Unprocessable, string(d.Name)+" has more than "+strconv.Itoa(mostDoomedVersions)+" versions; delete some of them first")
	}
	c := Consequences{}
	for _, row := range rows {
		if !r.sees(a, place, row.Package, row.Status != StatusDraft) {
			return Consequences{}, fault.New(fault.Absent, "Package not found")
		}
		if denied != nil && row.Status != StatusDraft {
			return Consequences{}, denied
		}
		c.add(row, r.lastDownload(row.ID))
		if err := r.refusal(place, a, row.Package, d.FileID != 0); err != nil {
			c.Refused = append(c.Refused, Refusal{row.Package, err.Error()})
		}
	}
	if c.Stored, err = r.Records.StoredBy(ctx, place.ProjectID, d, sharedMost); err != nil {
		return c, err
	}
	if d.FileID != 0 {
		err := r.afterFile(ctx, place, a, d, &c)
		return c, err
	}
	if err := r.afterVersions(ctx, place.ProjectID, d, &c); err != nil {
		return c, err
	}
	to := LinkTarget{ProjectID: place.ProjectID, FullPath: place.FullPath, Name: c.Versions[0].Name}
	for _, p := range c.Versions {
		to.Versions = append(to.Versions, p.Version)
	}
	err = r.afterLinks(ctx, place, a, to, &c)
	return c, err
}

func (c *Consequences) add(row VersionRow, downloaded *time.Time) {
	c.Files, c.Size, c.Versions = c.Files+row.Files, c.Size+row.Size, append(c.Versions, row.Package)
	if downloaded == nil {
		downloaded = row.LastDownloadedAt
	}
	if downloaded != nil && (c.LastDownload == nil || downloaded.After(*c.LastDownload)) {
		c.LastDownload = downloaded
	}
}

// refusal is why a version, or a file of it, cannot be deleted.
func (r *Registry) refusal(place Project, a access.Actor, p Package, file bool) error {
	if file && p.FinalAt != nil {
		return fault.New(fault.Denied, p.words()+" is final; delete the version")
	}
	if p.Status == StatusDraft {
		return checkProtection(place, a, p.Name)
	}
	return checkRemoval(place, a, p, p.UpdatedAt, nil)
}

// afterFile tells what a version loses with a file.
func (r *Registry) afterFile(ctx context.Context, place Project, a access.Actor, d Doomed, c *Consequences) error {
	f, _, err := r.Records.FindFileByID(ctx, d.FileID)
	if err != nil && damageOf(err) == "" || f.PackageID != d.IDs[0] {
		return fault.New(fault.Absent, "")
	}
	c.Files, c.Size = 1, f.Size
	v := c.Versions[0]
	return r.afterLinks(ctx, place, a, LinkTarget{place.ProjectID, place.FullPath, v.Name, []Version{v.Version}, f.Name}, c)
}

// afterLinks tells which links of releases lead nowhere afterwards.
func (r *Registry) afterLinks(ctx context.Context, place Project, a access.Actor, to LinkTarget, c *Consequences) (err error) {
	if !r.may(a, place, access.ReadReleases) {
		return nil
	}
	c.Links, err = r.Records.ReleaseLinks(ctx, to, factsMost+1)
	if c.MoreLinks = len(c.Links) > factsMost; c.MoreLinks {
		c.Links = c.Links[:factsMost]
	}
	return err
}

// afterVersions tells what becomes of the name, and of its selectors and channels.
func (r *Registry) afterVersions(ctx context.Context, projectID int64, d Doomed, c *Consequences) (err error) {
	name, left := c.Versions[0].Name, LatestChange{}
	facts, err := r.Records.FindName(ctx, projectID, name)
	if err != nil {
		return err
	}
	if d.Name != "" {
		left.Before, err = r.Records.ChooseVersion(ctx, projectID, name, latestText, versions.Selector{Latest: true})
		if fault.Is(err, fault.NotFound) {
			err = nil
		}
	} else {
		left.Before, left.After, err = r.Records.LatestWithout(ctx, projectID, name, d.IDs)
		left.Left = facts.Versions
	}
	there := make(map[Version]bool, len(c.Versions))
	for _, p := range c.Versions {
		there[p.Version] = true
		if d.Name == "" && p.Status.Listed() {
			left.Left--
		}
	}
	for _, channel := range facts.Channels {
		if there[channel.Version] {
			c.Channels = append(c.Channels, channel)
		}
	}
	c.Latest = &left
	return err
}
