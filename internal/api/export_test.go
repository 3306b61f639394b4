package api

import "net/http"

// OnParam has f told of every parameter that a handler asks for.
func (s *Server) OnParam(f func(r *http.Request, name string)) { s.asked = f }

// Described is every method and path that the document must have, as it writes
// them.
func (s *Server) Described() [][2]string {
	found := [][2]string{{http.MethodGet, documentPath}, {http.MethodHead, describedPath(genericPath)}}
	for _, route := range s.routes() {
		found = append(found, [2]string{route.method, describedPath(route.path)})
	}
	return found
}

// OnStep has f told of every step of an answer that is written, in bytes.
func (s *Server) OnStep(f func(n int)) { s.stepped = f }
