package wire

// JobTokenScope is which job tokens a project lets in.
type JobTokenScope struct {
	InboundEnabled  bool `json:"inbound_enabled"`  // only those of the allowlist
	OutboundEnabled bool `json:"outbound_enabled"` // GitLab's older setting, always false
}

// ProjectScopeLink is an entry of the allowlist.
type ProjectScopeLink struct {
	SourceProjectID int64 `json:"source_project_id"`
	TargetProjectID int64 `json:"target_project_id"`
}

// GroupScopeLink is an entry of the allowlist of groups.
type GroupScopeLink struct {
	SourceProjectID int64 `json:"source_project_id"`
	TargetGroupID   int64 `json:"target_group_id"`
}

// GroupBrief is a group as the allowlist shows it.
type GroupBrief struct {
	ID     int64  `json:"id"`
	WebURL string `json:"web_url"`
	Name   string `json:"name"`
}

// PublicGroup is a group that a project is in.
type PublicGroup struct {
	GroupBrief
	AvatarURL *string `json:"avatar_url"`
	FullName  string  `json:"full_name"`
	FullPath  string  `json:"full_path"`
}

// TokenAssociations are the memberships of the user of a token.
type TokenAssociations struct {
	Groups   []AssociatedGroup   `json:"groups"`
	Projects []AssociatedProject `json:"projects"`
}

// AssociatedGroup is a group, and the user's role in it.
type AssociatedGroup struct {
	GroupBrief
	ParentID     *int64 `json:"parent_id"`
	AccessLevels int    `json:"access_levels"`
	Visibility   string `json:"visibility"`
}

// AssociatedProject is a project, and the user's roles in it.
type AssociatedProject struct {
	ID                int64            `json:"id"`
	Description       string           `json:"description"`
	Name              string           `json:"name"`
	NameWithNamespace string           `json:"name_with_namespace"`
	Path              string           `json:"path"`
	PathWithNamespace string           `json:"path_with_namespace"`
	CreatedAt         Time             `json:"created_at"`
	AccessLevels      AssociatedLevels `json:"access_levels"`
	Visibility        string           `json:"visibility"`
	WebURL            string           `json:"web_url"`
	Namespace         Namespace        `json:"namespace"`
}

// AssociatedLevels are roles, null for none.
type AssociatedLevels struct {
	Project *int `json:"project_access_level"`
	Group   *int `json:"group_access_level"`
}
