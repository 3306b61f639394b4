package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Every parser here either sets *to to a value that is right, or returns an
// error that says what would be and leaves *to alone. None repeats the value:
// the fault does, unless it must stay hidden.

const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
	gibibyte = 1 << 30
	tebibyte = 1 << 40

	maxSize = math.MaxInt64
)

func parseListen(to *string, v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil || strings.ContainsAny(v, " \t\n\x00/") {
		return errors.New("want HOST:PORT, such as 127.0.0.1:8080, or :8080 for all addresses")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return errors.New("want a port number from 0 to 65535 after the colon")
	}
	*to = v
	return nil
}

// parseOptionalListen is parseListen that also accepts no address.
func parseOptionalListen(to *string, v string) error {
	if v == "" {
		*to = ""
		return nil
	}
	return parseListen(to, v)
}

// parseMetrics takes the words of a build before there were three, too.
func parseMetrics(to *string, v string) error {
	switch v {
	case "true":
		v = "on"
	case "false":
		v = "off"
	}
	return oneOf(to, v, "loopback", "on", "off")
}

// parseLoopback accepts only addresses that other machines cannot reach.
func parseLoopback(to *string, v string) error {
	if v == "" {
		*to = ""
		return nil
	}
	var address string
	if err := parseListen(&address, v); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(v)
	ip, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return errors.New("want a loopback address, such as 127.0.0.1:6060: profiles show the server's memory")
	}
	*to = address
	return nil
}

func parsePlace(to *Location, scheme, v string) error {
	got, path, _ := strings.Cut(v, ":")
	want := fmt.Sprintf("want %s:PATH", scheme)
	switch {
	case got != scheme || path == "":
		return errors.New(want)
	case strings.HasPrefix(path, "//"):
		return fmt.Errorf("%s without slashes before the path", want)
	case strings.HasPrefix(path, ":"):
		return fmt.Errorf("%s: a file on disk", want)
	case strings.ContainsAny(path, "?\x00\n"):
		return fmt.Errorf("%s, and no question mark or line break in the path", want)
	}
	*to = Location{Scheme: scheme, Path: filepath.Clean(path)}
	return nil
}

func parseExternalURL(to *string, v string) error {
	if v == "" {
		*to = ""
		return nil
	}
	u, err := url.Parse(v)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return errors.New("want an absolute URL, such as https://packages.example.com")
	case u.User != nil, u.RawQuery != "", u.ForceQuery, strings.Contains(v, "#"):
		return errors.New("want a URL without user, query and fragment, such as https://packages.example.com")
	}
	if path := strings.TrimRight(u.Path, "/") + "/"; strings.Contains(path, "//") || strings.Contains(path, "/./") || strings.Contains(path, "/../") {
		return errors.New("want a path without empty, . and .. parts, such as https://example.com/granary")
	}
	*to = strings.TrimRight(u.String(), "/")
	return nil
}

// parseHosts reads names of hosts between commas.
func parseHosts(to *[]string, v string) error {
	if strings.TrimSpace(v) == "" {
		*to = nil
		return nil
	}
	var all []string
	for word := range strings.SplitSeq(v, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		if name := strings.TrimPrefix(word, "*."); len(word) > 253 || !isHostName(name) {
			return errors.New("want names of hosts separated by commas, without ports, such as packages.example.com,*.example.org")
		}
		all = append(all, word)
	}
	*to = all
	return nil
}

// isHostName reports labels between dots, in lower case.
func isHostName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || label == "" {
			return false
		}
	}
	return true
}

func parseToken(to *Secret, v string) error {
	const least = 20
	isToken := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
	}
	if len(v) < least || strings.ContainsFunc(v, func(r rune) bool { return !isToken(r) }) {
		return fmt.Errorf("want %d or more of A-Z, a-z, 0-9, - and _", least)
	}
	*to = Secret(v)
	return nil
}

// parseKey takes a key for AES-256.
func parseKey(to *Secret, v string) error {
	if key, err := hex.DecodeString(v); err != nil || len(key) != 32 {
		return errors.New("want 64 hex digits, such as `openssl rand -hex 32` prints")
	}
	*to = Secret(v)
	return nil
}

func oneOf(to *string, v string, words ...string) error {
	if !slices.Contains(words, v) {
		return fmt.Errorf("want %s", strings.Join(words, " or "))
	}
	*to = v
	return nil
}

func parseBool(to *bool, v string) error {
	if v != "true" && v != "false" {
		return errors.New("want true or false")
	}
	*to = v == "true"
	return nil
}

func parseLevel(to *slog.Level, v string) error {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	level, ok := levels[v]
	if !ok {
		return errors.New("want debug, info, warn or error")
	}
	*to = level
	return nil
}

// parseSizeWithin reads decimal digits and an optional unit, "512" or "64KiB".
func parseSizeWithin(to *int64, v string, most int64) error {
	wrong := errors.New("want bytes as a whole number, or one with KiB, MiB, GiB or TiB, such as 64KiB")
	digits := strings.TrimRight(v, "KMGTiB ")
	factors := map[string]int64{"": 1, "B": 1, "KiB": kibibyte, "MiB": mebibyte, "GiB": gibibyte, "TiB": tebibyte}
	factor, ok := factors[strings.TrimPrefix(v[len(digits):], " ")]
	if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return wrong
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > most/factor {
		return fmt.Errorf("want at most %s", formatSize(most))
	}
	*to = n * factor
	return nil
}

// formatSize is the shortest exact form that parseSizeWithin reads back.
func formatSize(n int64) string {
	units := []struct {
		factor int64
		name   string
	}{{tebibyte, "TiB"}, {gibibyte, "GiB"}, {mebibyte, "MiB"}, {kibibyte, "KiB"}}
	for _, u := range units {
		if n != 0 && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func parseDurationWithin(to *time.Duration, v string, least, most time.Duration) error {
	d, err := time.ParseDuration(v)
	if err != nil {
		return errors.New("want a number with a unit, such as 30s, 2m or 500ms")
	}
	if d < least || d > most {
		return fmt.Errorf("want %v to %v", least, most)
	}
	*to = d
	return nil
}

// parseRetention reads how long something is kept: 0, or an hour and more.
func parseRetention(to *time.Duration, v string) error {
	const most = 100 * 365 * 24 * time.Hour
	if err := parseDurationWithin(to, v, 0, most); err != nil {
		return err
	}
	if *to != 0 && *to < time.Hour {
		return fmt.Errorf("want 0, or %v to %v", time.Hour, most)
	}
	return nil
}

// parseInterval reads how often something is done: 0, or a second to an hour.
func parseInterval(to *time.Duration, v string) error {
	if err := parseDurationWithin(to, v, 0, time.Hour); err != nil {
		return err
	}
	if *to != 0 && *to < time.Second {
		return fmt.Errorf("want 0, or %v to %v", time.Second, time.Hour)
	}
	return nil
}

func parseRate(to *int64, v string) error {
	if err := parseSizeWithin(to, v, tebibyte); err != nil {
		return err
	}
	if *to < 64*kibibyte {
		return fmt.Errorf("want at least %s", formatSize(64*kibibyte))
	}
	return nil
}

// parsePrefixes reads networks and single addresses between commas.
func parsePrefixes(to *[]netip.Prefix, v string) error {
	if strings.TrimSpace(v) == "" {
		*to = nil
		return nil
	}
	var all []netip.Prefix
	for word := range strings.SplitSeq(v, ",") {
		word = strings.TrimSpace(word)
		p, err := netip.ParsePrefix(word)
		if a, aerr := netip.ParseAddr(word); aerr == nil && a.Zone() == "" {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return errors.New("want networks or addresses separated by commas, such as 10.0.0.0/8,192.168.1.7")
		}
		if p.Addr().Is4In6() {
			return errors.New("want an IPv4 network as IPv4, such as 10.0.0.0/8")
		}
		all = append(all, p.Masked())
	}
	*to = all
	return nil
}

func formatPrefixes(prefixes []netip.Prefix) string {
	words := make([]string, len(prefixes))
	for i, p := range prefixes {
		words[i] = p.String()
	}
	return strings.Join(words, ",")
}

// parseRateLimit reads REQUESTS/SECONDS, or 0.
func parseRateLimit(to *RateLimit, v string) error {
	if v == "0" {
		*to = RateLimit{}
		return nil
	}
	requests, seconds, _ := strings.Cut(v, "/")
	n, errN := strconv.ParseUint(requests, 10, 63)
	s, errS := strconv.ParseUint(seconds, 10, 63)
	if errN != nil || errS != nil || n < 1 || n > 1e9 || s < 1 || s > 86400 {
		return errors.New("want REQUESTS/SECONDS, such as 800/15, with 1 to 1000000000 requests in 1 to 86400 seconds, or 0 for no limit")
	}
	*to = RateLimit{Requests: int64(n), Seconds: int64(s)}
	return nil
}

func formatRateLimit(r RateLimit) string {
	if r == (RateLimit{}) {
		return "0"
	}
	return fmt.Sprintf("%d/%d", r.Requests, r.Seconds)
}
