package cli

import (
	"slices"
	"testing"
)

// Only a page of the server that was asked is handed to the desktop.
func TestSameSite(t *testing.T) {
	const server = "https://packages.example.com/gitlab"
	for page, want := range map[string]bool{
		"https://packages.example.com/acme/tools":     true,
		"https://PACKAGES.example.com:443/acme":       true,
		"http://packages.example.com/acme":            false,
		"https://packages.example.com:8443/acme":      false,
		"https://packages.example.com.evil.example/":  false,
		"https://packages.example.com@evil.example/":  false,
		"https://x:y@packages.example.com/":           false,
		"//packages.example.com/acme":                 false,
		"/acme/tools":                                 false,
		"file:///etc/passwd":                          false,
		"javascript:alert(1)":                         false,
		"--version":                                   false,
		"https://packages.example.com/\x1b":           false,
		"vscode://packages.example.com/acme":          false,
		"https:packages.example.com/acme":             false,
		"https://packages.example.com/ -o/etc/passwd": true,
	} {
		if got := sameSite(page, server); got != want {
			t.Errorf("%q: %t", page, got)
		}
	}
	if !sameSite("http://localhost/x", "http://localhost:80") || sameSite("file://h/x", "file://h") {
		t.Error("ports, and schemes that are not of the web")
	}
}

// Programs that are started get nothing of granary's but the file with the
// authorities: not the token, nor a server's secrets.
func TestWithoutSecrets(t *testing.T) {
	got := withoutSecrets([]string{"PATH=/bin", "GRANARY_TOKEN=t", "GRANARY_SERVER=s", "GRANARY_DATABASE=postgres://u:p@h/d", "GRANARY_S3_SECRET_ACCESS_KEY=k",
		"GRANARY_WHATEVER_COMES=x", "GRANARY_CA_CERT=ca.pem", "CI_JOB_TOKEN=j", "CI=true", "GRANARY_ROOT_TOKEN=r", "MY_GRANARY_X=y"})
	if want := []string{"PATH=/bin", "GRANARY_CA_CERT=ca.pem", "CI=true", "MY_GRANARY_X=y"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
