package wire

// UserBasic is a user as everybody sees one.
type UserBasic struct {
	ID          int64   `json:"id"`
	Username    string  `json:"username"`
	PublicEmail *string `json:"public_email"`
	Name        string  `json:"name"`
	State       string  `json:"state"` // "active" or "blocked"
	Locked      bool    `json:"locked"`
	AvatarURL   *string `json:"avatar_url"`
	WebURL      string  `json:"web_url"`
}

// User is a user as administrators and the user itself see it.
type User struct {
	UserBasic
	CreatedAt        Time   `json:"created_at"`
	Bio              string `json:"bio"`
	Email            string `json:"email"`
	CommitEmail      string `json:"commit_email"`
	ConfirmedAt      Time   `json:"confirmed_at"`
	TwoFactorEnabled bool   `json:"two_factor_enabled"`
	ProjectsLimit    int    `json:"projects_limit"`
	CanCreateGroup   bool   `json:"can_create_group"`
	CanCreateProject bool   `json:"can_create_project"`
	External         bool   `json:"external"`
	IsAdmin          *bool  `json:"is_admin,omitempty"` // administrators only
	Note             string `json:"note,omitempty"`     // administrators only
	NamespaceID      int64  `json:"namespace_id"`
}

// PersonalAccessToken is a token; Token is its secret, shown once.
type PersonalAccessToken struct {
	ID          int64    `json:"id"`
	Name        string   `json:"name"`
	Revoked     bool     `json:"revoked"`
	CreatedAt   Time     `json:"created_at"`
	Description string   `json:"description"`
	Scopes      []string `json:"scopes"`
	UserID      int64    `json:"user_id"`
	LastUsedAt  *Time    `json:"last_used_at"`
	Active      bool     `json:"active"`
	ExpiresAt   *string  `json:"expires_at"`
	AccessLevel int      `json:"access_level,omitempty"` // of a project or group access token
	Token       string   `json:"token,omitempty"`
}

// DeployToken is a deploy token; Token is its secret, shown once.
type DeployToken struct {
	ID        int64    `json:"id"`
	Name      string   `json:"name"`
	Username  string   `json:"username"`
	ExpiresAt *Time    `json:"expires_at"`
	Scopes    []string `json:"scopes"`
	Revoked   bool     `json:"revoked"`
	Expired   bool     `json:"expired"`
	Token     string   `json:"token,omitempty"`
}

// Member is a user's role in a group or project.
type Member struct {
	ID          int64      `json:"id"`
	Username    string     `json:"username"`
	Name        string     `json:"name"`
	State       string     `json:"state"`
	Locked      bool       `json:"locked"`
	AvatarURL   *string    `json:"avatar_url"`
	WebURL      string     `json:"web_url"`
	AccessLevel int        `json:"access_level"`
	CreatedAt   Time       `json:"created_at"`
	CreatedBy   *UserBasic `json:"created_by,omitempty"`
	ExpiresAt   *string    `json:"expires_at"`
}

// SignInLink signs its user in on the pages, once.
type SignInLink struct {
	URL       string `json:"url"` // the code is in the fragment
	ExpiresAt Time   `json:"expires_at"`
}
