package registry

import (
	"context"
	"strconv"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/versions"
)

// Doomed is what somebody is about to delete: versions of a project, all versions of a
// name, or one file.
type Doomed struct {
	IDs    []int64 // of packages, up to MostDoomed; with FileID, the one of the file
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

// NameChange is what the selector latest chooses before and after a deletion.
type NameChange struct {
	Name          Name
	Before, After Version // "" for none
	Left          int     // versions that lists show afterwards
}

// Consequences is what a deletion does. Nothing was done.
type Consequences struct {
	Versions     []Package // that go, or the one whose file goes
	Files        int
	Size         int64 // bytes of these files
	Stored       Stored
	Names        []NameChange // of each name of which versions go; of a file, none
	Channels     []Channel    // that lead nowhere afterwards
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
// Absent if one of the versions, or the file, is not there. Invalid if there are too many.
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
	file := FileName("")
	if d.FileID != 0 {
		f, _, err := r.Records.FindFileByID(ctx, d.FileID)
		if err != nil && damageOf(err) == "" || f.PackageID != d.IDs[0] {
			return c, fault.New(fault.Absent, "")
		}
		c.Files, c.Size, file = 1, f.Size, f.Name
	}
	return c, r.aftermath(ctx, place, a, file, &c)
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

// aftermath tells what selectors, channels and releases lose, name by name.
func (r *Registry) aftermath(ctx context.Context, place Project, a access.Actor, file FileName, c *Consequences) error {
	byName := map[Name][]Package{}
	var names []Name
	for _, p := range c.Versions {
		if byName[p.Name] == nil {
			names = append(names, p.Name)
		}
		byName[p.Name] = append(byName[p.Name], p)
	}
	for _, name := range names {
		if file == "" {
			if err := r.afterName(ctx, place.ProjectID, name, byName[name], c); err != nil {
				return err
			}
		}
		if !r.may(a, place, access.ReadReleases) || c.MoreLinks {
			continue
		}
		to := LinkTarget{ProjectID: place.ProjectID, FullPath: place.FullPath, Name: name, File: file}
		for _, p := range byName[name] {
			to.Versions = append(to.Versions, p.Version)
		}
		links, err := r.Records.ReleaseLinks(ctx, to, factsMost+1-len(c.Links))
		if err != nil {
			return err
		}
		c.Links = append(c.Links, links...)
		if c.MoreLinks = len(c.Links) > factsMost; c.MoreLinks {
			c.Links = c.Links[:factsMost]
		}
	}
	return nil
}

// afterName tells what becomes of a name of which versions go.
func (r *Registry) afterName(ctx context.Context, projectID int64, name Name, gone []Package, c *Consequences) error {
	change := NameChange{Name: name}
	before, err := r.Records.ChooseVersion(ctx, projectID, name, latestText, versions.Selector{Latest: true})
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	change.Before, change.After = before, before
	ids := make(map[int64]bool, len(gone))
	there := make(map[Version]bool, len(gone))
	listed := 0
	for _, p := range gone {
		ids[p.ID], there[p.Version] = true, true
		if p.Status.Listed() {
			listed++
		}
	}
	if before == "" || there[before] {
		if change.After, err = r.Records.LatestWithout(ctx, projectID, name, ids); err != nil {
			return err
		}
	}
	if change.Left, err = r.Records.CountListed(ctx, projectID, name); err != nil {
		return err
	}
	change.Left -= listed
	c.Names = append(c.Names, change)
	channels, err := r.Records.ListChannels(ctx, projectID, name)
	for _, channel := range channels {
		if there[channel.Version] {
			c.Channels = append(c.Channels, channel)
		}
	}
	return err
}
