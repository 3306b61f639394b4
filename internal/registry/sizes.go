package registry

// Size is how much something has, whoever else has the same bytes.
type Size struct {
	Bytes    int64
	Files    int64
	Versions int64
}

// Plus is the sum of two sizes.
func (s Size) Plus(o Size) Size {
	return Size{s.Bytes + o.Bytes, s.Files + o.Files, s.Versions + o.Versions}
}

// PartKind says what a part of a place is.
type PartKind string

// The parts of places.
const (
	GroupPart   PartKind = "group"
	UserPart    PartKind = "user" // a user's own namespace
	ProjectPart PartKind = "project"
	PackagePart PartKind = "package" // all versions of one name
)

// StoragePart is a part of a place. A package's has only versions and bytes that lists show.
type StoragePart struct {
	Kind PartKind
	ID   int64  // 0 for a package
	Path string // full; the name of a package
	Usage
}

// Usage is what a place keeps.
type Usage struct {
	Kept    Size  // drafts and hidden versions, too
	Trashed Size  // removed, and not purged yet
	Uploads int64 // bytes of files of no package; only SizesOf and GroupSizes tell
}

// All is what is on record, purged or not.
func (u Usage) All() Size { return u.Kept.Plus(u.Trashed) }
