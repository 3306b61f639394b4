package api

import (
	"io"
	"net/http"
	"strings"

	"granary/internal/access"
)

// OnParam has f told of every parameter that a handler asks for.
func (s *Server) OnParam(f func(r *http.Request, name string)) { s.asked = f }

// Described is every method and path that the document must have, as it writes
// them.
func (s *Server) Described() [][2]string {
	found := [][2]string{}
	for _, path := range []string{genericPath, genericVersion, genericName} {
		found = append(found, [2]string{http.MethodHead, describedPath(path)})
	}
	for _, route := range s.routes() {
		if strings.HasPrefix(route.path, prefix) {
			found = append(found, [2]string{route.method, describedPath(route.path)})
		}
	}
	return found
}

// Door is one address to which requests come with credentials.
type Door struct {
	Method, Path string // the whole path, with its patterns
	Action       access.Action
	Counted      bool // by Rates.Writes
}

// Doors is every one there is: the rows of the table of routes that read credentials.
func (s *Server) Doors() []Door {
	var doors []Door
	for _, path := range []string{genericPath, genericVersion, genericName} {
		doors = append(doors, Door{Method: http.MethodHead, Path: prefix + path, Action: access.ReadPackages})
	}
	for _, r := range s.routes() {
		if r.way.order != noCredential {
			doors = append(doors, Door{r.method, r.path, r.action, r.writes()})
		}
	}
	return doors
}

// OnStep has f told of every step of an answer that is written, in bytes.
func (s *Server) OnStep(f func(n int)) { s.stepped = f }

// OtherSettings are those of GitLab that an edit of a project ignores.
func OtherSettings() []string { return otherSettings() }

// OutOfTurn is the writer of an archive that is compressed.
func OutOfTurn(w io.Writer, turns chan struct{}) io.Writer { return outOfTurn{w, turns} }
