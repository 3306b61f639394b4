package wire

// Message is the most common body: {"message": ...}.
type Message struct {
	Message any `json:"message"`
}

// Error is the body of a refused parameter or an unknown route.
type Error struct {
	Error string `json:"error"`
}

// TokenError is the body for a token that is expired, revoked or lacks a scope (RFC
// 6750).
type TokenError struct {
	Error            string `json:"error"`
	ErrorDescription string `json:"error_description"`
	Scope            string `json:"scope,omitempty"`
}

// PackageFileRow is the answer to select=package_file: GitLab's database row,
// whose unused columns are null (contract generic-packages 2.3).
type PackageFileRow struct {
	ID                     int64      `json:"id"`
	PackageID              int64      `json:"package_id"`
	CreatedAt              Time       `json:"created_at"`
	UpdatedAt              Time       `json:"updated_at"`
	Size                   int64      `json:"size"`
	FileStore              int        `json:"file_store"` // 1 local, 2 object storage
	FileMD5                *string    `json:"file_md5"`
	FileSHA1               *string    `json:"file_sha1"`
	FileName               string     `json:"file_name"`
	File                   StoredFile `json:"file"`
	FileSHA256             string     `json:"file_sha256"`
	VerificationRetryAt    *Time      `json:"verification_retry_at"`
	VerifiedAt             *Time      `json:"verified_at"`
	VerificationFailure    *string    `json:"verification_failure"`
	VerificationRetryCount *int       `json:"verification_retry_count"`
	VerificationChecksum   *string    `json:"verification_checksum"`
	VerificationState      int        `json:"verification_state"`
	VerificationStartedAt  *Time      `json:"verification_started_at"`
	Status                 string     `json:"status"`
	FileFinalPath          *string    `json:"file_final_path"`
	ProjectID              int64      `json:"project_id"`
	NewFilePath            *string    `json:"new_file_path"`
}

// StoredFile has the address of a file.
type StoredFile struct {
	URL string `json:"url"`
}

// Pipeline is a run of CI.
type Pipeline struct {
	ID        int64  `json:"id"`
	ProjectID int64  `json:"project_id"`
	Ref       string `json:"ref"`
	SHA       string `json:"sha"`
	Status    string `json:"status"`
}

// JobCommit is the commit that a job is about.
type JobCommit struct {
	ID      string `json:"id"`
	ShortID string `json:"short_id"`
}

// Job is a CI job; Token is its secret, shown once.
type Job struct {
	ID                int64          `json:"id"`
	Name              string         `json:"name"`
	Stage             string         `json:"stage"`
	Status            string         `json:"status"`
	Ref               string         `json:"ref"`
	Tag               bool           `json:"tag"`
	Coverage          *float64       `json:"coverage"`
	AllowFailure      bool           `json:"allow_failure"`
	Archived          bool           `json:"archived"`
	CreatedAt         Time           `json:"created_at"`
	StartedAt         Time           `json:"started_at"`
	FinishedAt        *Time          `json:"finished_at"`
	ErasedAt          *Time          `json:"erased_at"`
	Duration          *float64       `json:"duration"` // seconds
	QueuedDuration    *float64       `json:"queued_duration"`
	FailureReason     string         `json:"failure_reason,omitempty"`
	WebURL            string         `json:"web_url"`
	Artifacts         []struct{}     `json:"artifacts"`
	ArtifactsExpireAt *Time          `json:"artifacts_expire_at"`
	Runner            *struct{}      `json:"runner"`
	RunnerManager     *struct{}      `json:"runner_manager"`
	Commit            *JobCommit     `json:"commit"`
	Pipeline          Pipeline       `json:"pipeline"`
	Project           map[string]any `json:"project"`
	User              UserBasic      `json:"user"`
	ExpiresAt         Time           `json:"expires_at"` // when the token expires at the latest
	Token             string         `json:"token,omitempty"`
	Drafts            []JobDraft     `json:"drafts,omitempty"` // what its end did to its drafts
}

// JobDraft is what the end of a job did to a draft.
type JobDraft struct {
	ProjectID int64  `json:"project_id"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	Status    string `json:"status"`          // "final", "discarded" or "draft"
	Error     string `json:"error,omitempty"` // why it is still a draft
}

// Version is the server's version in GitLab's terms.
type Version struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
}

// Metadata is Version with more fields of GitLab's.
type Metadata struct {
	Version
	KAS struct {
		Enabled             bool    `json:"enabled"`
		ExternalURL         *string `json:"externalUrl"`
		ExternalK8sProxyURL *string `json:"externalK8sProxyUrl"`
		Version             *string `json:"version"`
	} `json:"kas"`
	Enterprise bool   `json:"enterprise"`
	Granary    string `json:"granary"` // this server's own version
}
