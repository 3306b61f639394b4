package wire

// Package is a package, in a list or alone (contract rest-api A0).
type Package struct {
	ID               int64             `json:"id"`
	Name             string            `json:"name"`
	Version          string            `json:"version"`
	PackageType      string            `json:"package_type"`
	Status           string            `json:"status"`
	Links            PackageLinks      `json:"_links"`
	CreatedAt        Time              `json:"created_at"`
	LastDownloadedAt *Time             `json:"last_downloaded_at"`
	Downloads        int64             `json:"downloads"` // not GitLab's
	CreatorID        *int64            `json:"creator_id"`
	ProjectID        int64             `json:"project_id,omitempty"`   // lists of groups only
	ProjectPath      string            `json:"project_path,omitempty"` // lists of groups only
	Tags             []struct{}        `json:"tags"`
	Pipeline         *PackagePipeline  `json:"pipeline,omitempty"`
	Pipelines        *[]struct{}       `json:"pipelines,omitempty"` // an old field of GitLab's: empty if the package has pipelines
	Versions         *[]PackageVersion `json:"versions,omitempty"`  // not in lists
}

// PackageLinks lead to a package's page, and to where it can be deleted.
type PackageLinks struct {
	WebPath       string `json:"web_path,omitempty"`
	DeleteAPIPath string `json:"delete_api_path,omitempty"` // for callers that may delete it
}

// PackageVersion is another version of a package's name.
type PackageVersion struct {
	ID        int64            `json:"id"`
	Version   string           `json:"version"`
	CreatedAt Time             `json:"created_at"`
	Tags      []struct{}       `json:"tags"`
	Pipeline  *PackagePipeline `json:"pipeline,omitempty"`
}

// PackagePipeline is the CI pipeline that published a package or file.
type PackagePipeline struct {
	ID        int64     `json:"id"`
	IID       int64     `json:"iid"`
	ProjectID int64     `json:"project_id"`
	SHA       string    `json:"sha"`
	Ref       string    `json:"ref"`
	Status    string    `json:"status"`
	Source    string    `json:"source"`
	CreatedAt Time      `json:"created_at"`
	UpdatedAt Time      `json:"updated_at"`
	WebURL    string    `json:"web_url"`
	User      UserBasic `json:"user"`
}

// PackageFile is a file of a package.
type PackageFile struct {
	ID         int64             `json:"id"`
	PackageID  int64             `json:"package_id"`
	CreatedAt  Time              `json:"created_at"`
	FileName   string            `json:"file_name"`
	Size       int64             `json:"size"` // bytes
	FileMD5    *string           `json:"file_md5"`
	FileSHA1   *string           `json:"file_sha1"`
	FileSHA256 string            `json:"file_sha256"`
	Pipelines  []PackagePipeline `json:"pipelines,omitempty"`
}

// ProtectionRule is the lowest roles that may publish and delete packages of matching names.
type ProtectionRule struct {
	ID                          int64   `json:"id"`
	ProjectID                   int64   `json:"project_id"`
	PackageNamePattern          string  `json:"package_name_pattern"`
	PackageType                 string  `json:"package_type"`
	MinimumAccessLevelForPush   *string `json:"minimum_access_level_for_push"`
	MinimumAccessLevelForDelete *string `json:"minimum_access_level_for_delete"`
}
