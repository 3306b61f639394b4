package wire

// Namespace is where a project lives.
type Namespace struct {
	ID        int64   `json:"id"`
	Name      string  `json:"name"`
	Path      string  `json:"path"`
	Kind      string  `json:"kind"` // "group" or "user"
	FullPath  string  `json:"full_path"`
	ParentID  *int64  `json:"parent_id"`
	AvatarURL *string `json:"avatar_url"`
	WebURL    string  `json:"web_url"`
}

// NamespaceDetail is a namespace that was requested alone.
type NamespaceDetail struct {
	Namespace
	MembersCountWithDescendants *int `json:"members_count_with_descendants,omitempty"` // of a group, for callers that may edit it
}

// ProjectSimple is a project in lists for anonymous callers, and with simple=true.
type ProjectSimple struct {
	ID                int64     `json:"id"`
	Description       *string   `json:"description"`
	Name              string    `json:"name"`
	NameWithNamespace string    `json:"name_with_namespace"`
	Path              string    `json:"path"`
	PathWithNamespace string    `json:"path_with_namespace"`
	CreatedAt         Time      `json:"created_at"`
	DefaultBranch     string    `json:"default_branch"`
	TagList           []string  `json:"tag_list"`
	Topics            []string  `json:"topics"`
	SSHURLToRepo      string    `json:"ssh_url_to_repo"`
	HTTPURLToRepo     string    `json:"http_url_to_repo"`
	WebURL            string    `json:"web_url"`
	ReadmeURL         *string   `json:"readme_url"`
	ForksCount        int       `json:"forks_count"`
	AvatarURL         *string   `json:"avatar_url"`
	StarCount         int       `json:"star_count"`
	LastActivityAt    Time      `json:"last_activity_at"`
	Visibility        string    `json:"visibility"`
	Namespace         Namespace `json:"namespace"`
}

// Project is a project in full.
type Project struct {
	ProjectSimple
	Links     map[string]string `json:"_links"`
	UpdatedAt Time              `json:"updated_at"`
	CreatorID int64             `json:"creator_id"`
	Archived  bool              `json:"archived"`
	EmptyRepo bool              `json:"empty_repo"`
	OtherFeatures
	PackagesEnabled               bool                `json:"packages_enabled"`
	PackageRegistryAccessLevel    string              `json:"package_registry_access_level"`
	GenericPackageNaming          *string             `json:"generic_package_naming"`
	GenericDuplicatesAllowed      *bool               `json:"generic_duplicates_allowed"`
	GenericDuplicateException     *string             `json:"generic_duplicate_exception_regex"`
	GenericPackagesMaxFileSize    *int64              `json:"generic_packages_max_file_size"`
	GenericPackageDrafts          *string             `json:"generic_package_drafts"`
	GenericPackageFinalisers      *string             `json:"generic_package_finalisers"`
	CIJobTokenScopeEnabled        bool                `json:"ci_job_token_scope_enabled"`
	CIInboundJobTokenScopeEnabled bool                `json:"ci_inbound_job_token_scope_enabled"`
	Permissions                   *ProjectPermissions `json:"permissions,omitempty"`
	Statistics                    *ProjectStatistics  `json:"statistics,omitempty"` // only if they were asked for
}

// OtherFeatures are features of GitLab's projects that are always off here. Declarative
// tools compare them, and fail if one is missing.
type OtherFeatures struct {
	IssuesEnabled        bool   `json:"issues_enabled"`
	MergeRequestsEnabled bool   `json:"merge_requests_enabled"`
	WikiEnabled          bool   `json:"wiki_enabled"`
	SnippetsEnabled      bool   `json:"snippets_enabled"`
	LFSEnabled           bool   `json:"lfs_enabled"`
	RequestAccessEnabled bool   `json:"request_access_enabled"`
	MergeMethod          string `json:"merge_method"` // "merge"
}

// ProjectPermissions are the caller's roles in a project.
type ProjectPermissions struct {
	ProjectAccess *AccessLevel `json:"project_access"`
	GroupAccess   *AccessLevel `json:"group_access"`
}

// AccessLevel is a role.
type AccessLevel struct {
	AccessLevel       int `json:"access_level"`
	NotificationLevel int `json:"notification_level"`
}

// Group is a group.
type Group struct {
	ID                        int64   `json:"id"`
	WebURL                    string  `json:"web_url"`
	Name                      string  `json:"name"`
	Path                      string  `json:"path"`
	Description               string  `json:"description"`
	Visibility                string  `json:"visibility"`
	AvatarURL                 *string `json:"avatar_url"`
	RequestAccessEnabled      bool    `json:"request_access_enabled"`            // false: nobody can ask
	ProjectCreationLevel      string  `json:"project_creation_level"`            // "developer": the lowest role that creates projects in it
	SubgroupCreationLevel     string  `json:"subgroup_creation_level"`           // "maintainer": the lowest role that creates groups in it
	RequireTwoFactor          bool    `json:"require_two_factor_authentication"` // false
	AutoDevopsEnabled         *bool   `json:"auto_devops_enabled"`               // null
	FullName                  string  `json:"full_name"`
	FullPath                  string  `json:"full_path"`
	ParentID                  *int64  `json:"parent_id"`
	CreatedAt                 Time    `json:"created_at"`
	GenericDuplicatesAllowed  bool    `json:"generic_duplicates_allowed"`
	GenericDuplicateException string  `json:"generic_duplicate_exception_regex"`

	Statistics *GroupStatistics `json:"statistics,omitempty"` // only if an administrator asked for them
}

// GroupDetail is a group that was requested alone.
type GroupDetail struct {
	Group
	SharedWithGroups []Group   `json:"shared_with_groups"`
	Projects         []Project `json:"projects,omitzero"`
	SharedProjects   []Project `json:"shared_projects,omitzero"`
}

// Feature is a flag that was set.
type Feature struct {
	Name       string             `json:"name"`
	State      string             `json:"state"` // "on", "off" or "conditional"
	Gates      []FeatureGate      `json:"gates"`
	Definition *FeatureDefinition `json:"definition"`
}

// FeatureGate is one condition of a flag.
type FeatureGate struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// FeatureDefinition describes a flag.
type FeatureDefinition struct {
	Name            string  `json:"name"`
	IntroducedByURL *string `json:"introduced_by_url"`
	RolloutIssueURL *string `json:"rollout_issue_url"`
	Milestone       string  `json:"milestone"`
	LogStateChanges bool    `json:"log_state_changes"`
	Type            string  `json:"type"`
	Group           *string `json:"group"`
	DefaultEnabled  bool    `json:"default_enabled"`
}
