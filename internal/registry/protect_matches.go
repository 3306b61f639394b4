package registry

import (
	"context"
	"strings"

	"granary/internal/access"
)

// MatchesLooked is how many packages of a project ProtectionMatches looks at, by name.
const MatchesLooked = 5_000

const matchesNamed = 5 // of the packages that match a pattern

// Matches are the packages of a project that rules match now.
type Matches struct {
	Of  []Match // of each pattern, in the order in which they were given
	All bool    // every package was looked at; else the first MatchesLooked by name
}

// Match is the packages that one pattern matches.
type Match struct {
	Count int
	First []Name // by name, at most five
}

// ProtectionRule returns one rule of a project.
func (r *Registry) ProtectionRule(ctx context.Context, a access.Actor, project string, id int64) (ProtectionRule, error) {
	place, err := r.enter(ctx, a, project, access.ReadProtections, apiDoor())
	if err != nil {
		return ProtectionRule{}, err
	}
	return r.Records.FindProtection(ctx, place.ProjectID, id)
}

// ProtectionMatches returns which listed packages of a project each pattern matches.
func (r *Registry) ProtectionMatches(ctx context.Context, a access.Actor, project string, patterns []string) (Matches, error) {
	place, err := r.enter(ctx, a, project, access.ReadProtections, apiDoor())
	if err != nil || len(patterns) == 0 {
		return Matches{All: true}, err
	}
	names, err := r.Records.FirstNames(ctx, place.ProjectID, MatchesLooked+1)
	if err != nil {
		return Matches{}, err
	}
	return matchesOf(patterns, names), nil
}

// matchesOf matches at most MatchesLooked of the names.
func matchesOf(patterns []string, names []Name) Matches {
	found := Matches{Of: make([]Match, len(patterns)), All: len(names) <= MatchesLooked}
	names = names[:min(len(names), MatchesLooked)]
	lower := make([]string, len(names))
	for i, name := range names {
		lower[i] = strings.ToLower(string(name))
	}
	for i, pattern := range patterns {
		parts, m := strings.Split(strings.ToLower(pattern), "*"), &found.Of[i]
		for n, name := range lower {
			if !matchesParts(parts, name) {
				continue
			}
			m.Count++
			if len(m.First) < matchesNamed {
				m.First = append(m.First, names[n])
			}
		}
	}
	return found
}
