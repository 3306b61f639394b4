package daemon

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"granary/internal/api"
	"granary/internal/config"
)

// redirects sends plain HTTP to https, on the same host if it is a name of this server,
// and answers the ACME authority's challenge. at is where TLS is served.
func (s *secure) redirects(cfg config.Config, at net.Addr) http.Handler {
	if s == nil || cfg.HTTPRedirectListen == "" {
		return nil // nobody serves it
	}
	to := redirect308{hosts: api.Hosts{Names: slices.Concat(cfg.TrustedHosts, cfg.ACME)}}
	if address, err := netip.ParseAddrPort(at.String()); err == nil {
		to.port = address.Port()
	}
	if u, err := url.Parse(cfg.ExternalURL); err == nil && u.Scheme == "https" {
		to.external = u
	}
	if s.acme == nil {
		return to
	}
	return s.acme.Challenge(to)
}

// redirect308 is a redirect with the same method, path and query.
type redirect308 struct {
	hosts    api.Hosts
	external *url.URL // of the setting, if it is https; else nil
	port     uint16   // of TLS
}

func (to redirect308) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	origin := to.origin(r.Host)
	path := r.URL.RequestURI()
	switch {
	case !strings.HasPrefix(path, "/"): // mailto:x
		http.Error(w, "400 Bad Request: call this server with https://", http.StatusBadRequest)
	case origin == "":
		http.Error(w, "421 Misdirected Request: this server does not know the name that you called it by; "+
			"the settings external-url and trusted-hosts tell it", http.StatusMisdirectedRequest)
	default:
		w.Header().Set("Location", origin+path)
		w.WriteHeader(http.StatusPermanentRedirect)
	}
}

// origin is what the address of a host over TLS begins with; "" for no host of this
// server.
func (to redirect308) origin(host string) string {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
		if strings.Contains(h, ":") {
			name = "[" + h + "]"
		}
	}
	switch {
	case to.external != nil && strings.EqualFold(name, strings.TrimSuffix(to.external.Host, ":"+to.external.Port())):
		return "https://" + to.external.Host
	case to.hosts.Known(host):
		return "https://" + withPort(name, to.port)
	}
	return ""
}

// withPort is a host for an https address, which needs no port if it is 443.
func withPort(name string, port uint16) string {
	if port == 443 {
		return name
	}
	return name + ":" + strconv.Itoa(int(port))
}
