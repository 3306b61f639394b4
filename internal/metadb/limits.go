package metadb

import (
	"context"

	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/sqldb"
)

// limited is a kind of rows of which an owner may have a limited number. The Limit is
// in the room that defines the kind.
type limited struct {
	// hold locks the row of the owner, $1, by an update that changes nothing: another
	// transaction that adds a row waits there, and counts afterwards. "" if the
	// transaction holds the turn anyway.
	hold string
	noun string // of the owner
	// rows selects the owner's rows by an index. Its last argument is the most rows
	// to read.
	rows string
}

const (
	holdProject = `UPDATE projects SET archived = archived WHERE id = $1 AND deleted_at IS NULL`
	holdGroup   = `UPDATE namespaces SET visibility = visibility WHERE id = $1 AND deleted_at IS NULL`
	holdUser    = `UPDATE users SET blocked = blocked WHERE id = $1 AND deleted_at IS NULL`
	holdFlag    = `UPDATE features SET percentage_of_time = percentage_of_time WHERE name = $1`
)

// Rows of one project, by id.
func uploadRows() limited  { return ofProject(`SELECT 1 FROM uploads WHERE project_id = $1 LIMIT $2`) }
func releaseRows() limited { return ofProject(`SELECT 1 FROM releases WHERE project_id = $1 LIMIT $2`) }
func hookRows() limited    { return ofProject(`SELECT 1 FROM hooks WHERE project_id = $1 LIMIT $2`) }
func protectionRows() limited {
	return ofProject(`SELECT 1 FROM package_protection_rules WHERE project_id = $1 LIMIT $2`)
}
func channelRows() limited {
	return ofProject(`SELECT 1 FROM package_channels WHERE project_id = $1 AND name = $2 LIMIT $3`)
}
func allowlistRows() limited {
	return ofProject(`SELECT 1 FROM job_token_allowlist WHERE project_id = $1 LIMIT $2`)
}
func runningJobRows() limited {
	return ofProject(`SELECT 1 FROM jobs WHERE project_id = $1 AND status = 'running' AND expires_at > $2 LIMIT $3`)
}

// Rows of one namespace, by id.
func subgroupRows() limited {
	return ofGroup(`SELECT 1 FROM namespaces WHERE parent_id = $1 AND deleted_at IS NULL LIMIT $2`)
}
func projectRows() limited {
	return ofGroup(`SELECT 1 FROM projects WHERE namespace_id = $1 AND deleted_at IS NULL LIMIT $2`)
}

// Rows of one user, by id.
func tokenRows() limited {
	return ofUser(`SELECT 1 FROM personal_access_tokens WHERE user_id = $1 LIMIT $2`)
}
func ownGroupRows() limited {
	return ofUser(`SELECT 1 FROM members m CROSS JOIN namespaces n
		WHERE m.user_id = $1 AND m.access_level = 50 AND n.id = m.namespace_id AND n.parent_id IS NULL LIMIT $2`)
}

// Rows of a flag, by name, and of the instance.
func flagTargetRows() limited {
	return limited{holdFlag, "Feature", `SELECT 1 FROM feature_actors WHERE name = $1 LIMIT $2`}
}
func flagRows() limited { return limited{rows: `SELECT 1 FROM features LIMIT $1`} }

// Rows of a project or a group, by id.
func memberRows(at projects.Place) limited { return ofPlace(at, "members", "") }
func variableRows(at projects.Place) limited {
	if at == (projects.Place{}) {
		return limited{rows: `SELECT 1 FROM variables WHERE project_id IS NULL AND namespace_id IS NULL LIMIT $1`}
	}
	return ofPlace(at, "variables", "")
}
func deployTokenRows(at projects.Place) limited { return ofPlace(at, "deploy_tokens", "") }
func botRows(at projects.Place) limited         { return ofPlace(at, "bots", "") }
func formerPathRows(at projects.Place) limited  { return ofPlace(at, "routes", " AND redirect = 1") }

func ofProject(rows string) limited { return limited{holdProject, "Project", rows} }
func ofGroup(rows string) limited   { return limited{holdGroup, "Group", rows} }
func ofUser(rows string) limited    { return limited{holdUser, "User", rows} }

func ofPlace(at projects.Place, table, more string) limited {
	if at.ProjectID != 0 {
		return ofProject(`SELECT 1 FROM ` + table + ` WHERE project_id = $1` + more + ` LIMIT $2`)
	}
	return ofGroup(`SELECT 1 FROM ` + table + ` WHERE namespace_id = $1` + more + ` LIMIT $2`)
}

// placeID is the id of the project or group.
func placeID(at projects.Place) int64 {
	if at.ProjectID != 0 {
		return at.ProjectID
	}
	return at.GroupID
}

// room returns Full if the owner, the first of args, has no room for more rows: more
// is 1 before a row is added, 0 after. Hidden if the owner is deleted. It locks the
// owner's row, so that another transaction waits in room until this one ends.
func (t tx) room(ctx context.Context, c limited, more int, most fault.Limit, args ...any) error {
	if c.hold != "" {
		if err := t.holdOwner(c, args[0]); err != nil {
			return err
		}
	}
	var have int
	wanted := most.Most - more + 1 // the smallest number that is too many
	if wanted <= 0 {
		return most.Exceeded()
	}
	err := t.Row(ctx, `SELECT COUNT(*) FROM (`+c.rows+`) AS few`, append(args, wanted)...).Scan(&have)
	if err == nil && have >= wanted {
		return most.Exceeded()
	}
	return sqldb.Classify(err)
}

// holdOwner locks the row of an owner until the transaction ends.
func (t tx) holdOwner(c limited, owner any) error {
	n, err := t.Count(c.hold, owner)
	if err == nil && n == 0 {
		err = fault.New(fault.Hidden, c.noun)
	}
	return err
}
