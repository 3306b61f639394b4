package ui

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
)

// signIn finds who asks. A cookie of a session that has ended is nobody's, and is taken
// away.
func (v *visit) signIn() error {
	secret := v.cookieOf().read(v.r)
	if secret == "" {
		v.actor.Address = addressText(v.from())
		return nil
	}
	a, session, err := v.s.Auth.FindSession(v.r.Context(), secret, v.from())
	if fault.Is(err, fault.Unauthenticated) {
		v.actor.Address = addressText(v.from())
		v.cookieOf().end(v.w)
		return nil
	}
	v.actor, v.session = a, session
	return err
}

func (v *visit) from() netip.Addr { return v.s.ClientIP(v.r.Context()) }

// addressText is a client's address as audit events have it.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// Session is the actor of a request by its session alone. Package api asks for it at the
// few addresses that pages and tools share.
func (s *Server) Session(r *http.Request) (access.Actor, bool) {
	v := &visit{s: s, r: r}
	secret := v.cookieOf().read(r)
	if secret == "" {
		return access.Actor{}, false
	}
	a, _, err := s.Auth.FindSession(r.Context(), secret, v.from())
	return a, err == nil
}

// cookie is the form of the cookie that a session has at this address.
type cookie struct {
	name, path string
	secure     bool
}

// cookieOf is the cookie of the visit's address. A browser takes names with __Host- and
// __Secure- only with Secure, and Secure only over TLS or from this machine. Where the
// server is reached by plain http, the cookie has neither.
func (v *visit) cookieOf() cookie {
	c := cookie{name: "__Host-granary", path: "/", secure: true}
	switch {
	case !v.secure():
		c.name, c.secure = "granary", false
	case v.s.root != "":
		c.name = "__Secure-granary"
	}
	if v.s.root != "" {
		c.path = v.s.root
	}
	return c
}

// secure reports whether nobody between can read what goes over the connection, as far as
// the server knows: TLS, or a browser on this machine.
func (v *visit) secure() bool {
	if v.s.ExternalURL != "" {
		return strings.HasPrefix(v.s.ExternalURL, "https://") || isLoopback(v.r.Host) && v.from().IsLoopback()
	}
	return v.r.TLS != nil || isLoopback(v.r.Host)
}

// isLoopback reports a host of this machine, with or without a port.
func isLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && a.IsLoopback()
}

func (c cookie) read(r *http.Request) string {
	found, err := r.Cookie(c.name)
	if err != nil {
		return ""
	}
	return found.Value
}

func (c cookie) set(w http.ResponseWriter, secret string, expires time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: c.name, Value: secret, Path: c.path, Expires: expires, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (c cookie) end(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{
		Name: c.name, Path: c.path, MaxAge: -1, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// begin gives the browser its session and leads on.
func (v *visit) begin(session auth.Session, secret string) error {
	v.cookieOf().set(v.w, secret, session.ExpiresAt)
	v.w.Header()["Cache-Control"] = []string{"no-store"}
	return v.see(v.ours(v.sent("to")), "")
}

// ours is an address of ours to lead to: a path below the server's own, as browsers read
// it, with a query. Anything else is the first page.
func (v *visit) ours(to string) string {
	home := v.s.root + "/"
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.ContainsFunc(to, unlikely) {
		return home
	}
	// Browsers take %2e for a dot, but %2f for no slash.
	plain := strings.NewReplacer("%2e", ".", "%2E", ".").Replace(u.EscapedPath())
	if !strings.HasPrefix(plain, home) || strings.Contains(plain, "//") {
		return home
	}
	for segment := range strings.SplitSeq(plain, "/") {
		if segment == "." || segment == ".." {
			return home
		}
	}
	return to
}

// unlikely reports what no address of ours has: a backslash, which browsers take for a
// slash, and control characters, which they leave out.
func unlikely(r rune) bool { return r == '\\' || unicode.IsControl(r) }
