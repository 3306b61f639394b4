package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// setting is one row of the table that everything else is made from.
type setting struct {
	name   string // the flag: "data-dir"
	def    string // the default as text; "<data-dir>" in it stands for that setting
	onS3   string // the default if the blobs are in S3; "" for def
	help   string // for flags; the word in backquotes names the value
	isBool bool   // the flag alone means true
	secret bool   // never a flag (anyone may read a command line), never shown

	set func(c *Config, value string) error // parse and check; the error says what would be right
	get func(c *Config) string              // the inverse of set
}

// key is the setting's name in the file: "data_dir".
func (s setting) key() string { return strings.ReplaceAll(s.name, "-", "_") }

// env is the setting's variable: "GRANARY_DATA_DIR".
func (s setting) env() string { return envPrefix + strings.ToUpper(s.key()) }

// section is the settings of one purpose, which help shows together.
type section struct {
	title    string
	settings []setting
}

// sections is the table. data-dir and blobs come before those whose defaults depend on them.
func sections() []section {
	return []section{
		{"Addresses", addressSettings()},
		{"TLS", tlsSettings()},
		{"Storage", placeSettings()},
		{"Packages and permission", packageSettings()},
		{"Limits of requests", rateLimits()},
		{"The running process", runningSettings()},
	}
}

// settings is the table without its sections.
func settings() (all []setting) {
	for _, s := range sections() {
		all = append(all, s.settings...)
	}
	return all
}

// addressSettings are the server's addresses: for listening, and for links.
func addressSettings() []setting {
	return []setting{
		{name: "listen", def: "127.0.0.1:8080",
			help: "serve HTTP, or HTTPS with --tls-cert or --acme, on this `address`, HOST:PORT; port 0 picks a free one",
			set:  func(c *Config, v string) error { return parseListen(&c.Listen, v) },
			get:  func(c *Config) string { return c.Listen }},
		{name: "external-url",
			help: "the `url` of this server for clients, used in every absolute link; with a path, everything is served below it (default: the host that a client called, if --trusted-hosts allows it)",
			set:  func(c *Config, v string) error { return parseExternalURL(&c.ExternalURL, v) },
			get:  func(c *Config) string { return c.ExternalURL }},
		{name: "trusted-hosts",
			help: "`names` of this server, besides localhost and IP addresses, such as packages.example.com,*.example.org; without --external-url, links use the name that a client called if it is one of these, else the address of --listen",
			set:  func(c *Config, v string) error { return parseHosts(&c.TrustedHosts, v) },
			get:  func(c *Config) string { return strings.Join(c.TrustedHosts, ",") }},
		boolean("pages", "true", "serve pages for people, too; off leaves the API alone",
			func(c *Config) *bool { return &c.Pages }),
		networks("trusted-proxies", "trust X-Forwarded-For from these `networks`, such as 10.0.0.0/8,::1 (default: none)",
			func(c *Config) *[]netip.Prefix { return &c.TrustedProxies }),
	}
}

// tlsSettings make the server speak TLS itself.
func tlsSettings() []setting {
	return []setting{
		{name: "tls-cert",
			help: "speak TLS with the certificate in this PEM `file`, and those between it and its authority; it is read again when it changes (default: plain HTTP)",
			set:  func(c *Config, v string) error { return parsePEMFile(&c.TLSCert, v) },
			get:  func(c *Config) string { return c.TLSCert }},
		{name: "tls-key",
			help: "the PEM `file` of the certificate's key",
			set:  func(c *Config, v string) error { return parsePEMFile(&c.TLSKey, v) },
			get:  func(c *Config) string { return c.TLSKey }},
		{name: "acme",
			help: "speak TLS with certificates from an ACME authority for these `domains`, such as packages.example.com; who sets it accepts the authority's terms of service",
			set:  func(c *Config, v string) error { return parseDomains(&c.ACME, v) },
			get:  func(c *Config) string { return strings.Join(c.ACME, ",") }},
		{name: "acme-directory", def: "https://acme-v02.api.letsencrypt.org/directory",
			help: "the `url` of the ACME authority's directory",
			set:  func(c *Config, v string) error { return parseDirectory(&c.ACMEDirectory, v) },
			get:  func(c *Config) string { return c.ACMEDirectory }},
		{name: "acme-email",
			help: "the `address` that the ACME authority may write to (default: none)",
			set:  func(c *Config, v string) error { return parseEmail(&c.ACMEEmail, v) },
			get:  func(c *Config) string { return c.ACMEEmail }},
		{name: "http-redirect-listen",
			help: "send plain HTTP on this `address`, HOST:PORT, to https, and answer ACME's HTTP challenge there (default: off)",
			set:  func(c *Config, v string) error { return parseOptionalListen(&c.HTTPRedirectListen, v) },
			get:  func(c *Config) string { return c.HTTPRedirectListen }},
	}
}

// placeSettings say where the server keeps its data, with which key and for how
// long.
func placeSettings() []setting {
	return []setting{
		{name: "data-dir", def: "./granary-data",
			help: "keep database, blobs, temporary files and first-start secrets in this `directory`",
			set:  setDataDir,
			get:  func(c *Config) string { return c.DataDir }},
		{name: "database", def: "sqlite:<data-dir>/granary.db",
			help: "keep records in this `database`, sqlite:PATH or postgres://USER@HOST/DATABASE, over TLS unless its sslmode turns it off",
			set:  func(c *Config, v string) error { return parseDatabase(&c.Database, v) },
			get:  func(c *Config) string { return c.Database.String() }},
		maxConnections(),
		{name: "blobs", def: "file:<data-dir>/blobs",
			help: "keep the bytes of packages in this `store`, file:DIRECTORY or s3://BUCKET/PREFIX?endpoint=URL&region=NAME...",
			set:  func(c *Config, v string) error { return parseBlobs(c, v) },
			get:  func(c *Config) string { return c.Blobs.String() }},
		{name: "blobs-redirect", def: "off",
			help: "redirect downloads to the S3 store for these `requests`: off, safe (no credential in a header) or all",
			set:  func(c *Config, v string) error { return oneOf(&c.BlobsRedirect, v, "off", "safe", "all") },
			get:  func(c *Config) string { return c.BlobsRedirect }},
		{name: "blobs-redirect-lifetime", def: "1h",
			help: "let a link of blobs-redirect expire after this `duration`, 1m to 168h; some clients retry the link, not the server",
			set: func(c *Config, v string) error {
				return parseDurationWithin(&c.BlobsRedirectLifetime, v, time.Minute, 7*24*time.Hour) // S3 signs for no longer
			},
			get: func(c *Config) string { return c.BlobsRedirectLifetime.String() }},
		{name: "s3-access-key-id", secret: true,
			help: "the access key of the S3 store, with its secret (default: AWS_* variables, the shared credentials file, or a role)",
			set:  func(c *Config, v string) error { return parseS3Key(&c.S3AccessKeyID, v) },
			get:  func(c *Config) string { return c.S3AccessKeyID.Reveal() }},
		{name: "s3-secret-access-key", secret: true,
			help: "the secret of the access key",
			set:  func(c *Config, v string) error { return parseS3Key(&c.S3SecretAccessKey, v) },
			get:  func(c *Config) string { return c.S3SecretAccessKey.Reveal() }},
		size("inline-max", "64KiB", mebibyte, "keep blobs up to this `size` in the database, 0 to 1MiB; 0 for none",
			func(c *Config) *int64 { return &c.InlineMax }),
		size("disk-reserve", "256MiB", 1<<40, "hold back this `size` on the SQLite database's disk, so that packages can be deleted when the disk is full, 0 to 1TiB; 0 for none",
			func(c *Config) *int64 { return &c.DiskReserve }),
		{name: "encryption-key", secret: true,
			help: "32 bytes as 64 hex digits, the key that encrypts CI/CD variables and webhooks (default: in <data-dir>/encryption_key, made at the first start)",
			set:  func(c *Config, v string) error { return parseKey(&c.EncryptionKey, v) },
			get:  func(c *Config) string { return c.EncryptionKey.Reveal() }},
		{name: "scrub-period", def: "720h", onS3: "0s",
			help: "read all stored bytes once in this `duration`, to find damaged ones, 1h to 876000h; 0 reads none (with blobs in S3 the default is 0: it costs requests and transfer)",
			set:  func(c *Config, v string) error { return parseRetention(&c.ScrubPeriod, v) },
			get:  func(c *Config) string { return c.ScrubPeriod.String() }},
		{name: "scrub-rate", def: "32MiB",
			help: "read stored bytes for scrub-period no faster than this `size` a second, 64KiB to 1TiB",
			set:  func(c *Config, v string) error { return parseRate(&c.ScrubRate, v) },
			get:  func(c *Config) string { return formatSize(c.ScrubRate) }},
		{name: "repair-from",
			help: "repair lost and damaged bytes from this `place`, a copy of the store or a place of backups: file:DIRECTORY or s3://BUCKET/PREFIX?..., with the keys of blobs (default: none)",
			set:  func(c *Config, v string) error { return parseRepairFrom(c, v) },
			get:  func(c *Config) string { return c.RepairFrom }},
		retention("audit-retention", "remove audit events older than this `duration`, such as 8760h for a year; 0 keeps all",
			func(c *Config) *time.Duration { return &c.AuditRetention }),
		{name: "records-every", def: "10s",
			help: "write what has changed in the database into the store of blobs at this `interval`, 1s to 1h, so that granary rebuild can make it again; 0 for never",
			set:  func(c *Config, v string) error { return parseInterval(&c.RecordsEvery, v) },
			get:  func(c *Config) string { return c.RecordsEvery.String() }},
		{name: "backup-warn-after", def: "48h",
			help: "log a warning when the newest backup by granary backup is older than this `duration`, 1h to 876000h; 0 for never",
			set:  func(c *Config, v string) error { return parseRetention(&c.BackupWarnAfter, v) },
			get:  func(c *Config) string { return c.BackupWarnAfter.String() }},
	}
}

// packageSettings say what may be published and read, and set the first token.
func packageSettings() []setting {
	return []setting{
		{name: "root-token", secret: true,
			help: "the access token of the first administrator, used only at the first start (default: a random one)",
			set:  func(c *Config, v string) error { return parseToken(&c.RootToken, v) },
			get:  func(c *Config) string { return c.RootToken.Reveal() }},
		{name: "naming", def: "strict",
			help: "the `rule` for names and versions: strict, or relaxed as in today's GitLab",
			set:  func(c *Config, v string) error { return oneOf(&c.Naming, v, "strict", "relaxed") },
			get:  func(c *Config) string { return c.Naming }},
		boolean("guests-may-read-packages", "true", "let guests of a private project download its packages",
			func(c *Config) *bool { return &c.GuestsMayReadPackages }),
		boolean("allow-anyone-to-pull", "true", "let a project open its packages to everyone, whatever its visibility",
			func(c *Config) *bool { return &c.AllowAnyoneToPull }),
		{name: "drafts", def: "on_request",
			help: "when publishing into a new version makes a draft of it: `on_request`, always, release (until its release exists) or job (with a job token)",
			set:  func(c *Config, v string) error { return oneOf(&c.Drafts, v, "on_request", "always", "release", "job") },
			get:  func(c *Config) string { return c.Drafts }},
		{name: "draft-ttl", def: "168h",
			help: "discard drafts that nobody has published into for this `duration`, 1h to 2160h",
			set: func(c *Config, v string) error {
				return parseDurationWithin(&c.DraftTTL, v, time.Hour, 90*24*time.Hour)
			},
			get: func(c *Config) string { return c.DraftTTL.String() }},
		size("max-file-size", "5GiB", maxSize, "refuse package files above this `size`, in bytes or with KiB, MiB, GiB, TiB; 0 for no limit",
			func(c *Config) *int64 { return &c.MaxFileSize }),
	}
}

// runningSettings say how the process behaves.
func runningSettings() []setting {
	return []setting{
		{name: "log-format", def: "text",
			help: "the `format` of the log: text or json",
			set:  func(c *Config, v string) error { return oneOf(&c.LogFormat, v, "text", "json") },
			get:  func(c *Config) string { return c.LogFormat }},
		{name: "log-level", def: "info",
			help: "the lowest `level` that is logged: debug, info, warn or error",
			set:  func(c *Config, v string) error { return parseLevel(&c.LogLevel, v) },
			get:  func(c *Config) string { return strings.ToLower(c.LogLevel.String()) }},
		{name: "metrics", def: "loopback",
			help: "serve Prometheus metrics at /-/metrics to these `clients`: loopback (this machine, through no proxy), on (all) or off",
			set:  func(c *Config, v string) error { return parseMetrics(&c.Metrics, v) },
			get:  func(c *Config) string { return c.Metrics }},
		{name: "metrics-listen",
			help: "serve only /-/metrics, to all clients, on this `address`, HOST:PORT, independent of --metrics (default: off)",
			set:  func(c *Config, v string) error { return parseOptionalListen(&c.MetricsListen, v) },
			get:  func(c *Config) string { return c.MetricsListen }},
		{name: "pprof-listen",
			help: "serve Go profiles on this loopback `address` (default: off)",
			set:  func(c *Config, v string) error { return parseLoopback(&c.PprofListen, v) },
			get:  func(c *Config) string { return c.PprofListen }},
		size("cache-memory", "8MiB", 16*gibibyte, "cache tokens, permission, files and pages of lists in this `size` of memory, 0 to 16GiB; 0 caches nothing",
			func(c *Config) *int64 { return &c.CacheMemory }),
		duration("shutdown-timeout", "30s", 0, "at shutdown, give running requests this `duration` to finish",
			func(c *Config) *time.Duration { return &c.ShutdownTimeout }),
		duration("stall-timeout", "60s", time.Second, "end an upload that makes no progress for this `duration`",
			func(c *Config) *time.Duration { return &c.StallTimeout }),
		duration("idle-timeout", "120s", time.Second, "close a connection that carries no request for this `duration`",
			func(c *Config) *time.Duration { return &c.IdleTimeout }),
		networks("webhook-allow-networks", "allow webhooks to these `networks` that are not public, such as 10.1.2.0/24,127.0.0.1 (default: none)",
			func(c *Config) *[]netip.Prefix { return &c.WebhookAllowNetworks }),
	}
}

func rateLimits() []setting {
	return []setting{
		rateLimit("rate-limit-anonymous", "0", "answer 429 to an address without valid credentials after `requests/seconds`, such as 800/15; 0 for no limit",
			func(c *Config) *RateLimit { return &c.RateLimitAnonymous }),
		rateLimit("rate-limit-authenticated", "0", "answer 429 to a user or deploy token after `requests/seconds`, such as 1000/15; 0 for no limit",
			func(c *Config) *RateLimit { return &c.RateLimitAuthenticated }),
		rateLimit("rate-limit-writes", "600/60", "answer 429 to a user who is no administrator after `requests/seconds` that change tokens, members, jobs, webhooks and other settings; 0 for no limit",
			func(c *Config) *RateLimit { return &c.RateLimitWrites }),
	}
}

func maxConnections() setting {
	return setting{name: "database-max-connections", def: "0",
		help: "hold at most this `number` of connections to PostgreSQL, 4 to 1000; 0 for four a core, at least 16",
		set:  func(c *Config, v string) error { return parseConnections(&c.DatabaseMaxConnections, v) },
		get:  func(c *Config) string { return strconv.Itoa(c.DatabaseMaxConnections) }}
}

func boolean(name, def, help string, field func(*Config) *bool) setting {
	return setting{name: name, def: def, help: help, isBool: true,
		set: func(c *Config, v string) error { return parseBool(field(c), v) },
		get: func(c *Config) string { return fmt.Sprint(*field(c)) }}
}

func size(name, def string, most int64, help string, field func(*Config) *int64) setting {
	return setting{name: name, def: def, help: help,
		set: func(c *Config, v string) error { return parseSizeWithin(field(c), v, most) },
		get: func(c *Config) string { return formatSize(*field(c)) }}
}

func duration(name, def string, least time.Duration, help string, field func(*Config) *time.Duration) setting {
	return setting{name: name, def: def, help: help,
		set: func(c *Config, v string) error { return parseDurationWithin(field(c), v, least, time.Hour) },
		get: func(c *Config) string { return field(c).String() }}
}

func retention(name, help string, field func(*Config) *time.Duration) setting {
	return setting{name: name, def: "0s", help: help,
		set: func(c *Config, v string) error { return parseRetention(field(c), v) },
		get: func(c *Config) string { return field(c).String() }}
}

func rateLimit(name, def, help string, field func(*Config) *RateLimit) setting {
	return setting{name: name, def: def, help: help,
		set: func(c *Config, v string) error { return parseRateLimit(field(c), v) },
		get: func(c *Config) string { return formatRateLimit(*field(c)) }}
}

func networks(name, help string, field func(*Config) *[]netip.Prefix) setting {
	return setting{name: name, help: help,
		set: func(c *Config, v string) error { return parsePrefixes(field(c), v) },
		get: func(c *Config) string { return formatPrefixes(*field(c)) }}
}

// setDataDir settles the directory that later defaults are resolved against,
// which is why its row comes first.
func setDataDir(c *Config, v string) error {
	if v == "" || strings.ContainsAny(v, "\x00\n") {
		return fmt.Errorf("want a directory")
	}
	c.DataDir = v
	return nil
}

// defaultValue is the default of s. It may depend on data-dir and on blobs: those settings
// stand before s in the table, so that c has their values already.
func (s setting) defaultValue(c *Config) string {
	if s.onS3 != "" && c.Blobs.Scheme == "s3" {
		return s.onS3
	}
	scheme, path, ok := strings.Cut(s.def, "<data-dir>/")
	if !ok {
		return s.def
	}
	return scheme + filepath.Join(c.DataDir, path)
}
