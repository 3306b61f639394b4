package e2e_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/dev/servers"
	"granary/internal/cli"
	"granary/internal/eventually"
)

// TestAlerts: promtool takes the rules, and each fires as its test says. Each has a paragraph in
// operations.md, and each paragraph a rule.
func TestAlerts(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), "promtool", args...)
		cmd.Dir = "../deploy"
		if said, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(said), "SUCCESS") {
			t.Errorf("promtool %q: %v\n%s", args, err, said)
		}
	}
	alerts := all(t, "../deploy/alerts.yaml", `- alert: (\w+)`)
	if len(alerts) < 10 {
		t.Fatalf("the alerts are %q", alerts)
	}
	if fire := all(t, "../deploy/alerts_test.yaml", `alertname: (\w+)\n\s+exp_alerts:\n\s+- exp_labels:`); !slices.Equal(fire, alerts) {
		t.Errorf("the alerts are %q, and those that fire in tests %q", alerts, fire)
	}
	if told := all(t, "../docs/operations.md", `(?m)^### (Granary\w+)$`); !slices.Equal(told, alerts) {
		t.Errorf("the alerts are %q, and operations.md has %q", alerts, told)
	}
	for i, to := range all(t, "../deploy/alerts.yaml", `runbook: (\S+)`) {
		if want := "docs/operations.md#" + strings.ToLower(alerts[i]); to != want {
			t.Errorf("%s leads to %s, want %s", alerts[i], to, want)
		}
	}
}

// all are the first groups of all matches in a file.
func all(t *testing.T, file, expression string) (found []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(string(text), -1) {
		found = append(found, m[1])
	}
	return found
}

// TestWatchedMetrics: a server that has published, backed up and told a webhook, and one with TLS, have
// every metric that the alerts and the dashboard ask for, with the labels by which they choose.
func TestWatchedMetrics(t *testing.T) {
	told := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer told.Close()
	data := t.TempDir()
	server := startServer(t, "--data-dir="+data, "--webhook-allow-networks=127.0.0.0/8")
	p := &ciProject{t: t, url: server + "/api/v4"}
	p.do("POST", "/projects", url.Values{"name": {"tool"}}, 201)
	p.do("POST", "/projects/root%2Ftool/hooks", url.Values{"url": {told.URL}, "package_events": {"true"}, "push_events": {"false"}}, 201)
	put(t, server+"/api/v4/projects/root%2Ftool/packages/generic/app/1.0.0/app", []byte("app"))
	environ := []string{"GRANARY_DATA_DIR=" + data, "GRANARY_DISK_RESERVE=0"}
	if code := cli.Main(t.Context(), cli.Env{Args: []string{"backup", "--to=file:" + t.TempDir(), "--key-saved"}, Environ: environ, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: os.Stderr}); code != 0 {
		t.Fatalf("the backup ended with exit code %d", code)
	}

	cert, key, err := servers.SelfSigned(t.TempDir(), time.Now().AddDate(0, 1, 0), "packages.example.com")
	if err != nil {
		t.Fatal(err)
	}
	overTLS := startServer(t, "--tls-cert="+cert, "--tls-key="+key)

	asked := watched(t)
	if len(asked) < 20 {
		t.Fatalf("only %d metrics are asked for: %v", len(asked), asked)
	}
	eventually.HoldsWithin(t, time.Minute, "the server has every metric", func() bool {
		there := metricsOf(t, server) + metricsOf(t, overTLS)
		asked = slices.DeleteFunc(asked, func(wanted *regexp.Regexp) bool { return wanted.MatchString(there) })
		if len(asked) > 0 {
			t.Logf("not yet there: %v", asked)
		}
		return len(asked) == 0
	})
}

func metricsOf(t *testing.T, server string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // it was started here
	}}
	resp, err := client.Get(server + "/-/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the metrics of %s answer %s, %v", server, resp.Status, err)
	}
	return string(text)
}

// watched are the metrics in expressions, each as what a line of /-/metrics has to match.
func watched(t *testing.T) (asked []*regexp.Regexp) {
	t.Helper()
	var texts []string
	for _, file := range []string{"../deploy/alerts.yaml", "../deploy/grafana.json"} {
		texts = append(texts, all(t, file, `((?:granary|process)_\w+(?:\{[^}]*\})?)`)...)
	}
	slices.Sort(texts)
	for _, text := range slices.Compact(texts) {
		name, labels, _ := strings.Cut(text, "{")
		for _, m := range regexp.MustCompile(`(\w+)=~?\\?"`).FindAllStringSubmatch(labels, -1) {
			if label := m[1]; label != "instance" && label != "job" { // which the scrape adds
				asked = append(asked, regexp.MustCompile(`(?m)^`+name+`\{.*\b`+label+`="`))
			}
		}
		asked = append(asked, regexp.MustCompile(`(?m)^`+name+`(\{| )`))
	}
	return asked
}
