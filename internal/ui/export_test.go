package ui

// Patterns are the patterns of all pages, for the test that holds a table to them.
func (s *Server) Patterns() (all []string) {
	for i := range s.routes {
		all = append(all, s.routes[i].pattern())
	}
	return all
}
