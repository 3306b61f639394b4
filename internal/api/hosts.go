package api

import (
	"net/http"
	"net/netip"
	"strings"
)

// Hosts says which names of the server links may repeat if there is no ExternalURL. The
// client chooses the Host header: a link with any name could send other clients, such as
// those of a cache, to another server. X-Forwarded-Host and X-Forwarded-Proto are never
// read, even from a trusted proxy.
type Hosts struct {
	// Names are in lower case: "packages.example.com", or "*.example.org" for all names
	// below. localhost and IP addresses are always known.
	Names []string
	// Address is the start of links if Host is not known, "http://127.0.0.1:8080"; ""
	// for http://localhost.
	Address string
	// Unknown is called for each request with another Host, with the start of its links.
	// It must not block. It may be nil.
	Unknown func(host, link string)
}

// Base is the server's address as a client of the request should see it, without a slash
// at the end.
func (s *Server) Base(r *http.Request) string { return s.base(r) }

// base is the server's address as a client should see it, without a slash at the end.
func (s *Server) base(r *http.Request) string {
	switch {
	case s.ExternalURL != "":
		return s.ExternalURL
	case !s.Hosts.Known(r.Host):
		return s.Hosts.fallback(r.Host)
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// Known reports whether links may repeat a host, with or without a port.
func (h *Hosts) Known(host string) bool {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i+1:]
	}
	if strings.Trim(port, "0123456789") != "" { // "127.0.0.1:x@example.com" is example.com
		return false
	}
	if strings.EqualFold(name, "localhost") || isIP(name) {
		return true
	}
	for _, n := range h.Names {
		if isNamed(name, n) {
			return true
		}
	}
	return false
}

// isIP reports whether a host is an IP address, written as in a URL.
func isIP(name string) bool {
	if inside, ok := strings.CutPrefix(name, "["); ok {
		inside, ok = strings.CutSuffix(inside, "]")
		ip, err := netip.ParseAddr(inside)
		return ok && err == nil && ip.Is6() && ip.Zone() == ""
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Is4()
}

// isNamed reports whether an entry of Names names a host.
func isNamed(name, setting string) bool {
	tail, below := strings.CutPrefix(setting, "*")
	if !below {
		return strings.EqualFold(name, setting)
	}
	at := len(name) - len(tail)
	return at > 0 && strings.EqualFold(name[at:], tail) && !strings.ContainsFunc(name[:at], func(r rune) bool { return !inHostName(r) })
}

func inHostName(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_'
}

// fallback is the start of links in an answer to a request whose Host is not known.
func (h *Hosts) fallback(host string) (link string) {
	link = h.Address
	if link == "" {
		link = "http://localhost"
	}
	if h.Unknown != nil {
		h.Unknown(host, link)
	}
	return link
}
