package ui_test

import "slices"

// outcome is a row of the table of who sees what.
type outcome struct {
	pattern string
	sample  string // an address of the pattern on the tour
	want    string // a letter for each of audience
}

// audience are those who look, in the order of the letters: reads is the maintainer in a
// session of a token that only reads, stale the administrator 13 hours after signing in.
func audience() []string {
	return []string{"nobody", "stranger", "guest", "reporter", "developer", "maintainer", "owner", "admin", "reads", "stale"}
}

// outcomes is the table. Of a page: o for 200, u for 200 though no link leads to it, r for a redirect, d for the door, n for 403,
// g for 404. Of what a form is sent to: f if somebody sees the form, - if not.
func outcomes() []outcome {
	return slices.Concat(instanceOutcomes(), placeOutcomes("{group}", "/acme", "group_"), placeOutcomes("{project}", "/acme/tools", ""), packageOutcomes(), projectOutcomes())
}

func instanceOutcomes() []outcome {
	return []outcome{
		{"GET /", "/", "ro ooooo o oo"},
		{"GET /-/sign_in", "/-/sign_in", "or rrrrr r rr"},
		{"POST /-/sign_in", "/-/sign_in", "f- ----- - -f"},
		{"GET /-/sign_in/link", "/-/sign_in/link", "uu uuuuu u uu"},
		{"POST /-/sign_in/link", "/-/sign_in/link", "-- ----- - --"}, // the page is reached by a link that an administrator hands over
		{"POST /-/sign_out", "/-/sign_out", "-f fffff f ff"},

		{"GET /-/user/profile", "/-/user/profile", "do ooooo o oo"},
		{"POST /-/user/profile/theme", "/-/user/profile/theme", "-f fffff f ff"},
		{"GET /-/user/tokens", "/-/user/tokens", "do ooooo o oo"},
		{"POST /-/user/tokens", "/-/user/tokens", "-f fffff f -f"},
		{"POST /-/user/tokens/{id}/revoke", "/-/user/tokens/{token}/revoke", "-f fffff f -f"},
		{"POST /-/user/tokens/{id}/rotate", "/-/user/tokens/{token}/rotate", "-f fffff f -f"},
		{"GET /-/user/sessions", "/-/user/sessions", "do ooooo o oo"},
		{"POST /-/user/sessions/end", "/-/user/sessions/end", "-f fffff f -f"},
		{"POST /-/user/sessions/{id}/end", "/-/user/sessions/{session}/end", "-f fffff f -f"},
		{"GET /-/user/events", "/-/user/events", "do ooooo o oo"},

		{"GET /-/explore", "/-/explore", "oo ooooo o oo"},
		{"GET /-/search", "/-/search?search=sonde", "oo ooooo o oo"},
		{"GET /-/projects", "/-/projects", "du ooooo o oo"},
		{"GET /-/projects/new", "/-/projects/new", "do ooooo o no"},
		{"POST /-/projects/new", "/-/projects/new", "-f fffff f -f"},
		{"GET /-/groups", "/-/groups", "oo ooooo o oo"},
		{"GET /-/groups/new", "/-/groups/new", "do ooooo o no"},
		{"POST /-/groups/new", "/-/groups/new", "-f fffff f -f"},

		{"GET /-/help", "/-/help", "oo ooooo o oo"},
		{"GET /-/help/api", "/-/help/api", "oo ooooo o oo"},
		{"GET /-/help/api/{tag}", "/-/help/api/packages", "oo ooooo o oo"},

		{"GET /-/admin", "/-/admin", "dg ggggg o gd"},
		{"GET /-/admin/users", "/-/admin/users", "dg ggggg o gd"},
		{"POST /-/admin/users", "/-/admin/users", "-- ----- f --"},
		{"POST /-/admin/users/{id}", "/-/admin/users/{user}", "-- ----- f --"},
		{"POST /-/admin/users/{id}/link", "/-/admin/users/{user}/link", "-- ----- f --"},
		{"GET /-/admin/features", "/-/admin/features", "dg ggggg o gd"},
		{"POST /-/admin/features/{name}", "/-/admin/features/generic_packages", "-- ----- f --"},
		{"GET /-/admin/settings", "/-/admin/settings", "dg ggggg o gd"},
		{"GET /-/admin/tasks", "/-/admin/tasks", "dg ggggg o gd"},
		{"GET /-/admin/audit", "/-/admin/audit", "dg ggggg o gd"},
	}
}

// placeOutcomes are the pages that groups and projects have alike. Of a group, owners do
// what maintainers do of a project.
func placeOutcomes(on, at, kind string) []outcome {
	reads, writes := "dg nnnoo o oo", "-- ---ff f -f"
	edits := "dg nnnoo o no"
	if kind != "" {
		reads, writes, edits = "dg nnnno o no", "-- ----f f -f", "dg nnnno o no"
	}
	deploys := "dg nnnoo o oo" // maintainers read a group's deploy tokens
	address := func(path string) string {
		switch path {
		case "settings/access_tokens/{id}/rotate", "settings/access_tokens/{id}/revoke":
			return at + "/-/settings/access_tokens/{" + kind + "bot_token}" + path[len("settings/access_tokens/{id}"):]
		case "settings/deploy_tokens/{id}/delete":
			return at + "/-/settings/deploy_tokens/{" + kind + "deploy_token}/delete"
		}
		return at + "/-/" + path
	}
	row := func(method, path, sample, want string) outcome {
		return outcome{method + " /" + on + "/-/" + path, address(sample), want}
	}
	one := func(method, path, want string) outcome { return row(method, path, path, want) }
	return []outcome{
		one("GET", "audit", map[string]string{"": reads, "group_": edits}[kind]),
		one("GET", "members", "dg ooooo o oo"),
		one("POST", "members", writes),
		row("GET", "members/{id}", "members/{member}", map[string]string{"": "dg uuuoo o uo", "group_": "dg uuuuo o uo"}[kind]),
		row("POST", "members/{id}", "members/{member}", writes),
		row("POST", "members/{id}/remove", "members/{member}/remove", map[string]string{"": writes, "group_": "-- fffff f -f"}[kind]), // members leave the group
		one("GET", "settings", edits),
		one("POST", "settings", writes),
		one("POST", "settings/visibility", "-- ----f f -f"),
		one("POST", "settings/transfer", "-- ----f f -f"),
		one("GET", "settings/deploy_tokens", deploys),
		one("POST", "settings/deploy_tokens", writes),
		one("POST", "settings/deploy_tokens/{id}/delete", writes),
		one("GET", "settings/access_tokens", reads),
		one("POST", "settings/access_tokens", writes),
		one("POST", "settings/access_tokens/{id}/rotate", writes),
		one("POST", "settings/access_tokens/{id}/revoke", writes),
		one("GET", "settings/variables", reads),
		one("POST", "settings/variables", writes),
		row("GET", "settings/variables/{key}", "settings/variables/HOST?scope=*", map[string]string{"": "dg nnnoo o uo", "group_": reads}[kind]),
		row("POST", "settings/variables/{key}", "settings/variables/HOST?scope=*", writes),
		row("POST", "settings/variables/{key}/reveal", "settings/variables/HOST/reveal?scope=*", map[string]string{"": "-- ---ff f ff", "group_": "-- ----f f -f"}[kind]),
		row("POST", "settings/variables/{key}/delete", "settings/variables/HOST/delete?scope=*", writes),
		one("GET", "settings/delete", "dg nnnno o no"),
		one("POST", "settings/delete", "-- ----f f -f"),
	}
}

func packageOutcomes() []outcome {
	const anyMember, publishes, destroys = "dg ooooo o oo", "dg nnooo o no", "dg nnnoo o no"
	const version = "/acme/tools/-/packages/generic/sonde/1.0.0"
	return []outcome{
		{"GET /{project}", "/acme/tools", anyMember},
		{"GET /{project}/-/packages", "/acme/tools/-/packages", anyMember},
		{"GET /{project}/-/packages/setup", "/acme/tools/-/packages/setup", anyMember},
		{"GET /{project}/-/packages/new", "/acme/tools/-/packages/new", publishes},
		{"POST /{project}/-/packages/new", "/acme/tools/-/packages/new", "-- --fff f -f"},
		{"GET /{project}/-/packages/delete", "/acme/tools/-/packages/delete?ids={package}", destroys},
		{"POST /{project}/-/packages/delete", "/acme/tools/-/packages/delete", "-- ---ff f -f"},
		{"GET /{project}/-/packages/{id}", "/acme/tools/-/packages/{package}", "dg rrrrr r rr"},
		{"GET /{project}/-/packages/generic/{name}", "/acme/tools/-/packages/generic/sonde", anyMember},
		{"GET /{project}/-/packages/generic/{name}/{version}", version, anyMember},
		{"POST /{project}/-/packages/generic/{name}/{version}/finalise", version + "/finalise", "-- --fff f -f"},
		{"POST /{project}/-/packages/generic/{name}/{version}/channel", version + "/channel", "-- --fff f -f"},
		{"POST /{project}/-/packages/generic/{name}/{version}/channel/remove", version + "/channel/remove", "-- --fff f -f"},
		{"POST /{project}/-/packages/generic/{name}/{version}/edit", version + "/edit", "-- ---ff f -f"},
		{"PUT /{project}/-/packages/generic/{name}/{version}/{file...}", version + "/new-file", "-- ----- - --"}, // scripts send it, forms do not
	}
}

func projectOutcomes() []outcome {
	const anyMember, maintains, edits = "dg ooooo o oo", "dg nnnoo o oo", "dg nnnoo o no"
	const writes = "-- ---ff f -f"
	const at = "/acme/tools/-/"
	return []outcome{
		{"GET /{group}", "/acme", anyMember},
		{"GET /{group}/-/packages", "/acme/-/packages", anyMember},

		{"GET /{project}/-/releases", at + "releases", anyMember},
		{"GET /{project}/-/releases/new", at + "releases/new", "dg nnooo o no"},
		{"POST /{project}/-/releases/new", at + "releases/new", "-- --fff f -f"},
		{"GET /{project}/-/releases/{tag}", at + "releases/v1.0.0", anyMember},
		{"GET /{project}/-/releases/{tag}/edit", at + "releases/v1.0.0/edit", "dg nnooo o no"},
		{"POST /{project}/-/releases/{tag}/edit", at + "releases/v1.0.0/edit", "-- --fff f -f"},
		{"POST /{project}/-/releases/{tag}/delete", at + "releases/v1.0.0/delete", writes},

		{"GET /{project}/-/jobs", at + "jobs", "dg noooo o oo"},
		{"GET /{project}/-/jobs/{id}", at + "jobs/{job}", "dg noooo o oo"},
		{"POST /{project}/-/jobs/{id}/cancel", at + "jobs/{job}/cancel", writes},

		{"POST /{project}/-/settings/feature", at + "settings/feature", "-- ----- f -f"},
		{"POST /{project}/-/settings/archive", at + "settings/archive", "-- ----f f -f"},
		{"GET /{project}/-/settings/packages", at + "settings/packages", edits},
		{"POST /{project}/-/settings/packages", at + "settings/packages", writes},
		{"GET /{project}/-/settings/protection", at + "settings/protection", maintains},
		{"POST /{project}/-/settings/protection", at + "settings/protection", writes},
		{"GET /{project}/-/settings/protection/{id}", at + "settings/protection/{rule}", "dg nnnoo o uo"},
		{"POST /{project}/-/settings/protection/{id}", at + "settings/protection/{rule}", writes},
		{"POST /{project}/-/settings/protection/{id}/delete", at + "settings/protection/{rule}/delete", writes},
		{"GET /{project}/-/settings/job_token", at + "settings/job_token", maintains},
		{"POST /{project}/-/settings/job_token", at + "settings/job_token", writes},
		{"POST /{project}/-/settings/job_token/add", at + "settings/job_token/add", writes},
		{"POST /{project}/-/settings/job_token/remove", at + "settings/job_token/remove", writes},

		{"GET /{project}/-/hooks", at + "hooks", maintains},
		{"POST /{project}/-/hooks", at + "hooks", writes},
		{"GET /{project}/-/hooks/{id}", at + "hooks/{hook}", maintains},
		{"POST /{project}/-/hooks/{id}", at + "hooks/{hook}", writes},
		{"POST /{project}/-/hooks/{id}/test", at + "hooks/{hook}/test", writes},
		{"POST /{project}/-/hooks/{id}/delete", at + "hooks/{hook}/delete", writes},
		{"POST /{project}/-/hooks/{id}/headers", at + "hooks/{hook}/headers", writes},
		{"POST /{project}/-/hooks/{id}/headers/remove", at + "hooks/{hook}/headers/remove", writes},
		{"GET /{project}/-/hooks/{id}/attempts/{attempt}", at + "hooks/{hook}/attempts/{attempt}", maintains},
		{"POST /{project}/-/hooks/{id}/attempts/{attempt}/resend", at + "hooks/{hook}/attempts/{attempt}/resend", writes},
	}
}
