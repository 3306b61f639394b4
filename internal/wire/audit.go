package wire

// AuditEvent is an event of the audit.
type AuditEvent struct {
	ID         int64             `json:"id"`
	AuthorID   int64             `json:"author_id"` // -1 nobody, -2 a deploy token
	EntityID   int64             `json:"entity_id"`
	EntityType string            `json:"entity_type"`
	EventName  string            `json:"event_name"`
	EventType  string            `json:"event_type"` // the same
	Details    AuditEventDetails `json:"details"`
	CreatedAt  Time              `json:"created_at"`
}

// AuditEventDetails is the rest of an event. The fields of the credential and
// of sudo are granary's own.
type AuditEventDetails struct {
	EventName      string  `json:"event_name"`
	AuthorName     string  `json:"author_name"`
	AuthorClass    string  `json:"author_class"`
	AuthorUsername string  `json:"author_username,omitempty"`
	TargetID       *int64  `json:"target_id"`
	TargetType     string  `json:"target_type"`
	TargetDetails  string  `json:"target_details"`
	CustomMessage  string  `json:"custom_message"`
	IPAddress      *string `json:"ip_address"`
	EntityPath     string  `json:"entity_path"`
	Change         string  `json:"change,omitempty"` // the attribute that was changed
	From           *string `json:"from,omitempty"`
	To             *string `json:"to,omitempty"`
	CredentialType string  `json:"credential_type,omitempty"` // "personal_access_token", "job_token", ...
	CredentialID   int64   `json:"credential_id,omitempty"`   // of the token; of a job token, the job's
	SudoByID       int64   `json:"sudo_by_id,omitempty"`      // the administrator who acted as the author
	SudoByUsername string  `json:"sudo_by_username,omitempty"`
}
