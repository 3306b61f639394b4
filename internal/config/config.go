// Package config turns flags, environment and a YAML file into one checked
// Config.
//
// One table (settings.go) holds every setting: its name, default, help, parser
// and printer. The flag is the name, the variable is GRANARY_ and the name in
// capitals, the key in the file is the name with underscores; so the words are
// the same everywhere. The package reads what it is given and creates nothing.
package config

import (
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// Config is what the server runs with. Load makes it; every field has been
// checked, and the zero Config is not valid.
type Config struct {
	Listen      string   // HOST:PORT; the host may be empty (all addresses), port 0 picks one
	DataDir     string   // a directory, not necessarily there yet
	Database    Location // scheme "sqlite" or "postgres"
	Blobs       Location // scheme "file" or "s3"
	S3          S3       // where Blobs is "s3"; else the zero value
	ExternalURL string   // http or https, without query or trailing slash; "" to take the names of TrustedHosts
	RootToken   Secret   // 20 or more of A-Z a-z 0-9 - _; "" for a random one
	Naming      string   // "strict" or "relaxed"

	TLSCert, TLSKey string // PEM files of Listen's certificate and key; both or neither

	ACME          []string // lower case: domains that Listen gets certificates for; none with TLSCert
	ACMEDirectory string   // https URL
	ACMEEmail     string   // "" for none

	HTTPRedirectListen string // HOST:PORT that sends plain HTTP to https; "" for none, and without TLS

	Pages bool // serve pages for people, too

	GuestsMayReadPackages bool
	AllowAnyoneToPull     bool // GitLab's package_registry_allow_anyone_to_pull_option

	Drafts   string        // when publishing makes a draft: "on_request", "always", "release" or "job"
	DraftTTL time.Duration // after which an untouched draft is discarded, 1 h to 90 days

	MaxFileSize int64 // bytes; 0 for no limit
	InlineMax   int64 // bytes, 0 to 1 MiB

	DiskReserve int64 // bytes held back on the disk of a SQLite database, 0 to 1 TiB; 0 for none
	CacheMemory int64 // bytes for what is remembered of the database, 0 to 16 GiB; 0 for nothing

	DatabaseMaxConnections int // to PostgreSQL, 4 to 1000; 0 for four a core, at least 16

	BlobsRedirect         string        // "off", "safe" or "all"; "off" where Blobs is "file"
	BlobsRedirectLifetime time.Duration // of a link, 1 min to 7 days
	S3AccessKeyID         Secret        // with S3SecretAccessKey; "" for the usual chain
	S3SecretAccessKey     Secret

	EncryptionKey Secret // 32 bytes as 64 hex digits; "" for the one in the data directory

	ScrubPeriod time.Duration // in which all stored bytes are read once, 0 or 1 h to 100 years; 0 for never
	ScrubRate   int64         // bytes a second that this reads at most, 64 KiB to 1 TiB

	RepairFrom string // where right bytes of damaged blobs come from, as Blobs is written; "" for nowhere

	AuditRetention time.Duration // how long audit events are kept, 0 or 1 h to 100 years; 0 for ever

	RecordsEvery time.Duration // how often records are written into the store, 0 or 1 s to 1 h; 0 for never

	BackupWarnAfter time.Duration // how old the newest backup may be, 0 or 1 h to 100 years; 0 for any age

	LogFormat string // "text" or "json"
	LogLevel  slog.Level

	Metrics       string // who is served /-/metrics on Listen: "loopback", "on" or "off"
	MetricsListen string // address that serves it to everyone; "" for none
	PprofListen   string // loopback HOST:PORT; "" for no profiling

	ShutdownTimeout time.Duration // 0 to 1 h
	StallTimeout    time.Duration // 1 s to 1 h
	IdleTimeout     time.Duration // 1 s to 1 h

	TrustedHosts   []string       // lower case, "packages.example.com" or "*.example.org"; names that links may repeat
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed; none by default

	WebhookAllowNetworks []netip.Prefix // reached by webhooks although they are not public

	RateLimitAnonymous     RateLimit // by address
	RateLimitAuthenticated RateLimit // by user or deploy token
	RateLimitWrites        RateLimit // by user, of changes that are no publications

	from map[string]string // setting name to the source of its value
}

// TLS reports whether Listen speaks TLS.
func (c Config) TLS() bool { return c.TLSCert != "" || len(c.ACME) > 0 }

// Scheme is that of URLs of Listen: "http" or "https".
func (c Config) Scheme() string {
	if c.TLS() {
		return "https"
	}
	return "http"
}

// Location is the address of a database or a store of blobs: a scheme and its parts.
type Location struct {
	Scheme string // "sqlite", "postgres", "file" or "s3"
	Path   string // a path on the local file system; for "s3" all after the colon, as it was given
	URL    Secret // of the scheme "postgres": libpq's URL, which may hold a password
}

// String is the location as it is written in a setting, "sqlite:PATH", without
// what is secret in it.
func (p Location) String() string {
	if p.URL != "" {
		shown, _ := withoutSecrets(p.URL.Reveal())
		return shown
	}
	return p.Scheme + ":" + p.Path
}

// RateLimit is a number of requests in a window of seconds; zero is no limit.
type RateLimit struct {
	Requests int64 // up to 1,000,000,000
	Seconds  int64 // up to 86,400
}

// Secret is text that must not be shown. Printing or logging it in any of the
// usual ways yields "(hidden)".
type Secret string

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret; the empty one is "".
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(hidden)"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from encoders such as encoding/json.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Setting is a setting in effect.
type Setting struct {
	Name   string // as the flag: "data-dir"
	Value  string // "" for a secret
	From   string // see Source
	Secret bool   // it has a value, which is not shown
}

// Source is where the value of a setting is from: "default", a variable, a flag, or the
// settings file and a line of it. For a variable that names a file it is both,
// "GRANARY_ENCRYPTION_KEY_FILE=/run/key". It is "" if Load did not make c.
func (c Config) Source(name string) string { return c.from[name] }

// Settings are all settings in effect, without the values of secrets.
func (c Config) Settings() (all []Setting) {
	for _, s := range settings() {
		row := Setting{Name: s.name, Value: s.get(&c), From: c.from[s.name]}
		if s.secret {
			row.Secret, row.Value = row.Value != "", ""
		}
		all = append(all, row)
	}
	return all
}

// Print writes the settings in effect, one a line, with the source of each. The text
// is itself a settings file, so that it can be kept and used again; a secret appears
// only as a comment.
func (c Config) Print(w io.Writer) error {
	var b strings.Builder
	for _, s := range settings() {
		value := s.get(&c)
		switch {
		case s.secret && value == "":
			b.WriteString("# " + s.key() + " is not set")
		case s.secret:
			b.WriteString("# " + s.key() + " is set and hidden")
		case value != "" && s.name == "database" && c.Database.hidden():
			b.WriteString("# " + s.key() + " is set: " + value)
		default:
			b.WriteString(s.key() + ": " + yamlScalar(value))
		}
		b.WriteString("  # " + c.from[s.name] + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
