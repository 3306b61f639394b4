package ui

import "strings"

// Patterns are the patterns of all pages, for the test that holds a table to them.
func (s *Server) Patterns() (all []string) {
	for i := range s.routes {
		all = append(all, s.routes[i].pattern())
	}
	return all
}

// PatternOf is the pattern that a request for a path has, "" for none. A path of two
// segments is taken for a project's, one of a single segment for a group's.
func (s *Server) PatternOf(method, path string) string {
	t, err := parseTarget(path)
	if err != nil {
		return ""
	}
	on := instance
	switch {
	case strings.Contains(t.place, "/"):
		on = project
	case t.place != "":
		on = group
	}
	found, _, _ := s.find(on, method, t.rest)
	if found == nil {
		return ""
	}
	return found.pattern()
}
