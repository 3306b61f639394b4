package wire

// The routes here are granary's own. A server that has them says so in every answer of
// the API that is no file.
const (
	FeaturesHeader = "X-Granary-Features" // a list of the names below, separated by ", "

	FeatureChannels  = "channels"
	FeatureDrafts    = "drafts"    // ?status=draft, and POST of a version, which makes it final
	FeaturePages     = "pages"     // pages for browsers, and POST /user/sign_in_links
	FeatureSelectors = "selectors" // latest, ^1.4, ~1.4, 1.x, @channel in place of a version
	FeatureStorage   = "storage"   // what projects, groups and the instance keep
	FeatureVersions  = "versions"  // versions as resources, and as archives
)

// NameVersion is a version in a list of the versions of a name.
type NameVersion struct {
	Name           string           `json:"name"`
	Version        string           `json:"version"`
	ProjectID      int64            `json:"project_id"`
	PackageID      int64            `json:"package_id"`
	Status         string           `json:"status"` // "default", "hidden", "deprecated", "error" or "draft"
	CreatedAt      Time             `json:"created_at"`
	UpdatedAt      Time             `json:"updated_at"`
	FinalAt        *Time            `json:"final_at"`
	ExpiresAt      *Time            `json:"expires_at"`      // of a draft, unless somebody puts a file into it; else null
	ManifestSHA256 *string          `json:"manifest_sha256"` // null until the version is final
	Yanked         bool             `json:"yanked"`
	YankReason     *string          `json:"yank_reason"`
	Deprecated     *string          `json:"deprecated"` // the message
	Channels       []string         `json:"channels"`   // without @
	By             *VersionAuthor   `json:"by"`         // who published its first file; null for a deploy token
	Pipeline       *PackagePipeline `json:"pipeline"`   // the last that published to it
	URL            string           `json:"url"`        // of the version itself
}

// VersionAuthor is the user who published a version's first file.
type VersionAuthor struct {
	UserID   int64  `json:"user_id"`
	Username string `json:"username"`
}

// WholeVersion is a version with its files.
type WholeVersion struct {
	NameVersion
	Size       int64         `json:"size"` // bytes of all files
	FilesCount int           `json:"files_count"`
	Links      VersionLinks  `json:"links"`
	Files      []VersionFile `json:"files"` // the newest of each path, in the order of the paths' bytes
}

// VersionFile is a file of a version.
type VersionFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	URL    string `json:"url"`
}

// VersionLinks lead to the whole version in one call.
type VersionLinks struct {
	Sums    string `json:"sums"` // as sha256sum writes them
	Tar     string `json:"tar"`
	Zip     string `json:"zip"`
	TarZstd string `json:"tar_zst"`
}

// NameVersions is a page of the versions of a name, the highest first.
type NameVersions struct {
	Name      string        `json:"name"`
	ProjectID int64         `json:"project_id"`
	Channels  []Channel     `json:"channels"`
	Versions  []NameVersion `json:"versions"`
}

// Unexpected is the answer to a finalise if the version is not what was expected. The
// lists have at most 100 paths each; the message has the numbers.
type Unexpected struct {
	Message string   `json:"message"`
	Missing []string `json:"missing"` // expected, and not there
	Extra   []string `json:"extra"`   // there, and not expected
	Differs []string `json:"differs"` // there with other bytes
}

// Channel is a name that leads to a version.
type Channel struct {
	Name    string `json:"name"` // without @
	Version string `json:"version"`
	MovedAt Time   `json:"moved_at"`
	URL     string `json:"url"` // of the version that it leads to
}
