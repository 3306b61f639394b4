package wire

// TEMPORARY until main has it.

// VersionFile is a file of a version.
type VersionFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	URL    string `json:"url"`
}

// GenericVersion is a version.
type GenericVersion struct {
	Name       string        `json:"name"`
	Version    string        `json:"version"`
	ProjectID  int64         `json:"project_id"`
	PackageID  int64         `json:"package_id"`
	Status     string        `json:"status"`
	CreatedAt  Time          `json:"created_at"`
	FinalAt    *Time         `json:"final_at"`
	Yanked     bool          `json:"yanked"`
	YankReason *string       `json:"yank_reason"`
	Deprecated *string       `json:"deprecated"`
	Channels   []string      `json:"channels"`
	Files      []VersionFile `json:"files"`
}

// GenericChannel is a channel.
type GenericChannel struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	MovedAt Time   `json:"moved_at"`
}

// GenericVersions is a page.
type GenericVersions struct {
	Name      string           `json:"name"`
	ProjectID int64            `json:"project_id"`
	Channels  []GenericChannel `json:"channels"`
	Versions  []GenericVersion `json:"versions"`
}
