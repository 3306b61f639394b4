package ui

import (
	"net/http"
	"slices"
)

// table is the pages.
func (s *Server) table() []route {
	const get, post = http.MethodGet, http.MethodPost
	var (
		door     = way{door: true}
		anyone   = way{}
		signedIn = way{signedIn: true}
		fresh    = way{fresh: true}
		admin    = way{admin: true, fresh: true}
		notes    = way{signedIn: true, free: true, largest: 4 << 20} // release notes may have a million characters
	)
	return slices.Concat([]route{
		{get, instance, "", anyone, showHome},

		{get, instance, "sign_in", door, showDoor},
		{post, instance, "sign_in", door, signInByToken},
		{get, instance, "sign_in/link", door, showLink},
		{post, instance, "sign_in/link", door, signInByLink},
		{post, instance, "sign_out", way{door: true, free: true}, signOut},

		{get, instance, "user/profile", signedIn, showProfile},
		{post, instance, "user/profile/theme", signedIn, setTheme},
		{get, instance, "user/tokens", signedIn, showTokens},
		{post, instance, "user/tokens", fresh, makeToken},
		{post, instance, "user/tokens/{id}/revoke", signedIn, revokeToken},
		{post, instance, "user/tokens/{id}/rotate", fresh, rotateToken},
		{get, instance, "user/sessions", signedIn, showSessions},
		{post, instance, "user/sessions/end", signedIn, endSessions},
		{post, instance, "user/sessions/{id}/end", signedIn, endSession},
		{get, instance, "user/events", signedIn, showOwnEvents},

		{get, instance, "explore", anyone, showExplore},
		{get, instance, "search", anyone, showSearch},
		{get, instance, "projects", signedIn, showProjects},
		{get, instance, "projects/new", signedIn, showNewProject},
		{post, instance, "projects/new", signedIn, makeProject},
		{get, instance, "groups", anyone, showGroups},
		{get, instance, "groups/new", signedIn, showNewGroup},
		{post, instance, "groups/new", signedIn, makeGroup},

		{get, instance, "help", anyone, showHelp},
		{get, instance, "help/api", anyone, showAPI},
		{get, instance, "help/api/{tag}", anyone, showAPI},

		{get, instance, "admin", admin, showAdmin},
		{get, instance, "admin/users", admin, showUsers},
		{post, instance, "admin/users", admin, makeUser},
		{post, instance, "admin/users/{id}", admin, changeUser},
		{post, instance, "admin/users/{id}/link", admin, linkUser},
		{get, instance, "admin/features", admin, showFeatures},
		{post, instance, "admin/features/{name}", admin, setFeature},
		{get, instance, "admin/settings", admin, showServerSettings},
		{get, instance, "admin/tasks", admin, showTasks},
		{get, instance, "admin/audit", admin, showInstanceAudit},

		{get, group, "", anyone, showGroup},
		{get, group, "packages", anyone, showGroupPackages},
		{get, group, "audit", signedIn, showGroupAudit},

		{get, project, "releases", anyone, showReleases},
		{get, project, "releases/new", signedIn, showNewRelease},
		{post, project, "releases/new", notes, makeRelease},
		{get, project, "releases/{tag}", anyone, showRelease},
		{get, project, "releases/{tag}/edit", signedIn, showEditRelease},
		{post, project, "releases/{tag}/edit", notes, editRelease},
		{post, project, "releases/{tag}/delete", way{signedIn: true, free: true}, deleteRelease},

		{get, project, "jobs", signedIn, showJobs},
		{get, project, "jobs/{id}", signedIn, showJob},
		{post, project, "jobs/{id}/cancel", signedIn, cancelJob},
		{get, project, "audit", signedIn, showProjectAudit},
	}, s.packageRoutes(), settingsRoutes())
}
