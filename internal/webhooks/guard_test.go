package webhooks

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"granary/internal/fault"
)

func TestGuardPermits(t *testing.T) {
	for network, want := range map[bool]string{
		true: "1.1.1.1 93.184.216.34 172.15.0.1 172.32.0.1 100.63.255.255 100.128.0.1 2606:4700::1111 2a00::1 ::ffff:1.1.1.1",
		false: `127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 169.254.1.1
			100.64.0.1 100.100.100.200 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255
			:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:7f00:1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1
			2002:7f00:1:: 2002:a00:1:: 2001::1 2001:db8::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 100::1 5f00::1 3fff::1`,
	} {
		for _, text := range strings.Fields(want) {
			if got := (Guard{}).Permits(netip.MustParseAddr(text)); got != network {
				t.Errorf("%s: %v", text, got)
			}
		}
	}
	if (Guard{}).Permits(netip.Addr{}) {
		t.Error("no address at all is permitted")
	}
	g := Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128")}}
	for text, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "::1": true, "127.0.0.1": false} {
		if got := g.Permits(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s with networks allowed: %v", text, got)
		}
	}
}

func TestCheckURL(t *testing.T) {
	const (
		localhost = "Invalid url given: Url is blocked: Requests to localhost are not allowed"
		local     = "Invalid url given: Url is blocked: Requests to the local network are not allowed"
		scheme    = "Invalid url given: Url is blocked: Only allowed schemes are http, https"
		host      = "Invalid url given: Url is blocked: Hostname or IP address invalid"
		invalid   = "Invalid url given: Url is blocked: URI is invalid"
	)
	for text, want := range map[string]string{
		"https://example.com/hook?a=b": "", "http://user:pw@example.com:8443/": "", "https://1.1.1.1": "", "https://[2606:4700::1111]/": "",
		"https://intranet/": "", "https://xn--bcher-kva.example": "", "https://1a.example": "",
		"http://127.0.0.1/": localhost, "http://localhost:80/": localhost, "http://LOCALHOST.": localhost, "http://a.localhost": localhost,
		"http://[::1]/": localhost, "http://[::ffff:127.0.0.1]/": localhost,
		"http://10.0.0.1": local, "http://169.254.169.254/latest/meta-data": local, "http://[fe80::1%25eth0]/": local, "http://0.0.0.0": local,
		"http://[64:ff9b::7f00:1]/": local, "http://192.168.1.1.": local,
		"http://2130706433/": host, "http://127.1/": host, "http://0x7f.1/": host, "http://0177.0.0.01": host, "http://0x7f000001": host, "http:///x": host,
		"ftp://example.com": scheme, "file:///etc/passwd": scheme, "gopher://example.com": scheme, "example.com": scheme, "": scheme, "javascript:alert(1)": scheme,
		"http://exa mple.com": invalid, "http://example.com/\r\nHost: x": invalid, "http://example.com\\@127.0.0.1": invalid, "http://ex\u00e4mple.com": invalid,
		"http://%zz": invalid, "http://[::1": invalid, "http://" + strings.Repeat("a", maxURL): "Invalid url given: Url is too long (maximum is 2048 bytes)",
	} {
		err := (Guard{}).checkURL(text)
		if got := message(err); got != want || err != nil && !fault.Is(err, fault.Unfit) {
			t.Errorf("%.60q: %q, want %q", text, got, want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// FuzzCheckURL: whatever URL is taken, if its host is an address then the
// guard permits it, and it can be requested.
func FuzzCheckURL(f *testing.F) {
	for _, text := range []string{"http://1.1.1.1", "http://[::ffff:7f00:1]", "https://u:p@h:1/p?q#f", "http://0x7f.1", "http://127.0.0.1.", "http://１.1.1.1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if (Guard{}).checkURL(text) != nil {
			return
		}
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q is taken: %v", text, err)
		}
		if a, err := netip.ParseAddr(strings.TrimSuffix(u.Hostname(), ".")); err == nil && !(Guard{}).Permits(a) {
			t.Errorf("%q is taken, and leads to %s", text, a)
		}
	})
}
