package api

import (
	"slices"

	"granary/internal/access"
	"granary/internal/auth"
)

// routes is every route of the program: the API, the addresses that people and
// download tools call, and the probes. Each row says what the actor must be able to do
// at all, and its way (route.go); what the actor may do to the thing that it names, the
// deed decides. Of web addresses the first that matches counts.
func (s *Server) routes() []route {
	rows := slices.Concat(instanceRoutes(), userRoutes(), namespaceRoutes(), jobRoutes(), hookRoutes(),
		memberRoutes("/projects/{id}/members", access.AdminProjectMembers, deedsOfMembers{s.Projects.ProjectMembers()}),
		memberRoutes("/groups/{id}/members", access.AdminGroupMembers, deedsOfMembers{s.Projects.GroupMembers()}),
		deployTokenRoutes("/projects/{id}/deploy_tokens", access.AdminProjectDeployTokens, deedsOfDeployTokens{s.Auth.ProjectDeployTokens()}),
		deployTokenRoutes("/groups/{id}/deploy_tokens", access.AdminGroupDeployTokens, deedsOfDeployTokens{s.Auth.GroupDeployTokens()}),
		botTokenRoutes("/projects/{id}/access_tokens", access.ReadProjectTokens, access.IssueProjectToken, access.EndProjectToken,
			deedsOfBotTokens{s.Auth.ProjectTokens()}),
		botTokenRoutes("/groups/{id}/access_tokens", access.ReadGroupTokens, access.IssueGroupToken, access.EndGroupToken,
			deedsOfBotTokens{s.Auth.GroupTokens()}),
		variableRoutes("/projects/{id}/variables", access.ReadProjectVariables, access.AdminProjectVariables,
			deedsOfVariables{s.Projects.ProjectVariables(), true}),
		variableRoutes("/groups/{id}/variables", access.ReadGroupVariables, access.AdminGroupVariables,
			deedsOfVariables{s.Projects.GroupVariables(), true}),
		variableRoutes("/admin/ci/variables", access.ReadInstance, access.AdminInstanceVariables,
			deedsOfVariables{s.Projects.InstanceVariables(), false}),
		packageRoutes(), releaseRoutes(), uploadRoutes())
	for i := range rows {
		rows[i].path = prefix + rows[i].path
	}
	return slices.Concat(rows, webRoutes(), s.openRoutes())
}

func instanceRoutes() []route {
	tokens := way{}
	return []route{
		{"GET", "/version", access.ReadMetadata, tokens, getVersion},
		{"GET", "/metadata", access.ReadMetadata, tokens, getMetadata},
		{"GET", "/features", access.ReadInstance, tokens, listFeatures},
		{"GET", "/features/definitions", access.ReadInstance, tokens, listFeatureDefinitions},
		{"POST", "/features/{name}", access.AdminFeatures, tokens, setFeature},
		{"DELETE", "/features/{name}", access.AdminFeatures, tokens, deleteFeature},
		{"GET", "/deploy_tokens", access.ReadInstance, tokens, listAllDeployTokens},
		{"GET", "/audit_events", access.ReadInstance, tokens, listInstanceEvents},
		{"GET", "/audit_events/{event_id}", access.ReadInstance, tokens, getInstanceEvent},
		{"GET", "/projects/{id}/audit_events", access.ReadProjectAudit, tokens, listProjectEvents},
		{"GET", "/projects/{id}/audit_events/{event_id}", access.ReadProjectAudit, tokens, getProjectEvent},
		{"GET", "/groups/{id}/audit_events", access.ReadGroupAudit, tokens, listGroupEvents},
		{"GET", "/groups/{id}/audit_events/{event_id}", access.ReadGroupAudit, tokens, getGroupEvent},
		{"GET", "/storage", access.ReadInstance, tokens, getInstanceStorage},
		{"GET", "/projects/{id}/storage", access.ReadUsage, tokens, getProjectStorage},
		{"GET", "/groups/{id}/storage", access.ReadUsage, tokens, getGroupStorage},
	}
}

func userRoutes() []route {
	tokens := way{}
	return []route{
		{"GET", "/user", access.ReadSelf, tokens, getCurrentUser},
		{"GET", "/users", access.ReadUsers, tokens, listUsers},
		{"POST", "/users", access.AdminUsers, tokens, createUser},
		{"GET", "/users/{id}", access.ReadUsers, tokens, getUser},
		{"PUT", "/users/{id}", access.AdminUsers, tokens, editUser},
		{"DELETE", "/users/{id}", access.AdminUsers, tokens, deleteUser},
		{"POST", "/users/{id}/block", access.AdminUsers, tokens, blockUser},
		{"POST", "/users/{id}/unblock", access.AdminUsers, tokens, unblockUser},
		{"GET", "/users/{id}/projects", access.ListNamespaces, tokens, listUserProjects},
		{"POST", "/users/{id}/personal_access_tokens", access.IssueTokens, tokens, createPersonalToken},
		{"GET", "/personal_access_tokens", access.ReadTokens, tokens, listPersonalTokens},
		{"GET", "/personal_access_tokens/{token_id}", access.UseOwnToken, tokens, getPersonalToken},
		{"DELETE", "/personal_access_tokens/{token_id}", access.UseOwnToken, tokens, revokePersonalToken},
		{"POST", "/personal_access_tokens/{token_id}/rotate", access.RotateToken, way{doors: auth.Doors{Rotates: true}}, rotatePersonalToken},
		{"POST", "/user/personal_access_tokens", access.IssueOwnToken, tokens, createOwnToken},
		{"POST", "/user/sign_in_links", access.MakeOwnSignInLink, tokens, createSignInLink},
		{"GET", "/personal_access_tokens/self/associations", access.UseOwnToken, tokens, getAssociations},
	}
}

func namespaceRoutes() []route {
	tokens, jobs := way{}, way{doors: auth.Doors{JobTokens: true}}
	return []route{
		{"GET", "/groups", access.ListNamespaces, tokens, listGroups},
		{"POST", "/groups", access.CreateTopGroup, tokens, createGroup},
		{"GET", "/groups/{id}", access.ReadGroup, tokens, getGroup},
		{"PUT", "/groups/{id}", access.EditGroup, tokens, editGroup},
		{"DELETE", "/groups/{id}", access.EditGroup, tokens, deleteGroup},
		{"GET", "/groups/{id}/subgroups", access.ReadGroup, tokens, listSubgroups},
		{"GET", "/groups/{id}/projects", access.ReadGroup, tokens, listGroupProjects},
		{"POST", "/groups/{id}/transfer", access.EditGroup, tokens, transferGroup},

		{"GET", "/namespaces", access.FindNamespaces, tokens, listNamespaces},
		{"GET", "/namespaces/{id}", access.ReadNamespace, tokens, getNamespace},

		{"GET", "/projects", access.ListNamespaces, tokens, listProjects},
		{"POST", "/projects", access.CreateProject, tokens, createProject},
		{"GET", "/projects/{id}", access.ReadProject, jobs, getProject},
		{"PUT", "/projects/{id}", access.EditProject, tokens, editProject},
		{"DELETE", "/projects/{id}", access.OwnProject, tokens, deleteProject},
		{"POST", "/projects/{id}/archive", access.OwnProject, tokens, archiveProject},
		{"POST", "/projects/{id}/unarchive", access.OwnProject, tokens, unarchiveProject},
		{"PUT", "/projects/{id}/transfer", access.OwnProject, tokens, transferProject},
		{"GET", "/projects/{id}/groups", access.ReadProject, tokens, listProjectGroups},
	}
}

// jobRoutes are CI jobs, and whose job tokens a project lets in (contract rest-api C5).
func jobRoutes() []route {
	const scope = "/projects/{id}/job_token_scope"
	tokens, jobs := way{}, way{doors: auth.Doors{JobTokens: true}}
	return []route{
		{"GET", "/job", access.ReadProject, jobs, getOwnJob},
		{"GET", "/projects/{id}/jobs", access.ReadJobs, tokens, listJobs},
		{"POST", "/projects/{id}/jobs", access.CreateJob, tokens, createJob},
		{"GET", "/projects/{id}/jobs/{job_id}", access.ReadJobs, tokens, getJob},
		{"PUT", "/projects/{id}/jobs/{job_id}", access.EndJob, jobs, finishJob},

		{"GET", scope, access.ReadJobTokenScope, tokens, getJobTokenScope},
		{"PATCH", scope, access.AdminJobTokenScope, tokens, setJobTokenScope},
		{"GET", scope + "/allowlist", access.ReadJobTokenScope, tokens, listAllowedProjects},
		{"POST", scope + "/allowlist", access.AdminJobTokenScope, tokens, allowProject},
		{"DELETE", scope + "/allowlist/{target_project_id}", access.AdminJobTokenScope, tokens, disallowProject},
		{"GET", scope + "/groups_allowlist", access.ReadJobTokenScope, tokens, listAllowedGroups},
		{"POST", scope + "/groups_allowlist", access.AdminJobTokenScope, tokens, allowGroup},
		{"DELETE", scope + "/groups_allowlist/{target_group_id}", access.AdminJobTokenScope, tokens, disallowGroup},
	}
}

func hookRoutes() []route {
	const all, one = "/projects/{id}/hooks", "/projects/{id}/hooks/{hook_id}"
	tokens := way{}
	return []route{
		{"GET", all, access.ReadHooks, tokens, listHooks},
		{"POST", all, access.AdminHooks, tokens, createHook},
		{"GET", one, access.ReadHooks, tokens, getHook},
		{"PUT", one, access.AdminHooks, tokens, editHook},
		{"DELETE", one, access.AdminHooks, tokens, deleteHook},
		{"PUT", one + "/custom_headers/{key}", access.AdminHooks, tokens, setHookHeader},
		{"DELETE", one + "/custom_headers/{key}", access.AdminHooks, tokens, deleteHookHeader},
		{"POST", one + "/test/{trigger}", access.AdminHooks, tokens, testHook},
		{"GET", one + "/events", access.ReadHooks, tokens, listHookEvents},
		{"POST", one + "/events/{hook_event_id}/resend", access.AdminHooks, tokens, resendHookEvent},
	}
}

func memberRoutes(at string, admin access.Action, deeds deedsOfMembers) []route {
	tokens := way{}
	return []route{
		{"GET", at, access.ReadMembers, tokens, deeds.list(false)},
		{"GET", at + "/all", access.ReadMembers, tokens, deeds.list(true)},
		{"GET", at + "/{user_id}", access.ReadMembers, tokens, deeds.get(false)},
		{"GET", at + "/all/{user_id}", access.ReadMembers, tokens, deeds.get(true)},
		{"POST", at, admin, tokens, deeds.add},
		{"PUT", at + "/{user_id}", admin, tokens, deeds.change},
		{"DELETE", at + "/{user_id}", access.LeaveMembers, tokens, deeds.remove},
	}
}

func deployTokenRoutes(at string, admin access.Action, deeds deedsOfDeployTokens) []route {
	tokens := way{}
	return []route{
		{"GET", at, access.ReadDeployTokens, tokens, deeds.list},
		{"GET", at + "/{token_id}", access.ReadDeployTokens, tokens, deeds.get},
		{"POST", at, admin, tokens, deeds.create},
		{"DELETE", at + "/{token_id}", admin, tokens, deeds.revoke},
	}
}

func botTokenRoutes(at string, read, issue, end access.Action, deeds deedsOfBotTokens) []route {
	tokens := way{}
	return []route{
		{"GET", at, read, tokens, deeds.list},
		{"GET", at + "/{token_id}", read, tokens, deeds.get},
		{"POST", at, issue, tokens, deeds.create},
		{"DELETE", at + "/{token_id}", end, tokens, deeds.revoke},
		{"POST", at + "/{token_id}/rotate", access.RotateBotToken, tokens, deeds.rotate},
	}
}

// variableRoutes take no job token: a job reads its variables from its environment,
// and writes none.
func variableRoutes(at string, read, admin access.Action, deeds deedsOfVariables) []route {
	tokens := way{}
	return []route{
		{"GET", at, read, tokens, deeds.list},
		{"GET", at + "/{key}", read, tokens, deeds.get},
		{"POST", at, admin, tokens, deeds.create},
		{"PUT", at + "/{key}", admin, tokens, deeds.edit},
		{"DELETE", at + "/{key}", admin, tokens, deeds.remove},
	}
}

// packageRoutes install, publish and manage generic packages (contract generic-packages),
// find and remove packages and files (contract rest-api A), and keep protection
// rules (B). Rules are read with a right that needs no login: GitLab judges their
// parameters first.
func packageRoutes() []route {
	const one = "/projects/{id}/packages/{package_id}"
	const file = one + "/package_files/{package_file_id}"
	const rules = "/projects/{id}/packages/protection/rules"
	tokens, jobs := way{}, way{doors: auth.Doors{JobTokens: true}}
	every := auth.Doors{JobTokens: true, DeployTokens: true, Basic: true}
	install := way{doors: every, body: noBody, order: parametersFirst, logsIn: true}
	publish := way{doors: every, body: fileBody, order: credentialFirst, logsIn: true}
	manage, destroy := way{doors: every, logsIn: true}, way{doors: jobs.doors, logsIn: true}
	return []route{
		{"GET", genericPath, access.ReadPackages, install, getFile},
		{"PUT", genericPath, access.PublishPackage, publish, putFile},
		{"GET", genericName, access.ReadPackages, install, listNameVersions},
		{"GET", genericVersion, access.ReadPackages, install, getPackageVersion},
		{"POST", genericVersion, access.FinalisePackage, way{doors: every, body: listingBody, logsIn: true}, finaliseVersion},
		{"PATCH", genericVersion, access.DestroyPackage, destroy, editPackageVersion},
		{"DELETE", genericVersion, access.DestroyPackage, manage, deletePackageVersion},
		{"PUT", genericChannel, access.PublishPackage, manage, setChannel},
		{"DELETE", genericChannel, access.PublishPackage, manage, removeChannel},

		{"GET", "/projects/{id}/packages", access.ListPackages, jobs, listPackages},
		{"GET", "/projects/{id}/downloads", access.ListPackages, jobs, listDownloads},
		{"GET", "/groups/{id}/packages", access.ListPackages, tokens, listGroupPackages},
		{"GET", one, access.ListPackages, jobs, getPackage},
		{"GET", one + "/pipelines", access.ListPackages, jobs, listPackagePipelines},
		{"GET", one + "/package_files", access.ListPackages, jobs, listPackageFiles},
		{"GET", file + "/download", access.ListPackages, jobs, downloadPackageFile},
		{"DELETE", one, access.DestroyPackage, jobs, deletePackage},
		{"DELETE", file, access.DestroyPackage, jobs, deletePackageFile},

		{"GET", rules, access.ReadProject, tokens, listProtectionRules},
		{"POST", rules, access.ReadProject, tokens, createProtectionRule},
		{"PATCH", rules + "/{package_protection_rule_id}", access.ReadProject, tokens, editProtectionRule},
		{"DELETE", rules + "/{package_protection_rule_id}", access.ReadProject, tokens, deleteProtectionRule},
	}
}

// releaseRoutes take job tokens: CI publishes releases (contract rest-api G). The
// tags are those of releases: there is no git here, and version watchers ask for
// nothing else.
func releaseRoutes() []route {
	jobs := way{doors: auth.Doors{JobTokens: true}}
	const all, one = "/projects/{id}/releases", "/projects/{id}/releases/{tag}"
	const latest, links = all + "/permalink/latest", one + "/assets/links"
	return []route{
		{"GET", all, access.ReadReleases, jobs, listReleases},
		{"POST", all, access.PublishRelease, jobs, createRelease},
		{"GET", latest, access.ReadReleases, jobs, getLatestRelease},
		{"GET", latest + "/{suffix...}", access.ReadReleases, jobs, getLatestRelease},
		{"GET", one, access.ReadReleases, jobs, getRelease},
		{"PUT", one, access.PublishRelease, jobs, editRelease},
		{"DELETE", one, access.DestroyRelease, jobs, deleteRelease},
		{"GET", one + "/downloads/{path...}", access.ReadReleases, jobs, getReleaseAsset},
		{"GET", one + "/downloads", access.ReadReleases, jobs, getReleaseAsset}, // else ServeMux would redirect

		{"GET", links, access.ReadReleases, jobs, listReleaseLinks},
		{"POST", links, access.PublishRelease, jobs, createReleaseLink},
		{"GET", links + "/{link_id}", access.ReadReleases, jobs, getReleaseLink},
		{"PUT", links + "/{link_id}", access.PublishRelease, jobs, editReleaseLink},
		{"DELETE", links + "/{link_id}", access.PublishRelease, jobs, deleteReleaseLink},

		{"GET", "/projects/{id}/repository/commits/{sha}/merge_requests", access.ReadProject, jobs, listNoMergeRequests},
		{"GET", "/projects/{id}/repository/tags", access.ReadReleases, jobs, listTags},
		{"GET", "/projects/{id}/repository/tags/{tag}", access.ReadReleases, jobs, getTag},
	}
}

func uploadRoutes() []route {
	const byID, byAddress = uploadsPath + "/{upload_id}", uploadsPath + "/{secret}/{filename}"
	tokens := way{}
	return []route{
		{"POST", uploadsPath, access.UploadFile, way{body: formBody}, createUpload},
		{"GET", uploadsPath, access.ListUploads, tokens, listUploads},
		{"GET", byID, access.ListUploads, tokens, getUploadByID},
		{"DELETE", byID, access.DestroyUpload, tokens, deleteUploadByID},
		{"GET", byAddress, access.FetchUpload, tokens, fetchUpload},
		{"DELETE", byAddress, access.DestroyUpload, tokens, deleteUpload},
	}
}

// webRoutes are addresses that release tools write into install scripts and package
// recipes, and that people call (contract rest-api G).
func webRoutes() []route {
	const releases = "/{project...}/-/releases"
	web := func(body body, match matcher) way {
		return way{doors: auth.Doors{JobTokens: true, Basic: true}, body: body, order: credentialFirst, logsIn: true, match: match}
	}
	forPrograms := func(w way) way {
		w.page = true
		return w
	}
	inSession := func(w way) way {
		w.session = true
		return w
	}
	shared := func(match matcher) way { return inSession(web(noBody, match)) }
	rows := []route{
		{"GET", releases + "/permalink/latest/{suffix...}", access.ReadReleases, shared(matchLatest), webLatest},
		{"GET", releases + "/{tag}/downloads/{path...}", access.ReadReleases, shared(matchDownload), webDownload},
		{"GET", "/{project...}/-/package_files/{package_file_id}/download", access.ListPackages, shared(matchPackageFile), webPackageFile},
		{"GET", "/{project...}/uploads/{secret}/{file}", access.FetchUpload, shared(matchUpload), webUpload},
		{"GET", releases, access.ReadReleases, forPrograms(web(parameters, matchEnd("/-/releases"))), webReleases},
		{"GET", releases + ".json", access.ReadReleases, shared(matchEnd("/-/releases.json")), webReleasesJSON},
		{"GET", releases + ".atom", access.ReadReleases, inSession(web(parameters, matchEnd("/-/releases.atom"))), webReleasesAtom},
		{"GET", releases + "/{tag}", access.ReadReleases, forPrograms(web(noBody, matchRelease)), webRelease},
		{"GET", "/{project...}/-/badges/release.svg", access.ReadReleases, inSession(web(parameters, matchEnd("/-/badges/release.svg"))), webReleaseBadge},
		{"GET", "/-/project/{id}/uploads/{secret}/{file}", access.FetchUpload, shared(nil), getProjectUpload},
	}
	for i := range rows {
		rows[i].do = followed(rows[i].do)
	}
	return rows
}

// openRoutes read no credential: the document of the API, and the probes.
func (s *Server) openRoutes() []route {
	open, probe := way{body: noBody, order: noCredential}, way{body: noBody, order: noCredential, probe: true}
	return []route{
		{"GET", prefix + documentPath, access.ReadMetadata, open, s.describe()},
		{"GET", "/-/liveness", access.ReadMetadata, probe, handledBy(s.Probes.Liveness)},
		{"GET", "/-/readiness", access.ReadMetadata, probe, handledBy(s.Probes.Readiness)},
		{"GET", "/-/metrics", access.ReadMetadata, probe, handledBy(s.Probes.Metrics)},
	}
}
