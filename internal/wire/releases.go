package wire

// Release is a release of a project.
type Release struct {
	TagName           string             `json:"tag_name"`
	Name              string             `json:"name"`
	Description       string             `json:"description"`
	DescriptionHTML   string             `json:"description_html,omitempty"` // on request
	CreatedAt         Time               `json:"created_at"`
	ReleasedAt        Time               `json:"released_at"`
	UpcomingRelease   bool               `json:"upcoming_release"`
	HistoricalRelease bool               `json:"historical_release"` // created after its released_at
	Author            UserBasic          `json:"author"`
	Commit            *ReleaseCommit     `json:"commit"` // null if the ref is no commit
	Milestones        []ReleaseMilestone `json:"milestones"`
	CommitPath        string             `json:"commit_path,omitempty"`
	TagPath           string             `json:"tag_path"`
	Assets            ReleaseAssets      `json:"assets"`
	Evidences         []struct{}         `json:"evidences"`
	Links             ReleaseLinks       `json:"_links"`
}

// ReleaseCommit is a commit of which only the id is known: there is no git here. Other
// texts are empty, and times null.
type ReleaseCommit struct {
	ID               string   `json:"id"`
	ShortID          string   `json:"short_id"`
	CreatedAt        Time     `json:"created_at"` // of the release
	ParentIDs        []string `json:"parent_ids"`
	Title            string   `json:"title"`
	Message          string   `json:"message"`
	AuthorName       string   `json:"author_name"`
	AuthorEmail      string   `json:"author_email"`
	AuthoredDate     Time     `json:"authored_date"`
	CommitterName    string   `json:"committer_name"`
	CommitterEmail   string   `json:"committer_email"`
	CommittedDate    Time     `json:"committed_date"`
	Trailers         struct{} `json:"trailers"`
	ExtendedTrailers struct{} `json:"extended_trailers"`
	WebURL           string   `json:"web_url"`
}

// Tag is a tag of a project. It exists as long as it has a release.
type Tag struct {
	Name      string        `json:"name"`
	Message   string        `json:"message"`
	Target    string        `json:"target"` // the commit, "" if unknown
	Commit    ReleaseCommit `json:"commit"`
	Release   TagRelease    `json:"release"`
	Protected bool          `json:"protected"`
	CreatedAt Time          `json:"created_at"` // of the release
}

// TagRelease is the release of a tag, in brief.
type TagRelease struct {
	TagName     string `json:"tag_name"`
	Description string `json:"description"`
}

// ReleaseOutline is a release in the list that belongs to a project's web pages.
type ReleaseOutline struct {
	ID  int64  `json:"id"`
	Tag string `json:"tag"`
}

// ReleaseMilestone is a milestone that a release names.
type ReleaseMilestone struct {
	Title string `json:"title"`
	State string `json:"state"`
}

// ReleaseAssets is what belongs to a release.
type ReleaseAssets struct {
	Count   int           `json:"count"`
	Sources []struct{}    `json:"sources"` // archives of the sources: none without git
	Links   []ReleaseLink `json:"links"`
}

// ReleaseLink is a link of a release.
type ReleaseLink struct {
	ID             int64  `json:"id"`
	Name           string `json:"name"`
	URL            string `json:"url"`
	DirectAssetURL string `json:"direct_asset_url"` // stays the same when URL changes; URL if there is no path
	LinkType       string `json:"link_type"`
}

// ReleaseLinks are addresses of pages around a release.
type ReleaseLinks struct {
	ClosedIssuesURL        string `json:"closed_issues_url"`
	ClosedMergeRequestsURL string `json:"closed_merge_requests_url"`
	EditURL                string `json:"edit_url"`
	MergedMergeRequestsURL string `json:"merged_merge_requests_url"`
	OpenedIssuesURL        string `json:"opened_issues_url"`
	OpenedMergeRequestsURL string `json:"opened_merge_requests_url"`
	Self                   string `json:"self"`
}

// ListedUpload is an upload in a project's list.
type ListedUpload struct {
	ID         int64    `json:"id"`
	Size       int64    `json:"size"` // bytes
	Filename   string   `json:"filename"`
	CreatedAt  Time     `json:"created_at"`
	UploadedBy Uploader `json:"uploaded_by"`
}

// Uploader is the user who sent an upload.
type Uploader struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Username string `json:"username"`
}

// Upload is the answer to an uploaded file.
type Upload struct {
	ID       int64  `json:"id"`
	Alt      string `json:"alt"`
	URL      string `json:"url"`       // below the project's page
	FullPath string `json:"full_path"` // below the server
	Markdown string `json:"markdown"`
}
