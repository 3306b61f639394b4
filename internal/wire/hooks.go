package wire

import "encoding/json"

// Hook is a webhook of a project. It says whether there are secrets, and never shows them.
type Hook struct {
	ID                    int64           `json:"id"`
	URL                   string          `json:"url"`
	Name                  string          `json:"name"`
	Description           string          `json:"description"`
	CreatedAt             Time            `json:"created_at"`
	ProjectID             int64           `json:"project_id"`
	EnableSSLVerification bool            `json:"enable_ssl_verification"`
	AlertStatus           string          `json:"alert_status"` // "executable", "temporarily_disabled" or "disabled"
	DisabledUntil         *Time           `json:"disabled_until"`
	URLVariables          []string        `json:"url_variables"` // always empty
	CustomHeaders         []HookHeader    `json:"custom_headers"`
	CustomWebhookTemplate *string         `json:"custom_webhook_template"`   // always null
	PushEventsFilter      string          `json:"push_events_branch_filter"` // ""
	BranchFilterStrategy  string          `json:"branch_filter_strategy"`
	TokenPresent          bool            `json:"token_present"`
	SigningTokenPresent   bool            `json:"signing_token_present"`
	Events                map[string]bool `json:"-"` // "package_events" and so on, as fields of their own
}

// MarshalJSON writes the kinds of event as fields of the object.
func (h Hook) MarshalJSON() ([]byte, error) {
	type plain Hook
	fields, err := json.Marshal(plain(h))
	if err != nil || len(h.Events) == 0 {
		return fields, err
	}
	events, err := json.Marshal(h.Events)
	if err != nil {
		return nil, err
	}
	return append(append(fields[:len(fields)-1], ','), events[1:]...), nil
}

// HookHeader is a header that a webhook adds to its deliveries.
type HookHeader struct {
	Key string `json:"key"`
}

// HookEvent is one entry of a webhook's delivery log.
type HookEvent struct {
	ID                int64             `json:"id"`
	URL               string            `json:"url"`
	Trigger           string            `json:"trigger"`
	RequestHeaders    map[string]string `json:"request_headers"`
	RequestData       json.RawMessage   `json:"request_data"`
	ResponseHeaders   map[string]string `json:"response_headers"`
	ResponseBody      string            `json:"response_body"`
	ExecutionDuration float64           `json:"execution_duration"` // seconds
	ResponseStatus    string            `json:"response_status"`    // "internal error" without an answer
	InternalError     string            `json:"internal_error_message,omitempty"`
	CreatedAt         Time              `json:"created_at"`
}

// HookResent answers a resend.
type HookResent struct {
	ResponseStatus int `json:"response_status"`
}

// PackageHook is the body of a delivery to a webhook with package_events.
type PackageHook struct {
	ObjectKind string             `json:"object_kind"` // "package"
	EventName  string             `json:"event_name"`  // "package_file_published", "package_file_deleted" or "package_deleted"
	User       *HookUser          `json:"user"`        // null for a deploy token
	Project    HookProject        `json:"project"`
	Package    PackageHookPackage `json:"object_attributes"`
}

// HookUser is the author of an event.
type HookUser struct {
	ID        int64   `json:"id"`
	Name      string  `json:"name"`
	Username  string  `json:"username"`
	AvatarURL *string `json:"avatar_url"`
	Email     string  `json:"email"` // always "[REDACTED]"
}

// HookProject is the project of an event.
type HookProject struct {
	ID                int64   `json:"id"`
	Name              string  `json:"name"`
	Description       string  `json:"description"`
	WebURL            string  `json:"web_url"`
	AvatarURL         *string `json:"avatar_url"`
	Namespace         string  `json:"namespace"`
	VisibilityLevel   int     `json:"visibility_level"`
	PathWithNamespace string  `json:"path_with_namespace"`
	DefaultBranch     string  `json:"default_branch"`
	Homepage          string  `json:"homepage"`
}

// PackageHookPackage is the package that an event is about.
type PackageHookPackage struct {
	ID           int64             `json:"id"`
	ProjectID    int64             `json:"project_id"`
	Name         string            `json:"name"`
	Version      string            `json:"version"`
	PackageType  string            `json:"package_type"` // "generic"
	Status       string            `json:"status"`
	CreatedAt    Time              `json:"created_at"`
	UpdatedAt    Time              `json:"updated_at"`
	Action       string            `json:"action"` // "publish", "delete_file", "delete", or a granary action: webhooks.Action
	ActionAt     Time              `json:"action_at"`
	URL          string            `json:"url"`
	PackageFiles []PackageHookFile `json:"package_files"` // the file that the event is about, or the first 100 of a version that became final

	*PackageHookVersion // of granary's own actions
}

// PackageHookVersion is what events about a version or a channel have besides.
type PackageHookVersion struct {
	Channel    *string `json:"channel"` // without @
	Yanked     bool    `json:"yanked"`
	YankReason *string `json:"yank_reason"`
	Deprecated *string `json:"deprecated"` // the message

	ManifestSHA256 *string `json:"manifest_sha256"`       // of a final version
	FilesCount     *int    `json:"files_count,omitempty"` // only of "finalise"
}

// PackageHookFile is the file that an event is about.
type PackageHookFile struct {
	ID         int64  `json:"id"`
	FileName   string `json:"file_name"`
	Size       int64  `json:"size"`
	FileSHA256 string `json:"file_sha256"`
	CreatedAt  Time   `json:"created_at"`
	URL        string `json:"url"` // its download address
}
