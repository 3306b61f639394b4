package registry

import (
	"context"
	"strconv"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/proof"
	"granary/internal/versions"
)

// PackageVersion is a package as a version of its name.
type PackageVersion struct {
	Package
	Creator     string     // user name; "" for a deploy token
	Manifest    *Digest    // of a final version; nil otherwise
	YankedAt    *time.Time // no selector chooses a yanked version; nil if it is not
	YankReason  string
	Deprecation string // why not to use it; "" unless its status is StatusDeprecated
	DraftStatus Status // of a draft: the status that it has when it is final; "" otherwise
	Channels    []string
}

// VersionFile is the newest file of its name in a version.
type VersionFile struct {
	ID        int64
	Name      FileName
	Size      int64 // bytes
	Digest    Digest
	CRC32     uint32 // if Summed
	Summed    bool   // the CRC-32 is known
	Small     bool   // the database keeps its bytes
	CreatedAt time.Time
}

// VersionCursor is a place in a list of the versions of a name: after this version.
type VersionCursor struct {
	Version   Version
	ID        int64
	CreatedAt time.Time // counts only in a list by date
}

// VersionFilesMost is how many files a version may have to be shown, or packed, whole.
const VersionFilesMost = proof.MaxFiles

// WholeVersion is a version with its files, and how the address named it.
type WholeVersion struct {
	PackageVersion
	Selected bool // the address has a selector, not the version
	Public   bool // everyone may read it, and it never changes
	Files    []VersionFile
}

// Size is the sum of the sizes of the files, in bytes.
func (v WholeVersion) Size() (sum int64) {
	for _, f := range v.Files {
		sum += f.Size
	}
	return sum
}

// FindVersion finds the version that raw names, exactly or by a selector, with its files
// in the order of their paths' bytes. refused is as for Open. Absent if there is none.
// Unprocessable if it has more than VersionFilesMost files.
func (r *Registry) FindVersion(ctx context.Context, a access.Actor, project string, raw Raw, refused error) (WholeVersion, error) {
	raw.Whole = true
	at, err := r.reading(ctx, a, project, raw, refused)
	if err != nil {
		return WholeVersion{}, err
	}
	found, err := r.Records.SelectVersion(ctx, at.ProjectID, at.Name, at.Version, at.selector)
	if err != nil {
		return WholeVersion{}, r.notChosen(ctx, &at, err)
	}
	r.hideAuthors(a, at.Project, &found)
	v, err := r.whole(ctx, at.Project, WholeVersion{PackageVersion: found, Selected: found.Version != at.Version})
	if err == nil {
		err = v.checkCount()
	}
	v.Public = v.FinalAt != nil && r.public(at.Project)
	return v, err
}

// public reports whether everyone may read the packages of a project.
func (r *Registry) public(p Project) bool {
	s := access.Resource{Visibility: p.Standing.Visibility, Packages: p.Standing.Packages, Archived: p.Standing.Archived}
	return r.Rules.Check(access.Actor{}, s, access.ReadPackages) == access.Allowed
}

// checkCount refuses to show a version with too many files.
func (v WholeVersion) checkCount() error {
	if len(v.Files) <= VersionFilesMost {
		return nil
	}
	return fault.New(fault.Unprocessable, v.words()+" has more than "+strconv.Itoa(VersionFilesMost)+" files; ask for them one by one, or by GET /projects/:id/packages/:package_id/package_files")
}

// changed is what a deed returns of a version: of more than VersionFilesMost files the
// first, since the deed is done.
func (r *Registry) changed(ctx context.Context, p Project, v PackageVersion) (WholeVersion, error) {
	w, err := r.whole(ctx, p, WholeVersion{PackageVersion: v})
	w.Files = w.Files[:min(len(w.Files), VersionFilesMost)]
	return w, err
}

// whole adds the channels of a version and its files, or more than VersionFilesMost.
func (r *Registry) whole(ctx context.Context, p Project, v WholeVersion) (WholeVersion, error) {
	v.ProjectPath = p.FullPath
	files, err := r.Records.VersionFiles(ctx, v.ID, VersionFilesMost+1)
	if err != nil {
		return v, err
	}
	v.Files = files
	v.Channels, err = r.channelsOf(ctx, v.PackageVersion)
	return v, err
}

// channelsOf is the names of the channels that lead to a version.
func (r *Registry) channelsOf(ctx context.Context, v PackageVersion) ([]string, error) {
	channels, err := r.Records.ListChannels(ctx, v.ProjectID, v.Name)
	return leadingTo(v.Version, channels), err
}

// NameVersions are versions of one name, the highest first, and its channels.
type NameVersions struct {
	ProjectID int64
	Name      Name
	Versions  []PackageVersion
	Channels  []Channel
	Next      *VersionCursor // where the next page begins; nil after the last one
}

// versionsPage is how many versions a page has.
const versionsPage = 100

// ListNameVersions lists the versions of a name that lists show, in true order, the
// highest first, after a cursor unless that is nil. refused is as for Open. Absent if
// the name has none.
func (r *Registry) ListNameVersions(ctx context.Context, a access.Actor, project, name string, after *VersionCursor, refused error) (NameVersions, error) {
	at, err := r.reading(ctx, a, project, Raw{Name: name, Whole: true}, refused)
	if err != nil {
		return NameVersions{}, err
	}
	all := NameVersions{ProjectID: at.ProjectID, Name: at.Name}
	rows, err := r.Records.ListInOrder(ctx, at.ProjectID, at.Name, VersionFilter{Uncounted: true}, after, versionsPage+1)
	if err != nil {
		return all, err
	}
	for _, row := range rows {
		all.Versions = append(all.Versions, row.PackageVersion)
	}
	if len(all.Versions) == 0 && after == nil {
		return all, fault.New(fault.Absent, "404 Not Found - there is no package "+name)
	}
	if len(all.Versions) > versionsPage {
		all.Versions = all.Versions[:versionsPage]
		last := all.Versions[versionsPage-1]
		all.Next = &VersionCursor{Version: last.Version, ID: last.ID}
	}
	all.Channels, err = r.Records.ListChannels(ctx, at.ProjectID, at.Name)
	for i := range all.Versions {
		v := &all.Versions[i]
		r.hideAuthors(a, at.Project, v)
		v.Channels = leadingTo(v.Version, all.Channels)
	}
	return all, err
}

// hideAuthors leaves out who published a version, for actors that may install packages and
// not list them: they may be strangers.
func (r *Registry) hideAuthors(a access.Actor, p Project, v *PackageVersion) {
	if !r.may(a, p, access.ListPackages) {
		v.Creator, v.CreatorID, v.Pipeline = "", 0, nil
	}
}

// readAt is what an address names that an actor may read.
type readAt struct {
	Project
	Coordinates
	selector *versions.Selector // nil if the address has a version
}

// reading is the gate of all that is read by names: it judges names first, then the
// credential, then the right (contract generic-packages 0.5).
func (r *Registry) reading(ctx context.Context, a access.Actor, project string, raw Raw, refused error) (readAt, error) {
	at := readAt{}
	if s, ok := versions.ParseSelector(raw.Version); ok {
		found := s // a copy, so that others do not allocate one
		at.selector, raw.Selector = &found, true
	}
	p, missing := r.place(ctx, a, project, "")
	c, err := r.coordinates(a, p, missing, raw)
	at.Project, at.Coordinates = p, c
	switch {
	case fault.Is(err, fault.Invalid) && !raw.Selector && looksLikeSelector(raw.Version):
		return at, fault.New(fault.Invalid, err.Error()+"; a selector is one of latest, ^1.4, ~1.4, 1.x and @channel")
	case fault.Is(err, fault.Invalid):
		return at, err
	case refused != nil:
		return at, refused
	case err != nil:
		return at, err
	}
	if err = gate.Token(a, access.ReadPackages, ""); err == nil {
		err = missing
	}
	if err == nil {
		err = r.judge(a, p, access.ReadPackages, genericDoor())
	}
	return at, err
}

// looksLikeSelector reports a text that was meant for a selector and is none.
func looksLikeSelector(text string) bool {
	return text != "" && strings.ContainsRune("^~@<>=*", rune(text[0])) || strings.HasSuffix(text, ".x") || strings.HasSuffix(text, ".*")
}

// notChosen is the refusal if an address names no version: Absent, with what it names.
func (r *Registry) notChosen(ctx context.Context, at *readAt, err error) error {
	text := string(at.Version)
	switch {
	case !fault.Is(err, fault.NotFound):
		return err
	case at.selector == nil:
		return noVersion(err, at.Name, at.Version)
	case at.selector.Channel == "":
		return fault.New(fault.Absent, "404 Not Found - no version of "+string(at.Name)+" is "+text)
	}
	return r.noChannel(ctx, at)
}

// noVersion is the refusal if there is no version of that name; other errors stay.
func noVersion(err error, name Name, version Version) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Absent, "404 Not Found - there is no "+string(name)+" "+string(version))
	}
	return err
}

// missingFile is the refusal if a version was selected that has no such file.
func missingFile(at *readAt, chosen Version) error {
	return fault.New(fault.Absent, "404 Not Found - "+string(at.Version)+" is "+string(chosen)+", which has no file "+at.File.Path())
}
