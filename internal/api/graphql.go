package api

import (
	"net/http"

	"granary/internal/wire"
)

// noGraphQL answers /api/graphql, and says what to use instead.
func (s *Server) noGraphQL(w http.ResponseWriter, r *http.Request) {
	s.writeJSON(w, http.StatusNotFound, wire.NoGraphQL{
		Error: "404 Not Found",
		Errors: []wire.GraphQLError{{
			Message: "there is no GraphQL here: use the REST API, which " + s.base(r) + prefix + documentPath + " describes",
		}},
	})
}
