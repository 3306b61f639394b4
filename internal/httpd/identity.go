package httpd

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"strings"
)

const idHeader = "X-Request-Id"

// requestID is the client's own id if it can be logged and sent back, otherwise 128
// random bits.
func requestID(h http.Header) string {
	if ids := h[idHeader]; len(ids) == 1 && validID(ids[0]) {
		return ids[0]
	}
	return rand.Text()
}

// validID says whether id has 1 to 128 of A-Z a-z 0-9 . _ -
func validID(id string) bool {
	if len(id) < 1 || len(id) > 128 {
		return false
	}
	for _, b := range []byte(id) {
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '.' || b == '_' || b == '-') {
			return false
		}
	}
	return true
}

// clientIP walks X-Forwarded-For from its end, to which each proxy adds its peer's
// address, as long as the peer is a trusted proxy. The client may have invented
// the words further left. A word that is not an address ends the walk.
func clientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := peer.Addr().Unmap().WithZone("")
	if len(trusted) == 0 || !contains(trusted, ip) {
		return ip
	}
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		rest := lines[i]
		for rest != "" {
			cut := strings.LastIndexByte(rest, ',')
			next, ok := forwardedAddr(rest[cut+1:])
			if !ok {
				return ip
			}
			if ip = next; !contains(trusted, ip) {
				return ip
			}
			rest = rest[:max(cut, 0)]
		}
	}
	return ip
}

// forwardedAddr reads an address, with or without a port.
func forwardedAddr(word string) (netip.Addr, bool) {
	word = strings.TrimSpace(word)
	if a, err := netip.ParseAddr(word); err == nil {
		return a.Unmap().WithZone(""), true
	}
	ap, err := netip.ParseAddrPort(word)
	return ap.Addr().Unmap().WithZone(""), err == nil
}

func contains(prefixes []netip.Prefix, ip netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
