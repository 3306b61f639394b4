package ui

import "net/http"

// packageRoutes are the pages of packages.
func (s *Server) packageRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	var (
		anyone   = way{}
		signedIn = way{signedIn: true}
		upload   = way{signedIn: true, stream: true}
	)
	return []route{
		{get, project, "", anyone, showPackages},
		{get, project, "packages", anyone, showPackages},
		{get, project, "packages/setup", anyone, showSetUp},
		{get, project, "packages/new", signedIn, showUpload},
		{post, project, "packages/new", upload, uploadForm},
		{get, project, "packages/{id}", anyone, showPackageByID},
		{http.MethodPut, project, "packages/generic/{name}/{version}/{file...}", upload, putFile},
	}
}
