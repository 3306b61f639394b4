package webhooks

import "time"

// Action is what happened to a package.
type Action string

// The actions.
const (
	FilePublished  Action = "publish"
	FileDeleted    Action = "delete_file"
	PackageDeleted Action = "delete"

	// granary's own.
	VersionYanked       Action = "yank"
	VersionUnyanked     Action = "unyank"
	VersionDeprecated   Action = "deprecate"
	VersionUndeprecated Action = "undeprecate"
	VersionHidden       Action = "hide"
	VersionShown        Action = "show"
	ChannelSet          Action = "channel"
	ChannelRemoved      Action = "channel-gone"
	VersionFinal        Action = "finalise"
)

// OfVersion reports an action on a version or a channel, which GitLab does not have.
func (a Action) OfVersion() bool {
	switch a {
	case FilePublished, FileDeleted, PackageDeleted:
		return false
	}
	return true
}

// Event is something that happened to a package, as it was then. It is kept
// in the outbox as JSON, so that a field that is renamed is lost to the events
// that wait there.
type Event struct {
	UUID    string // the same for every hook
	Action  Action
	At      time.Time
	User    *User // nil for a deploy token
	Project Project
	Package Package
	Channel string // of ChannelSet and ChannelRemoved, without @
	File    *File  // nil if it is not about one file

	Files      []File // of VersionFinal: the first
	FilesCount int    // all of them
}

// User is the author of the event.
type User struct {
	ID             int64
	Username, Name string
}

// Project is the project of the event.
type Project struct {
	ID                           int64
	Name, Description, Namespace string
	FullPath                     string
	Visibility                   int
	DefaultBranch                string
}

// Package is what it happened to.
type Package struct {
	ID                    int64
	Name, Version, Status string
	CreatedAt, UpdatedAt  time.Time

	Yanked                  bool // like the next three, only of events about a version
	YankReason, Deprecation string
	Manifest                string // SHA-256 of a final version's manifest; "" otherwise
}

// File is the file of the package that it is about.
type File struct {
	ID        int64
	Name      string
	Size      int64 // bytes
	SHA256    string
	CreatedAt time.Time
}

// sample makes an event of a package that there is not, for tests.
func (e Event) sample(now time.Time) Event {
	e.UUID, e.Action, e.At = NewKey(), FilePublished, now
	e.Package = Package{Name: "sample", Version: "1.0.0", Status: "default", CreatedAt: now, UpdatedAt: now}
	e.File = &File{
		Name: "sample.txt", CreatedAt: now, // of no bytes
		SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	}
	return e
}
