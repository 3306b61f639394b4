// Package registry is what granary is for: packages, their files, and the rules of
// publishing and installing them.
package registry

import (
	"context"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/gate"
	"granary/internal/naming"
)

// Digest is the SHA-256 of a file's bytes.
type Digest = blob.Digest

// Checksum is a sum of the bytes by another algorithm, as a sender declares it.
type Checksum = blob.Checksum

// Algorithm is a way to compute a checksum.
type Algorithm = blob.Algorithm

// The algorithms of checksums that can be declared.
const (
	SHA256  = blob.SHA256
	SHA512  = blob.SHA512
	SHA1    = blob.SHA1
	MD5     = blob.MD5
	CRC32C  = blob.CRC32C
	Adler32 = blob.Adler32
)

// Name is a package's name.
type Name = naming.Name

// Version is a package's version.
type Version = naming.Version

// FileName is a file's name as it is stored.
type FileName = naming.FileName

// Coordinates name a file of a package.
type Coordinates = naming.Coordinates

// Raw is coordinates as a caller sent them.
type Raw = naming.Raw

// Range is a part of a file's bytes, from Start up to and without End.
type Range = blob.Range

// ParseDigest reads 64 hexadecimal digits of either case.
func ParseDigest(text string) (Digest, error) { return blob.ParseDigest(text) }

// File is a package file on record. Its bytes never change.
type File struct {
	ID        int64
	PackageID int64
	ProjectID int64
	Name      FileName
	Size      int64 // bytes
	Digest    blob.Digest
	Status    Status
	CreatedAt time.Time
	Draft     bool // it was put into a draft, or read from one
	Final     bool // its version is; only FindFile and FindNumber set it
	Public    bool // everyone may read it, and it never changes; only Open sets it
	Twin      bool // another file, perhaps removed, was published to its coordinates in the same second; only FindFile sets it
	Yanked    bool // its version is; only FindFile sets it
}

// Project is a project as publishing and installing see it: one look-up.
type Project struct {
	ProjectID   int64
	Path        string // the last segment
	FullPath    string
	Moved       bool            // it was found by a former path
	Standing    access.Resource // the actor's
	FlagOn      bool            // feature flag generic_packages
	Naming      *naming.Grammar
	MaxFileSize *int64 // bytes, 0 = none; nil: the server's
	Duplicates  DuplicatePolicy
	Drafts      DraftMode
	Protections []Protection
}

// Protection says who may publish and delete packages of matching names (contract
// generic-packages 6).
type Protection struct {
	Pattern string      // '*' stands for anything; case does not matter
	Push    access.Role // least role to publish; NoRole: not limited
	Delete  access.Role // least role to delete; NoRole: not limited
}

// Publication is what AddFile records.
type Publication struct {
	ProjectID   int64
	Coordinates Coordinates
	Size        int64
	Digest      blob.Digest
	CRC32       *uint32     // of the bytes; nil if it is not known
	Small       []byte      // the bytes, if the database is to keep them; else nil
	Status      *Status     // for the whole package; nil keeps it. A draft gets it when it is final
	Into        Into        // which version takes it
	JobID       int64       // of the job that publishes, 0 without one; only drafts note it
	Unreleased  ReleaseTags // if the project has a release of one of them, Into is IntoOpen
	CreatorID   int64       // 0 for a deploy token
	PipelineID  int64       // 0 without a job
	NoDuplicate bool        // Refused if the package has a file of this name, unless it is a draft
	If          *Condition  // Precondition if it does not hold; nil: it always does
	Restored    *File       // the file on record that gets its bytes back; nil for a new file
	Event       audit.Event
	Now         time.Time
}

// Registry is the deeds of this room.
type Registry struct {
	Records      Records
	Groups       gate.Places
	Blobs        blob.Store
	Links        blob.Linker // of Blobs; nil if every download goes through the server
	Rules        access.Rules
	Limits       Limits         // the zero value: DefaultLimits
	Naming       naming.Grammar // the server's
	MaxFileSize  int64          // bytes, 0 = none; the server's
	Drafts       DraftMode      // the server's; "": DraftsOnRequest
	DraftTTL     time.Duration  // after which an untouched draft is discarded, in 1 h to 90 days; 0 for 7 days
	InlineMax    int64          // bytes; bodies up to this are stored with their record
	RecheckAfter time.Duration  // after a body that took so long, its sender is checked again; 0 for 1 s
	Now          func() time.Time
	Full         func() bool // whether the server's disk is too full for files; nil: never

	// Damaged, if set, is called for each file that could not be read because it is
	// lost or damaged.
	Damaged func(context.Context, Damage)

	downloads downloads
	notAside  notAside
}

// entity is the project as audit events name it.
func (p Project) entity() audit.Entity {
	return audit.Entity{Type: audit.Project, ID: p.ProjectID, Path: p.FullPath}
}

// sizeError is the detail of a refusal for size, for the log.
type sizeError string

func (e sizeError) Error() string { return string(e) }
