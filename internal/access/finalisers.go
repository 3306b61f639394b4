package access

// Finalisers is a project's generic_package_finalisers: who may make a version final,
// of those who may publish. The empty one is Publishers.
type Finalisers string

// The finalisers, from the most to the fewest.
const (
	Publishers  Finalisers = "publishers"  // who may publish
	Maintainers Finalisers = "maintainers" // with the role Maintainer; no deploy token has one
	People      Finalisers = "people"      // with the role Maintainer and a personal access token: no job, no bot
)

// least is the lowest role that may, NoRole if the setting asks for none. A word that
// this server does not know is the strictest.
func (f Finalisers) least() Role {
	if f == "" || f == Publishers {
		return NoRole
	}
	return Maintainer
}

// include reports whether the actor's kind may.
func (f Finalisers) include(a Actor) bool {
	switch f {
	case "", Publishers, Maintainers:
		return true
	}
	return a.Kind == User && !a.Bot
}
