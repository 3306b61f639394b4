package audit

// Packages. A published file makes one event, and another if it changes the status of an
// existing package.
const (
	PackagePublished      Name = "package_registry_package_published"
	PackageDeleted        Name = "package_registry_package_deleted"
	PackageFileDeleted    Name = "package_registry_package_file_deleted"  // granary's own
	PackageFileRestored   Name = "package_registry_package_file_restored" // granary's own: its lost bytes are back
	PackageStatusUpdated  Name = "package_registry_package_status_updated"
	PackageYanked         Name = "package_registry_package_yanked" // granary's own, like the next eight
	PackageUnyanked       Name = "package_registry_package_unyanked"
	PackageDeprecated     Name = "package_registry_package_deprecated"
	PackageUndeprecated   Name = "package_registry_package_undeprecated"
	PackageChannelSet     Name = "package_registry_channel_set"
	PackageChannelRemoved Name = "package_registry_channel_removed"
	PackageFinalised      Name = "package_registry_package_finalised"
	DraftDiscarded        Name = "package_registry_draft_discarded"
	DraftExpired          Name = "package_registry_draft_expired"
	ProtectionRuleCreated Name = "package_protection_rule_created" // granary's own, like the next two
	ProtectionRuleUpdated Name = "package_protection_rule_updated"
	ProtectionRuleDeleted Name = "package_protection_rule_deleted"
	UploadCreated         Name = "project_upload_created" // granary's own, like the next
	UploadDeleted         Name = "project_upload_deleted"
)

// Releases. The names about links are granary's own.
const (
	ReleaseCreated     Name = "release_created"
	ReleaseUpdated     Name = "release_updated"
	ReleaseDeleted     Name = "release_deleted_audit_event"
	ReleaseLinkCreated Name = "release_link_created"
	ReleaseLinkUpdated Name = "release_link_updated"
	ReleaseLinkDeleted Name = "release_link_deleted"
)

// Projects and groups. An edit makes an event for each setting that it changed;
// see ProjectUpdated and GroupUpdated.
const (
	ProjectCreated    Name = "project_created"
	ProjectArchived   Name = "project_archived"
	ProjectUnarchived Name = "project_unarchived"
	ProjectDestroyed  Name = "project_destroyed"
	GroupCreated      Name = "group_created"
	GroupDestroyed    Name = "group_destroyed"
)

// ProjectUpdated is the event of a change of a project's setting, such as
// "project_name_updated".
func ProjectUpdated(setting string) Name { return Name("project_" + setting + "_updated") }

// GroupUpdated is the event of a change of a group's setting.
func GroupUpdated(setting string) Name { return Name("group_" + setting + "_updated") }

// Members of projects and groups.
const (
	MemberCreated   Name = "member_created"
	MemberUpdated   Name = "member_updated"
	MemberDestroyed Name = "member_destroyed"
)

// Variables, and the job token allowlist. The names about revealing, of a value that a
// person reads on a page, are granary's own.
const (
	VariableCreated        Name = "ci_variable_created"
	VariableUpdated        Name = "ci_variable_updated"
	VariableDeleted        Name = "ci_variable_deleted"
	VariableRevealed       Name = "ci_variable_revealed"
	GroupVariableCreated   Name = "ci_group_variable_created"
	GroupVariableUpdated   Name = "ci_group_variable_updated"
	GroupVariableDeleted   Name = "ci_group_variable_deleted"
	GroupVariableRevealed  Name = "ci_group_variable_revealed"
	JobTokenScopeEnabled   Name = "secure_ci_job_token_inbound_enabled"
	JobTokenScopeDisabled  Name = "secure_ci_job_token_inbound_disabled"
	JobTokenProjectAdded   Name = "secure_ci_job_token_project_added"
	JobTokenProjectRemoved Name = "secure_ci_job_token_project_removed"
	JobTokenGroupAdded     Name = "secure_ci_job_token_group_added"
	JobTokenGroupRemoved   Name = "secure_ci_job_token_group_removed"
)

// Tokens. The names about rotation and jobs are granary's own.
const (
	PersonalTokenCreated Name = "personal_access_token_created"
	PersonalTokenRotated Name = "personal_access_token_rotated"
	PersonalTokenRevoked Name = "personal_access_token_revoked"
	ProjectTokenCreated  Name = "project_access_token_created"
	ProjectTokenRotated  Name = "project_access_token_rotated"
	ProjectTokenDeleted  Name = "project_access_token_deleted"
	GroupTokenCreated    Name = "group_access_token_created"
	GroupTokenRotated    Name = "group_access_token_rotated"
	GroupTokenDeleted    Name = "group_access_token_deleted"

	DeployTokenCreated        Name = "deploy_token_created"
	DeployTokenDestroyed      Name = "deploy_token_destroyed"
	GroupDeployTokenCreated   Name = "group_deploy_token_created"
	GroupDeployTokenDestroyed Name = "group_deploy_token_destroyed"

	JobCreated  Name = "ci_job_created" // with its token
	JobFinished Name = "ci_job_finished"
)

// Sessions in a browser, and links that sign in. The names are granary's own.
const (
	SessionStarted    Name = "web_session_started"
	SessionEnded      Name = "web_session_ended"
	SignInLinkCreated Name = "sign_in_link_created"
)

// Webhooks. The names about updates are granary's own.
const (
	WebhookCreated   Name = "webhook_created"
	WebhookUpdated   Name = "webhook_updated"
	WebhookDestroyed Name = "webhook_destroyed"
)

// Users, the flags of the instance, its store and its database. The names about flags, the
// store and the database are granary's own.
const (
	UserCreated    Name = "user_created"
	UserBlocked    Name = "user_blocked"
	UserUnblocked  Name = "unblock_user"
	UserDestroyed  Name = "user_destroyed"
	FeatureSet     Name = "feature_set"
	FeatureDeleted Name = "feature_deleted"
	SweepRequested Name = "store_sweep_requested"

	BackupCreated   Name = "backup_created"
	DatabaseRebuilt Name = "database_rebuilt" // from the records in its store, or from a backup
	BlobDamaged     Name = "blob_damaged"
	BlobRepaired    Name = "blob_repaired"
)

// UserUpdated is the event of a change of a user's attribute, such as
// "user_admin_status_updated".
func UserUpdated(setting string) Name { return Name("user_" + setting + "_updated") }

// Variables of the instance. GitLab records none.
const (
	InstanceVariableCreated  Name = "ci_instance_variable_created"
	InstanceVariableUpdated  Name = "ci_instance_variable_updated"
	InstanceVariableDeleted  Name = "ci_instance_variable_deleted"
	InstanceVariableRevealed Name = "ci_instance_variable_revealed"
)
