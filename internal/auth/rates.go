package auth

import (
	"net/netip"

	"granary/internal/access"
	"granary/internal/throttle"
)

// Rates limit what one sender asks for, at every door. nil is no limit.
type Rates struct {
	Anonymous     *throttle.Throttle // of requests by address
	Authenticated *throttle.Throttle // of requests by user or deploy token
	Writes        *throttle.Throttle // of requests that write, by user
}

// Count counts a request for its actor; from is the address that an anonymous one came
// from. It returns a *throttle.Refusal if that was one too many.
func (r Rates) Count(a access.Actor, from netip.Addr) error {
	if a.Kind == access.Anonymous {
		return r.Anonymous.Count(KeyOf(a, from))
	}
	return r.Authenticated.Count(KeyOf(a, from))
}

// KeyOf says for whom a request counts: an anonymous client's address, a job's user.
func KeyOf(a access.Actor, from netip.Addr) throttle.Key {
	switch a.Kind {
	case access.Anonymous:
		return throttle.Address(from)
	case access.DeployToken:
		return throttle.DeployToken(a.TokenID)
	}
	return throttle.User(a.UserID)
}

// CountWrite counts a request that writes, for its user, likewise. Administrators are
// exempt, also when they use Sudo. Bots count for their place, since one Maintainer can make
// many of them.
func (r Rates) CountWrite(a access.Actor) error {
	switch {
	case !a.LoggedIn() || a.Admin || a.SudoID != 0:
		return nil
	case a.Bot:
		return r.Writes.Count(throttle.Place(a.Home))
	}
	return r.Writes.Count(throttle.User(a.UserID))
}
