package auth

import (
	"strings"

	"granary/internal/access"
	"granary/internal/audit"
)

// event is what an actor did now.
func (s *Service) event(a access.Actor, name audit.Name, in audit.Entity) audit.Event {
	return audit.New(a, name, s.Now(), in)
}

// userEntity is the user that an event is told of; the records know the name.
func userEntity(id int64) audit.Entity { return audit.Entity{Type: audit.User, ID: id} }

// scopeText is a token's scopes in a line.
func scopeText(scopes []access.Scope) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	return strings.Join(words, " ")
}
