package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/throttle"
)

// authenticate finds the actor of a request from its credentials and Sudo, and counts the
// request for its sender. It returns a *throttle.Refusal if that was one too many. Every
// route gets its actor here, so that Sudo works on every route.
func (s *Server) authenticate(r *http.Request, w *way) (access.Actor, error) {
	return s.whoActs(r, w, true)
}

// Again implements registry.Sender: it finds the actor of the request as of now. That
// does not count as another request.
func (c *call) Again(context.Context) (access.Actor, error) {
	return c.s.whoActs(c.r, &c.route.way, false)
}

func (s *Server) whoActs(r *http.Request, w *way, counts bool) (access.Actor, error) {
	c, sudo := credentials(r)
	session := w.session && s.Session != nil && reads(r) && !hasCredential(r)
	a, err := s.sender(r, c, w.doors, session, counts)
	if s.asked != nil {
		s.asked(r, "sudo")
	}
	if err != nil || sudo == "" {
		return a, err
	}
	return s.sudo(r, a, sudo)
}

// sender is the actor whose credentials the request carries, or whose session if session is
// set. counts says whether to count it.
func (s *Server) sender(r *http.Request, c auth.Credentials, d auth.Doors, session, counts bool) (access.Actor, error) {
	if s.known != nil {
		return *s.known, nil
	}
	c.From = s.from(r)
	a, err := s.Auth.Authenticate(r.Context(), c, d)
	if session {
		if found, ok := s.Session(r); ok {
			a = found
		}
	}
	if tooMany(err) || !counts {
		return a, err
	}
	if refused := s.Rates.Count(a, c.From); refused != nil {
		return access.Actor{}, refused
	}
	return a, err
}

// sudo lets an administrator act as another user. If it is refused, nobody acts.
func (s *Server) sudo(r *http.Request, a access.Actor, ref string) (access.Actor, error) {
	switch {
	case badText(ref) || strings.HasPrefix(ref, "sudo["): // see sudoOf
		return access.Actor{}, fault.New(fault.Invalid, "sudo is invalid")
	case tooLong(ref, maxText):
		return access.Actor{}, fault.New(fault.Invalid, tooLongText("sudo", maxText))
	}
	as, err := s.Auth.Sudo(r.Context(), a, ref)
	if err != nil {
		return access.Actor{Address: a.Address}, err
	}
	return as, nil
}

// from is the address of a request's client. It is not valid if nothing depends on it.
func (s *Server) from(r *http.Request) netip.Addr {
	if s.ClientIP == nil {
		return netip.Addr{}
	}
	return s.ClientIP(r.Context())
}

func tooMany(err error) bool {
	_, ok := errors.AsType[*throttle.Refusal](err)
	return ok
}

// retryLater answers a request above a limit of all endpoints, or of this one (contract
// rest-api H).
func retryLater(w http.ResponseWriter, refused *throttle.Refusal, endpoint bool) {
	kind, text := "text/plain", "Retry later\n"
	if endpoint {
		kind, text = "application/json", `{"message":"429 Too Many Requests"}`
	}
	h := w.Header()
	safeHeaders(h)
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	for name, n := range map[string]int64{
		"RateLimit-Limit":     refused.PerMinute,
		"RateLimit-Observed":  refused.Observed,
		"RateLimit-Remaining": refused.Remaining,
		"RateLimit-Reset":     refused.Reset.Unix(),
		"Retry-After":         int64(refused.After.Seconds()),
	} {
		h.Set(name, strconv.FormatInt(n, 10))
	}
	h.Set("RateLimit-Name", refused.Name)
	h.Set("RateLimit-ResetTime", refused.Reset.UTC().Format(http.TimeFormat))
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = io.WriteString(w, text) // a client that is gone needs no answer
}
