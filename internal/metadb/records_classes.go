package metadb

import (
	"slices"
	"strings"

	"granary/internal/records"
)

// class says into which files of records the rows of a table go.
type class int

const (
	entity  class = iota // all into a base, and those that events name into a delta
	small                // all into a base, and all into a delta if one has changed
	packed               // into a file only if it is asked for
	passing              // into the export of a server that moves
	derived              // into none: they are made again from the other rows
	own                  // into none: each database has its own
)

// recordTable is a table, and how its rows are written down.
type recordTable struct {
	name  string
	class class
	key   string // its columns, a comma between; rows are exported in this order; "" if none are
	only  string // the one database that has it, "postgres"; "" if both do
}

// columns are those of the key.
func (t recordTable) columns() []string { return strings.Split(t.key, ",") }

// recordTables are all tables. One that rows of another refer to stands before it.
func recordTables() []recordTable {
	return []recordTable{
		{name: "users", class: small, key: "id"},
		{name: "namespaces", class: small, key: "id"},
		{name: "projects", class: small, key: "id"},
		{name: "routes", class: small, key: "path_key"},
		{name: "members", class: small, key: "id"},
		{name: "personal_access_tokens", class: small, key: "id"},
		{name: "deploy_tokens", class: small, key: "id"},
		{name: "bots", class: small, key: "user_id"},
		{name: "job_token_allowlist", class: small, key: "project_id,source_project_id,source_namespace_id"},
		{name: "package_protection_rules", class: small, key: "id"},
		{name: "variables", class: small, key: "id"},
		{name: "sealing", class: small, key: "id"},
		{name: "hooks", class: small, key: "id"},
		{name: "releases", class: entity, key: "id"},
		{name: "release_links", class: small, key: "id"},
		{name: "features", class: small, key: "name"},
		{name: "feature_actors", class: small, key: "name,target"},
		{name: "blob_store", class: small, key: "id"},
		{name: "damage", class: small, key: "digest"},
		{name: "pipeline_numbers", class: small, key: "id"},
		{name: "last_backup", class: small, key: "id"},
		{name: "download_months", class: small, key: "id"},

		{name: "pipelines", class: entity, key: "id"},
		{name: "jobs", class: entity, key: "id"},
		{name: "blobs", class: entity, key: "id"},
		{name: "packages", class: entity, key: "id"},
		{name: "package_files", class: entity, key: "id"},
		{name: "package_downloads", class: entity, key: "package_id,day"},
		{name: "name_downloads", class: entity, key: "project_id,name,day"},
		{name: "package_pipelines", class: entity, key: "package_id,pipeline_id"},
		{name: "package_file_pipelines", class: entity, key: "package_file_id,pipeline_id"},
		{name: "package_channels", class: entity, key: "project_id,name,channel"},
		{name: "reserved_versions", class: entity, key: "project_id,name,version"},
		{name: "former_files", class: entity, key: "project_id,name,version,file_name,second"},
		{name: "uploads", class: entity, key: "id"},
		{name: "audit_events", class: entity, key: "id"},

		{name: "blob_contents", class: packed, key: "blob_id"},

		{name: "hook_deliveries", class: passing, key: "id"},
		{name: "hook_attempts", class: passing, key: "id"},
		{name: "sweeps", class: passing, key: "id"},
		{name: "leases", class: passing, key: "name"},
		{name: "scrubs", class: passing, key: "id"},
		{name: "web_sessions", class: passing, key: "id"},
		{name: "sign_in_links", class: passing, key: "id"},

		{name: "positions", class: derived},
		{name: "package_counts", class: derived},
		{name: "sized_projects", class: derived},
		{name: "package_names", class: derived},
		{name: "package_name_changes", class: derived, only: "postgres"},
		{name: "package_name_parts", class: derived},
		{name: "package_name_orders", class: derived},
		{name: "package_name_totals", class: derived},

		{name: "nodes", class: own},
		{name: "permission_changes", class: own, only: "postgres"},
	}
}

// exported are the tables whose rows go into a file.
func exported(o records.ExportOptions) []recordTable {
	return slices.DeleteFunc(recordTables(), func(t recordTable) bool {
		switch t.class {
		case entity, small:
			return false
		case packed:
			return !o.Bodies
		case passing:
			return o.Kind != records.KindExport
		}
		return true
	})
}
