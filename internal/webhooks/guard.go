package webhooks

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"granary/internal/fault"
)

// Guard decides to which addresses deliveries may go. The address of a receiver's
// name can change at any time, so the decisive check is of the address at connect
// time; the check of a URL only saves the owner a hook that could never work.
type Guard struct {
	Allow []netip.Prefix // networks that are reached although they are not public
}

// Permits reports whether a delivery may be sent to the address: one of the
// public internet, or one that the administrator allows.
func (g Guard) Permits(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if slices.ContainsFunc(g.Allow, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return true
	}
	return a.IsValid() && a.IsGlobalUnicast() && !a.IsPrivate() && !special(a)
}

// special reports addresses that are no public host's, though they look like
// one (IANA's registries of special-purpose addresses, RFC 6890), and those
// that carry an IPv4 address inside, whichever it is.
func special(a netip.Addr) bool {
	networks := []string{
		"0.0.0.0/8",       // this network
		"100.64.0.0/10",   // behind a carrier's NAT; also the metadata of some clouds
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // relays of 6to4
		"198.18.0.0/15",   // benchmarks
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"240.0.0.0/4",     // reserved, broadcast
		"::/96",           // IPv4-compatible
		"::ffff:0:0:0/96", // IPv4-translated
		"64:ff9b::/96",    // NAT64
		"64:ff9b:1::/48",  // NAT64 of a site's own
		"100::/64",        // discard
		"2001::/23",       // protocol assignments, Teredo among them
		"2001:db8::/32",   // documentation
		"2002::/16",       // 6to4
		"3fff::/20",       // documentation
		"5f00::/16",       // segment routing
		"fec0::/10",       // site-local of old
	}
	return slices.ContainsFunc(networks, func(n string) bool { return netip.MustParsePrefix(n).Contains(a) })
}

// checkURL refuses texts that are no URL for deliveries, and names and addresses that
// are clearly not public. GitLab's words come first.
func (g Guard) checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURL:
		return urlFault("Url is too long (maximum is 2048 bytes)")
	case err != nil || strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || r <= ' ' || r == '\\' || r == 0x7f }):
		return urlFault("Url is blocked: URI is invalid")
	case u.Scheme != "http" && u.Scheme != "https":
		return urlFault("Url is blocked: Only allowed schemes are http, https")
	case u.Hostname() == "":
		return urlFault("Url is blocked: Hostname or IP address invalid")
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	a, err := netip.ParseAddr(host)
	switch {
	case err == nil && g.Permits(a):
		return nil
	case err == nil && a.Unmap().IsLoopback():
		return urlFault("Url is blocked: Requests to localhost are not allowed")
	case err == nil:
		return urlFault("Url is blocked: Requests to the local network are not allowed")
	case len(g.Allow) == 0 && (host == "localhost" || strings.HasSuffix(host, ".localhost")):
		return urlFault("Url is blocked: Requests to localhost are not allowed")
	case isNumber(host[strings.LastIndex(host, ".")+1:]):
		return urlFault("Url is blocked: Hostname or IP address invalid") // 127.1, 2130706433, 0x7f.1
	}
	return nil
}

// isNumber reports what some resolvers take for a part of an IPv4 address (WHATWG
// URL, "ends in a number").
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

func urlFault(detail string) error { return fault.New(fault.Unfit, "Invalid url given: "+detail) }
