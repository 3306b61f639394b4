package auth

import (
	"strings"

	"granary/internal/access"
	"granary/internal/audit"
)

// event is an event of a deed that an actor does now.
func (s *Service) event(a access.Actor, name audit.Name, in audit.Entity) audit.Event {
	return audit.New(a, name, s.Now(), in)
}

// userEntity is the user that an event belongs to; the records fill in the name.
func userEntity(id int64) audit.Entity { return audit.Entity{Type: audit.User, ID: id} }

// scopeText is a token's scopes as one line.
func scopeText(scopes []access.Scope) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = string(s)
	}
	return strings.Join(words, " ")
}
