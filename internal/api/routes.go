package api

import (
	"slices"

	"granary/internal/access"
	"granary/internal/auth"
)

// routes is every route there is. Each row says what the actor must be able to
// do at all; what it may do to the thing it names, the deed decides.
func (s *Server) routes() []route {
	packageDoors := auth.Doors{JobTokens: true, DeployTokens: true, Basic: true}
	jobs := auth.Doors{JobTokens: true}
	none := auth.Doors{}
	return slices.Concat([]route{
		{"GET", "/version", access.ReadMetadata, none, getVersion},
		{"GET", "/metadata", access.ReadMetadata, none, getMetadata},
		{"GET", "/features", access.ReadInstance, none, listFeatures},
		{"GET", "/features/definitions", access.ReadInstance, none, listFeatureDefinitions},
		{"POST", "/features/{name}", access.AdminFeatures, none, setFeature},
		{"DELETE", "/features/{name}", access.AdminFeatures, none, deleteFeature},

		{"GET", "/groups", access.ListNamespaces, none, listGroups},
		{"POST", "/groups", access.CreateTopGroup, none, createGroup},
		{"GET", "/groups/{id}", access.ReadGroup, none, getGroup},
		{"PUT", "/groups/{id}", access.EditGroup, none, editGroup},
		{"DELETE", "/groups/{id}", access.EditGroup, none, deleteGroup},
		{"GET", "/groups/{id}/subgroups", access.ReadGroup, none, listSubgroups},
		{"GET", "/groups/{id}/projects", access.ReadGroup, none, listGroupProjects},
		{"POST", "/groups/{id}/transfer", access.EditGroup, none, transferGroup},

		{"GET", "/namespaces", access.FindNamespaces, none, listNamespaces},
		{"GET", "/namespaces/{id}", access.ReadNamespace, none, getNamespace},

		{"GET", "/projects", access.ListNamespaces, none, listProjects},
		{"POST", "/projects", access.CreateProject, none, createProject},
		{"GET", "/projects/{id}", access.ReadProject, jobs, getProject},
		{"PUT", "/projects/{id}", access.EditProject, none, editProject},
		{"DELETE", "/projects/{id}", access.OwnProject, none, deleteProject},
		{"POST", "/projects/{id}/archive", access.OwnProject, none, archiveProject},
		{"POST", "/projects/{id}/unarchive", access.OwnProject, none, unarchiveProject},
		{"PUT", "/projects/{id}/transfer", access.OwnProject, none, transferProject},
		{"GET", "/projects/{id}/groups", access.ReadProject, none, listProjectGroups},

		{"GET", "/deploy_tokens", access.ReadInstance, none, listAllDeployTokens},
		{"GET", "/job", access.ReadProject, jobs, getOwnJob},
		{"GET", "/projects/{id}/jobs", access.ReadJobs, none, listJobs},
		{"POST", "/projects/{id}/jobs", access.CreateJob, none, createJob},
		{"GET", "/projects/{id}/jobs/{job_id}", access.ReadJobs, none, getJob},
		{"PUT", "/projects/{id}/jobs/{job_id}", access.EndJob, jobs, finishJob},

		{"GET", genericPath, access.ReadPackages, packageDoors, nil},
		{"PUT", genericPath, access.PublishPackage, packageDoors, nil},
	}, userRoutes(), s.memberRoutes(), s.deployTokenRoutes(), s.variableRoutes(), s.botTokenRoutes(), jobTokenRoutes(), ownTokenRoutes(),
		packageRoutes(), releaseRoutes(), tagRoutes(), uploadRoutes(), hookRoutes(), auditRoutes())
}

func userRoutes() []route {
	none := auth.Doors{}
	return []route{
		{"GET", "/user", access.ReadSelf, none, getCurrentUser},
		{"GET", "/users", access.ReadUsers, none, listUsers},
		{"POST", "/users", access.AdminUsers, none, createUser},
		{"GET", "/users/{id}", access.ReadUsers, none, getUser},
		{"PUT", "/users/{id}", access.AdminUsers, none, editUser},
		{"DELETE", "/users/{id}", access.AdminUsers, none, deleteUser},
		{"POST", "/users/{id}/block", access.AdminUsers, none, blockUser},
		{"POST", "/users/{id}/unblock", access.AdminUsers, none, unblockUser},
		{"GET", "/users/{id}/projects", access.ListNamespaces, none, listUserProjects},

		{"POST", "/users/{id}/personal_access_tokens", access.IssueTokens, none, createPersonalToken},
		{"GET", "/personal_access_tokens", access.ReadTokens, none, listPersonalTokens},
		{"GET", "/personal_access_tokens/{token_id}", access.UseOwnToken, none, getPersonalToken},
		{"DELETE", "/personal_access_tokens/{token_id}", access.UseOwnToken, none, revokePersonalToken},
		{"POST", "/personal_access_tokens/{token_id}/rotate", access.RotateToken, auth.Doors{Rotates: true}, rotatePersonalToken},
	}
}

func (s *Server) memberRoutes() []route {
	var routes []route
	for _, at := range []struct {
		path  string
		admin access.Action
		deeds deedsOfMembers
	}{
		{"/projects/{id}/members", access.AdminProjectMembers, deedsOfMembers{s.Projects.ProjectMembers()}},
		{"/groups/{id}/members", access.AdminGroupMembers, deedsOfMembers{s.Projects.GroupMembers()}},
	} {
		none := auth.Doors{}
		routes = append(routes,
			route{"GET", at.path, access.ReadMembers, none, at.deeds.list(false)},
			route{"GET", at.path + "/all", access.ReadMembers, none, at.deeds.list(true)},
			route{"GET", at.path + "/{user_id}", access.ReadMembers, none, at.deeds.get(false)},
			route{"GET", at.path + "/all/{user_id}", access.ReadMembers, none, at.deeds.get(true)},
			route{"POST", at.path, at.admin, none, at.deeds.add},
			route{"PUT", at.path + "/{user_id}", at.admin, none, at.deeds.change},
			route{"DELETE", at.path + "/{user_id}", access.LeaveMembers, none, at.deeds.remove},
		)
	}
	return routes
}

func (s *Server) deployTokenRoutes() []route {
	var routes []route
	for _, at := range []struct {
		path  string
		admin access.Action
		deeds deedsOfDeployTokens
	}{
		{"/projects/{id}/deploy_tokens", access.AdminProjectDeployTokens, deedsOfDeployTokens{s.Auth.ProjectDeployTokens()}},
		{"/groups/{id}/deploy_tokens", access.AdminGroupDeployTokens, deedsOfDeployTokens{s.Auth.GroupDeployTokens()}},
	} {
		none := auth.Doors{}
		routes = append(routes,
			route{"GET", at.path, access.ReadDeployTokens, none, at.deeds.list},
			route{"GET", at.path + "/{token_id}", access.ReadDeployTokens, none, at.deeds.get},
			route{"POST", at.path, at.admin, none, at.deeds.create},
			route{"DELETE", at.path + "/{token_id}", at.admin, none, at.deeds.revoke},
		)
	}
	return routes
}
