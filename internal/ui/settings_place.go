package ui

import (
	"net/http"
	"slices"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/gate"
)

// settingsRoutes are the pages of settings, members and webhooks.
func settingsRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	signedIn, fresh, admin := way{signedIn: true}, way{fresh: true}, way{admin: true, fresh: true}
	return slices.Concat(placeRoutes(group), placeRoutes(project), []route{
		{get, group, "settings", signedIn, showGroupSettings},
		{post, group, "settings", signedIn, editGroup},
		{post, group, "settings/visibility", fresh, setGroupVisibility},
		{post, group, "settings/transfer", signedIn, transferGroup},

		{get, project, "settings", signedIn, showSettings},
		{post, project, "settings", signedIn, editSettings},
		{post, project, "settings/visibility", fresh, setVisibility},
		{post, project, "settings/feature", admin, setFeatureHere},
		{post, project, "settings/archive", signedIn, archiveProject},
		{post, project, "settings/transfer", signedIn, transferProject},
		{get, project, "settings/packages", signedIn, showPackageSettings},
		{post, project, "settings/packages", signedIn, editPackageSettings},
		{get, project, "settings/protection", signedIn, showProtection},
		{post, project, "settings/protection", signedIn, makeProtection},
		{get, project, "settings/protection/{id}", signedIn, showProtectionRule},
		{post, project, "settings/protection/{id}", signedIn, editProtection},
		{post, project, "settings/protection/{id}/delete", signedIn, deleteProtection},
		{get, project, "settings/job_token", signedIn, showJobToken},
		{post, project, "settings/job_token", signedIn, switchJobToken},
		{post, project, "settings/job_token/add", signedIn, letJobsIn},
		{post, project, "settings/job_token/remove", signedIn, keepJobsOut},

		{get, project, "hooks", signedIn, showHooks},
		{post, project, "hooks", signedIn, makeHook},
		{get, project, "hooks/{id}", signedIn, showHook},
		{post, project, "hooks/{id}", signedIn, editHook},
		{post, project, "hooks/{id}/test", signedIn, testHook},
		{post, project, "hooks/{id}/delete", signedIn, deleteHook},
		{post, project, "hooks/{id}/headers", signedIn, setHookHeader},
		{post, project, "hooks/{id}/headers/remove", signedIn, removeHookHeader},
		{get, project, "hooks/{id}/attempts/{attempt}", signedIn, showAttempt},
		{post, project, "hooks/{id}/attempts/{attempt}/resend", signedIn, resendAttempt},
	})
}

// placeRoutes are the pages that groups and projects have alike.
func placeRoutes(on site) []route {
	const get, post = http.MethodGet, http.MethodPost
	signedIn, fresh := way{signedIn: true}, way{fresh: true}
	return []route{
		{get, on, "members", signedIn, showMembers},
		{post, on, "members", fresh, addMember},
		{get, on, "members/{id}", signedIn, showMember},
		{post, on, "members/{id}", fresh, changeMember},
		{post, on, "members/{id}/remove", signedIn, removeMember},

		{get, on, "settings/deploy_tokens", signedIn, showDeployTokens},
		{post, on, "settings/deploy_tokens", fresh, makeDeployToken},
		{post, on, "settings/deploy_tokens/{id}/delete", signedIn, deleteDeployToken},
		{get, on, "settings/access_tokens", signedIn, showAccessTokens},
		{post, on, "settings/access_tokens", fresh, makeAccessToken},
		{post, on, "settings/access_tokens/{id}/rotate", fresh, rotateAccessToken},
		{post, on, "settings/access_tokens/{id}/revoke", signedIn, revokeAccessToken},
		{get, on, "settings/variables", signedIn, showVariables},
		{post, on, "settings/variables", signedIn, makeVariable},
		{get, on, "settings/variables/{key}", signedIn, showVariable},
		{post, on, "settings/variables/{key}", signedIn, editVariable},
		{post, on, "settings/variables/{key}/reveal", signedIn, revealVariable},
		{post, on, "settings/variables/{key}/delete", signedIn, deleteVariable},
		{get, on, "settings/delete", signedIn, showDeletePlace},
		{post, on, "settings/delete", fresh, deletePlace},
	}
}

// full is the full path of the page's group or project.
func (v *visit) full() string {
	if v.project != nil {
		return v.project.FullPath
	}
	return v.group.FullPath
}

// ref names the page's group or project in deeds.
func (v *visit) ref() string {
	if v.project != nil {
		return number(v.project.ID)
	}
	return number(v.group.ID)
}

// noun is what the page's place is.
func (v *visit) noun() string {
	if v.project != nil {
		return "project"
	}
	return "group"
}

// standing is what the actor is to the page's place.
func (v *visit) standing() access.Resource {
	if v.project != nil {
		return v.project.Standing
	}
	return v.group.Standing
}

// either is the first action on pages of a project, else the second.
func (v *visit) either(ofProject, ofGroup access.Action) access.Action {
	if v.project != nil {
		return ofProject
	}
	return ofGroup
}

// need refuses the page to those who may not do the action. It is for pages that read
// nothing by a deed of that action.
func (v *visit) need(action access.Action) error {
	if v.project == nil && v.group.Personal() {
		return fault.New(fault.Hidden, "") // a user's own namespace has no settings
	}
	return gate.Check(v.s.Projects.Rules, v.actor, v.standing(), action, "")
}

// settingsRows are the pages of the place's settings.
func (v *visit) settingsRows() []tabRow {
	rows := []tabRow{
		{"General", "settings", v.either(access.EditProject, access.EditGroup)}, {"Packages", "settings/packages", access.EditProject},
		{"Protection", "settings/protection", access.ReadProtections}, {"Deploy tokens", "settings/deploy_tokens", access.ReadDeployTokens},
		{"Access tokens", "settings/access_tokens", v.either(access.ReadProjectTokens, access.ReadGroupTokens)},
		{"Variables", "settings/variables", v.either(access.ReadProjectVariables, access.ReadGroupVariables)},
		{"Job tokens", "settings/job_token", access.ReadJobTokenScope},
	}
	if v.project == nil {
		rows = slices.DeleteFunc(rows, func(r tabRow) bool {
			return r.path == "settings/packages" || r.path == "settings/protection" || r.path == "settings/job_token"
		})
	}
	return rows
}

// settingsTab leads to the first page of the settings that the actor may open.
func (v *visit) settingsTab(current string) []tab {
	pages := v.tabs("", v.settingsRows(), v.full())
	if len(pages) == 0 {
		return nil
	}
	return []tab{{"Settings", pages[0].URL, current == "settings"}}
}

// settingsScreen is a page of the place's settings; current is the last part of its path.
func (v *visit) settingsScreen(name, current, title string, data any) screen {
	return screen{name: name, title: title + " · " + v.full(), tab: "settings", side: v.tabs(current, v.settingsRows(), v.full()), data: data}
}

// roleChoices are the roles that the actor may give here; for a project's owner only an
// owner may.
func (v *visit) roleChoices(name, label string, stored access.Role) selectField {
	var pairs []string
	for _, role := range []access.Role{access.Guest, access.Planner, access.Reporter, access.Developer, access.Maintainer, access.Owner} {
		if v.actor.AtLeast(v.standing(), role) {
			pairs = append(pairs, number(int64(role)), role.String())
		}
	}
	return v.pick(name, label, number(int64(stored)), pairs...)
}

// granted is the role in a field that a member or token shall have.
func (v *visit) granted(name string) (access.Role, error) {
	role := v.role(name)
	if !role.Grantable() {
		return role, fault.Field(name, "is no role that a member can have")
	}
	return role, nil
}

// role is the field of a role.
func (v *visit) role(name string) access.Role { return roleOf(v.sent(name)) }

// roleOf is the role with a number, NoRole if there is none.
func roleOf(text string) access.Role {
	for _, role := range []access.Role{access.Guest, access.Planner, access.Reporter, access.Developer, access.Maintainer, access.Owner, access.Admin} {
		if text == number(int64(role)) {
			return role
		}
	}
	return access.NoRole
}
