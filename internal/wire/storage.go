package wire

// Size is how much something has, whoever else has the same bytes.
type Size struct {
	Bytes    int64 `json:"bytes"`
	Files    int64 `json:"files"`
	Versions int64 `json:"versions"`
}

// Storage is what a project, a group or the instance keeps.
type Storage struct {
	ID      int64         `json:"id,omitempty"` // of the project or group
	Size                  // with the trash
	Trashed Size          `json:"trashed"` // removed, and not purged yet
	Parts   []StoragePart `json:"parts"`   // the largest first
}

// StoragePart is a part of a place.
type StoragePart struct {
	Kind     string `json:"kind"` // "group", "user" (its own namespace), "project" or "package"
	ID       int64  `json:"id,omitempty"`
	Path     string `json:"path"` // full; the name of a package
	Bytes    int64  `json:"bytes"`
	Files    *int64 `json:"files,omitempty"` // not of a package
	Versions int64  `json:"versions"`
	Trashed  *Size  `json:"trashed,omitempty"` // not of a package
}

// GroupStatistics are GitLab's: bytes by what has them. Here only packages and uploads have any.
type GroupStatistics struct {
	StorageSize           int64 `json:"storage_size"`
	RepositorySize        int64 `json:"repository_size"`
	WikiSize              int64 `json:"wiki_size"`
	LFSObjectsSize        int64 `json:"lfs_objects_size"`
	JobArtifactsSize      int64 `json:"job_artifacts_size"`
	PipelineArtifactsSize int64 `json:"pipeline_artifacts_size"`
	PackagesSize          int64 `json:"packages_size"`
	SnippetsSize          int64 `json:"snippets_size"`
	UploadsSize           int64 `json:"uploads_size"`
}

// ProjectStatistics are those of a project.
type ProjectStatistics struct {
	CommitCount int64 `json:"commit_count"`
	GroupStatistics
	ContainerRegistrySize int64 `json:"container_registry_size"`
}

// DayDownloads is how often files were downloaded on a day.
type DayDownloads struct {
	Day       string `json:"day"` // "2026-12-01"; long ago, the first of a month stands for all of it
	Downloads int64  `json:"downloads"`
}
