package api

// Addresses is every way into the API as "METHOD path": the routes, and the web
// addresses.
func (s *Server) Addresses() []string {
	all := []string{"HEAD " + genericPath, "GET /-/project/{id}/uploads/{secret}/{file}"}
	for _, route := range s.routes() {
		all = append(all, route.method+" "+route.path)
	}
	for _, route := range webRoutes() {
		all = append(all, "GET "+route.pattern)
	}
	return all
}
