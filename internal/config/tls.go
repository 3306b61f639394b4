package config

import (
	"errors"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// tlsTogether checks the settings of TLS that meet.
func tlsTogether(c Config) (faults []Fault) {
	fault := func(name, value, want string) {
		faults = append(faults, Fault{name, strconv.Quote(value), c.from[name], want})
	}
	switch {
	case c.TLSCert != "" && c.TLSKey == "":
		fault("tls-cert", c.TLSCert, "want tls-key, too: the file of the certificate's key")
	case c.TLSCert == "" && c.TLSKey != "":
		fault("tls-key", c.TLSKey, "want tls-cert, too: the file of the key's certificate")
	case c.TLSCert != "" && len(c.ACME) > 0:
		fault("acme", strings.Join(c.ACME, ","), "want it or tls-cert, not both")
	}
	if c.TLS() && strings.HasPrefix(c.ExternalURL, "http://") {
		fault("external-url", c.ExternalURL, "want https://..., since this server speaks TLS")
	}
	if c.HTTPRedirectListen == "" {
		return faults
	}
	_, port, _ := net.SplitHostPort(c.HTTPRedirectListen)
	switch {
	case !c.TLS():
		fault("http-redirect-listen", c.HTTPRedirectListen, "want it only with tls-cert or acme: without TLS there is no https to send clients to")
	case port != "0" && slices.Contains([]string{c.Listen, c.MetricsListen, c.PprofListen}, c.HTTPRedirectListen):
		fault("http-redirect-listen", c.HTTPRedirectListen, "want another address than those of listen, metrics-listen and pprof-listen")
	}
	return faults
}

func parsePEMFile(to *string, v string) error {
	if strings.ContainsAny(v, "\x00\n") {
		return errors.New("want the path of a file")
	}
	*to = v
	return nil
}

// parseDomains reads names between commas that an ACME authority can reach.
func parseDomains(to *[]string, v string) error {
	if strings.TrimSpace(v) == "" {
		*to = nil
		return nil
	}
	const most = 100 // of one certificate each
	var all []string
	for word := range strings.SplitSeq(v, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		switch _, err := netip.ParseAddr(word); {
		case strings.HasPrefix(word, "*."):
			return errors.New("want names without *: no certificate for all names below one is given to a web server that asks for it; tls-cert takes one from elsewhere")
		case err == nil, !isDomain(word):
			return errors.New("want domain names separated by commas, such as packages.example.com, with letters other than a to z written as xn-- names")
		case slices.Contains(all, word):
			return errors.New("want each name once")
		}
		all = append(all, word)
	}
	if len(all) > most {
		return errors.New("want at most " + strconv.Itoa(most) + " names")
	}
	*to = all
	return nil
}

// isDomain reports two or more labels of a domain name, in lower case.
func isDomain(name string) bool {
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(labels) > 1 && len(name) <= 253 && strings.Trim(last, "0123456789") != "" // else an address
}

func parseDirectory(to *string, v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return errors.New("want an https URL without user, such as https://acme-v02.api.letsencrypt.org/directory")
	}
	*to = v
	return nil
}

func parseEmail(to *string, v string) error {
	if v != "" {
		if a, err := mail.ParseAddress(v); err != nil || a.Address != v {
			return errors.New("want an address of mail alone, such as admin@example.com")
		}
	}
	*to = v
	return nil
}
