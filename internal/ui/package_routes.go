package ui

import "net/http"

// packageRoutes are the pages of packages.
func (s *Server) packageRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	var (
		anyone   = way{}
		signedIn = way{signedIn: true}
		upload   = way{signedIn: true, stream: true, free: true}
		free     = way{signedIn: true, free: true}
	)
	return []route{
		{get, project, "", anyone, showPackages},
		{get, project, "packages", anyone, showPackages},
		{get, project, "packages/setup", anyone, showSetUp},
		{get, project, "packages/new", signedIn, showUpload},
		{post, project, "packages/new", upload, uploadForm},
		{get, project, "packages/delete", signedIn, showDelete},
		{post, project, "packages/delete", free, deletePackages},
		{get, project, "packages/{id}", anyone, showPackageByID},
		{get, project, "packages/generic/{name}", anyone, showPackage},
		{get, project, "packages/generic/{name}/{version}", anyone, showVersion},
		{post, project, "packages/generic/{name}/{version}/finalise", free, finaliseVersion},
		{post, project, "packages/generic/{name}/{version}/channel", free, moveChannel},
		{post, project, "packages/generic/{name}/{version}/channel/remove", free, removeChannel},
		{post, project, "packages/generic/{name}/{version}/edit", free, editVersion},
		{http.MethodPut, project, "packages/generic/{name}/{version}/{file...}", upload, putFile},
	}
}
