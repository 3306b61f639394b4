package config

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	right := map[string]int64{"0": 0, "1": 1, "007": 7, "64KiB": 65536, "64 KiB": 65536, "5GiB": 5368709120, "3B": 3, "2TiB": 2 << 40,
		"9223372036854775807": math.MaxInt64}
	for text, want := range right {
		var got int64
		if err := parseSizeWithin(&got, text, maxSize); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "KiB", "-1", "+1", "1.5GiB", "5GB", "5gib", "1_000", "0x10", "9223372036854775808", "9007199254740992KiB", "1KiBKiB", "1 2", " 1"} {
		if got := int64(-7); parseSizeWithin(&got, text, maxSize) == nil || got != -7 {
			t.Errorf("%q is taken as %d", text, got)
		}
	}
}

func FuzzSize(f *testing.F) {
	f.Add("64KiB")
	f.Add("1 TiB")
	f.Fuzz(func(t *testing.T, text string) {
		var n, again int64
		if parseSizeWithin(&n, text, maxSize) != nil {
			return
		}
		if err := parseSizeWithin(&again, formatSize(n), maxSize); err != nil || again != n || n < 0 {
			t.Errorf("%q is %d, printed %q, read back %d, %v", text, n, formatSize(n), again, err)
		}
	})
}

func FuzzDuration(f *testing.F) {
	f.Add("30s")
	f.Add("1h0m0.5s")
	f.Fuzz(func(t *testing.T, text string) {
		var d, again time.Duration
		if parseDurationWithin(&d, text, 0, time.Hour) != nil {
			return
		}
		if err := parseDurationWithin(&again, d.String(), 0, time.Hour); err != nil || again != d {
			t.Errorf("%q is %v, read back %v, %v", text, d, again, err)
		}
	})
}

// Each setting's own grammar: what it takes and what it refuses.
func TestValues(t *testing.T) {
	tests := []struct {
		setting      string
		right, wrong []string
	}{
		{"listen", []string{":0", "localhost:80", "[::]:443"}, []string{"", "8080", "h:99999", "h:http", "h:-1", "h:08", "http://h:1", "::1:80"}},
		{"pprof-listen", []string{"", "127.0.0.1:6060", "[::1]:0", "localhost:1"}, []string{":6060", "0.0.0.0:1", "10.0.0.1:1", "example.com:1"}},
		{"data-dir", []string{".", "/var/lib/granary"}, []string{"", "a\nb"}},
		{"database", []string{"sqlite:x.db", "sqlite:/a/b"}, []string{"", "x.db", "sqlite:", "sqlite://x", "sqlite::memory:", "sqlite:a?b=c"}},
		{"blobs", []string{"file:x", "s3://bucket", "s3://my.bucket/a/b/", "s3://bucket?endpoint=http://127.0.0.1:9000&region=eu-1&path_style=true",
			"s3://bucket/p?sse=aws:kms&sse_kms_key_id=arn:aws:kms:x&storage_class=STANDARD_IA&upload_memory=10MiB", "s3://bucket?endpoint=minio:9000"},
			[]string{"", "file:", "/x", "s3:", "s3://", "s3:bucket", "s3://b", "s3://Bucket", "s3://bucket:80", "s3://u:p@bucket", "s3://bucket#x",
				"s3://bucket/a/../b", "s3://bucket/a//b", "s3://bucket?regio=x", "s3://bucket?region=x&region=y", "s3://bucket?region=", "s3://bucket?region=a%0Ab",
				"s3://bucket?path_style=yes", "s3://bucket?sse=none", "s3://bucket?sse_kms_key_id=x", "s3://bucket?storage_class=GLACIER",
				"s3://bucket?upload_memory=1MiB", "s3://bucket?endpoint=ftp://x", "s3://bucket?endpoint=http://x/path", "s3://bucket?endpoint=http://u:p@x", "s3://bucket?a;b"}},
		{"drafts", []string{"on_request", "always", "release", "job"}, []string{"", "never", "Always", "on-request"}},
		{"draft-ttl", []string{"1h", "168h", "2160h"}, []string{"", "0", "59m", "2161h", "7d", "-1h"}},
		{"blobs-redirect", []string{"off", "safe", "all"}, []string{"", "on", "true"}},
		{"blobs-redirect-lifetime", []string{"1m", "1h", "168h"}, []string{"", "0", "59s", "168h1s", "7d"}},
		{"s3-secret-access-key", []string{"a/b+c=="}, []string{"", "a b", "a\nb"}},
		{"external-url", []string{"", "http://h", "https://h:8443/sub/"}, []string{"h", "ftp://h", "http://", "http://h?a=b", "http://h#", "http://u:p@h", "http://h?", "http://h//a", "http://h/a//b/", "http://h/../a", "http://h/a/."}},
		{"trusted-hosts", []string{"", "granary", "Packages.example.com, *.example.org", "10.0.0.1"},
			[]string{",", "*", "*.", "a..b", "h:80", "http://h", "a b", "*.*.org", "a.*", "é.example", "[::1]"}},
		{"encryption-key", []string{strings.Repeat("0aF9", 16)}, []string{"", strings.Repeat("a", 63), strings.Repeat("a", 66), strings.Repeat("g", 64)}},
		{"root-token", []string{"aaaaaaaaaaaaaaaaaaaa"}, []string{"", "short", "aaaaaaaaaaaaaaaaaaa ", "ääääääääääääääääääää"}},
		{"inline-max", []string{"0", "1MiB"}, []string{"1048577", "2MiB"}},
		{"cache-memory", []string{"0", "8MiB", "16GiB"}, []string{"17GiB", "17179869185", "-1", "8M"}},
		{"stall-timeout", []string{"1s", "1h"}, []string{"0s", "999ms", "61m", "-5s"}},
		{"scrub-period", []string{"0", "1h", "876000h"}, []string{"", "59m", "-1h", "876001h", "a month"}},
		{"scrub-rate", []string{"64KiB", "1TiB"}, []string{"", "0", "63KiB", "2TiB", "fast"}},
		{"repair-from", []string{"", "file:mirror", "s3://bucket/p?endpoint=http://127.0.0.1:9000"}, []string{"mirror", "file:", "https://packages.example.com", "s3://u:p@bucket"}},
		{"backup-warn-after", []string{"0", "1h", "876000h"}, []string{"", "59m", "-1h", "876001h", "two days"}},
		{"audit-retention", []string{"0", "1h", "876000h"}, []string{"", "59m", "-1h", "876001h", "a year"}},
		{"rate-limit-anonymous", []string{"0", "800/15", "1000000000/86400"}, []string{"", "800", "0/15", "800/0", "-1/15", "800/86401", "1000000001/1", "800/15s", "800/15/1"}},
		{"rate-limit-writes", []string{"0", "600/60"}, []string{"", "600", "0/60"}},
		{"trusted-proxies", []string{"", "10.0.0.0/8 , ::1"}, []string{",", "10.0.0.0/33", "example.com", "fe80::1%eth0", "::ffff:10.0.0.0/104"}},
		{"metrics", []string{"loopback", "on", "off", "true", "false"}, []string{"", "yes", "1"}},
		{"tls-cert", []string{"", "/etc/granary/cert.pem", "a b.pem"}, []string{"a\nb"}},
		{"acme", []string{"", "packages.example.com", "A.example , xn--bcher-kva.example"},
			[]string{",", "localhost", "*.example.com", "10.0.0.1", "1.2.3", "::1", "a.example:443", "https://a.example", "bücher.example", "a_b.example", "-a.example", "a..example", "a.example.", "a.example,A.example"}},
		{"acme-directory", []string{"https://127.0.0.1:14000/dir"}, []string{"", "http://ca.example/dir", "ca.example", "https://u:p@ca.example/dir"}},
		{"acme-email", []string{"", "admin@example.com"}, []string{"admin", "Admin <admin@example.com>", "a@b, c@d"}},
		{"http-redirect-listen", []string{"", ":80"}, []string{"80", "http://a.example"}},
		{"metrics-listen", []string{"", ":9101", "10.0.0.1:9101"}, []string{"9101", "10.0.0.1"}},
	}
	rows := map[string]setting{}
	for _, s := range settings() {
		rows[s.name] = s
	}
	for _, tt := range tests {
		for _, v := range tt.right {
			if err := rows[tt.setting].set(&Config{}, v); err != nil {
				t.Errorf("%s %q: %v", tt.setting, v, err)
			}
		}
		for _, v := range tt.wrong {
			if rows[tt.setting].set(&Config{}, v) == nil {
				t.Errorf("%s takes %q", tt.setting, v)
			}
		}
	}
}

// A database on the command line is one of both kinds, without a password.
func TestParseDatabase(t *testing.T) {
	for v, want := range map[string]string{
		"sqlite:a/b.db": "sqlite", "postgres://u@h/d?sslmode=verify-full": "postgres", "postgresql://h": "postgres",
		"": "", "b.db": "", "postgres://u:hunter2@h/d": "", "postgres://u@h/d?password=hunter2": "",
	} {
		p, err := ParseDatabase(v)
		if err != nil != (want == "") || err == nil && p.Scheme != want || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %q, %v, want %q", v, p.Scheme, err, want)
		}
	}
}
