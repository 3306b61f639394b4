package cli

import (
	"strings"
	"testing"

	"granary/internal/client"
)

// What of SERVER/PROJECT is the server.
func TestSplitPlace(t *testing.T) {
	o := connection{context: t.Context, env: Env{Environ: []string{"GRANARY_SERVER=http://plain.example:8080", "CI_PROJECT_ID=7"}}}
	l := &stored{kept: &logins{Servers: map[string]string{"https://below.example/a/api/v4": "t", "https://below.example/a/b/api/v4": "t"}}}
	for arg, want := range map[string]string{
		"acme/tools":                      " acme/tools",
		"7":                               " 7",
		".":                               " 7",
		"packages.example.com/acme/tools": "packages.example.com acme/tools",
		"packages.example.com/42/":        "packages.example.com 42",
		"https://packages.example.com/acme/tools": "https://packages.example.com acme/tools",
		"http://host/acme/tools":                  "http://host acme/tools",
		"host:8080/acme/tools":                    "host:8080 acme/tools",
		"[::1]:8080/acme/tools":                   "[::1]:8080 acme/tools",
		"localhost/acme/tools":                    "localhost acme/tools",
		"example.com/gitlab/api/v4/acme/tools":    "example.com/gitlab acme/tools",
		"below.example/a/acme/tools":              "https://below.example/a acme/tools",
		"below.example/a/b/acme/tools":            "https://below.example/a/b acme/tools",
		"below.example/acme/tools":                "below.example acme/tools",
		"plain.example:8080/acme/tools":           "http://plain.example:8080 acme/tools", // as it is known, not https
		"packages.example.com":                    "",
		"packages.example.com/":                   "",
		"https://packages.example.com":            "",
		"packages.example.com/.":                  "",
		"":                                        "",
		"/":                                       "",
	} {
		server, project, err := o.splitPlace(arg, l)
		if got := server + " " + project; err == nil && got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q %v, want %q", arg, got, err, want)
		}
	}
}

// Of two servers each is shown its own token, and none that may be the other's.
func TestTwoPlaces(t *testing.T) {
	environ := []string{"XDG_CONFIG_HOME=" + t.TempDir()}
	if _, err := (logins{Servers: map[string]string{"https://a.example/api/v4": "gnpat-a"}}).write(Env{Environ: environ}); err != nil {
		t.Fatal(err)
	}
	none, a, tok := client.Credential{}, client.PrivateToken("gnpat-a"), client.PrivateToken("t")
	for _, tt := range []struct {
		environ            string
		token, toToken, to string
		from, target       client.Credential
		fails              string
	}{
		{"", "", "", "b.example/p", a, none, ""},
		{"", "t", "", "b.example/p", tok, none, ""},
		{"", "", "t", "b.example/p", a, tok, ""},
		{"", "t", "", "a.example/q", tok, tok, ""},
		{"GRANARY_SERVER=b.example GRANARY_TOKEN=t", "", "", "b.example/p", a, tok, ""},
		{"GRANARY_TOKEN=t", "", "", "a.example/q", none, none, "GRANARY_TOKEN"}, // a dot makes no server its own
		{"GRANARY_TOKEN=t", "", "x", "a.example/q", none, none, "GRANARY_TOKEN"},
		{"GRANARY_TOKEN=t CI_API_V4_URL=https://b.example/api/v4", "", "", "a.example/q", none, none, "GRANARY_TOKEN"},
		{"GRANARY_TOKEN=t CI_API_V4_URL=https://a.example/api/v4", "", "", "a.example/q", tok, tok, ""},
		{"GRANARY_TOKEN=t GRANARY_SERVER=b.example", "", "", "a.example/q", a, a, ""},
		{"GRANARY_TOKEN=x", "t", "", "a.example/q", tok, tok, ""},
		{"GRANARY_TOKEN=t", "", "", "b.example/p", none, none, "GRANARY_TOKEN"},
		{"GRANARY_TOKEN=t", "t", "", "b.example/p", none, none, "GRANARY_TOKEN"},
		{"GRANARY_TOKEN=x", "gnpat-a", "t", "b.example/p", a, tok, ""},
	} {
		o := connection{context: t.Context, env: Env{Environ: append(strings.Fields(tt.environ), environ...)}, token: tt.token}
		source, target, err := o.twoPlaces("a.example/p", tt.to, tt.toToken)
		if tt.fails != "" {
			if err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if err != nil || source.client.Credential() != tt.from || target.client.Credential() != tt.target {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
