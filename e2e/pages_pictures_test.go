package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestPagesPictures fills a project as a team would, for the pictures in docs/pages, and
// looks at its pages with many rows.
func TestPagesPictures(t *testing.T) {
	if !allPages() {
		t.Skip("only for the pictures")
	}
	api, p := newJourney(t)
	acme := made(api.do("POST", "/groups", url.Values{"name": {"acme"}, "path": {"acme"}}, 201))
	api.do("POST", "/projects", url.Values{"name": {"tools"}, "namespace_id": {acme}, "description": {"Command-line tools of the platform team."}}, 201)
	put := func(path string, kib int) {
		t.Helper()
		content := strings.Repeat(fmt.Sprintf("%-1024s", path), kib)
		if strings.HasSuffix(path, "README.md") {
			content = "sonde asks services how they are, over HTTP, gRPC and plain TCP, and says it in one line or as JSON.\n\n### What is new in 2.4\n\n- Probes run side by side; `--parallel` says how many.\n- Certificates that end within 14 days are a warning.\n- Exit code 3 if a probe timed out, so that scripts can try again.\n"
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.origin+"/api/v4/projects/acme%2Ftools/packages/generic/"+path, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("PRIVATE-TOKEN", ciToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %v, %v", path, resp, err)
		}
	}
	for i, name := range []string{"weir-cli", "chaff", "silo-ctl", "mill", "threshd", "winnow", "quern", "lathe-sdk", "gatehouse", "ferry", "rootfs-arm64"} {
		for minor := range i%4 + 1 {
			put(fmt.Sprintf("%s/%d.%d.%d/%s_linux_amd64.tar.gz", name, i%3, minor, i*7%10, name), 300*(i+1)+minor)
		}
	}
	for _, version := range []string{"2.2.1", "2.3.0", "2.3.7", "2.4.0", "2.4.1", "2.5.0"} {
		for i, platform := range []string{"linux_amd64.tar.gz", "linux_arm64.tar.gz", "darwin_arm64.tar.gz", "windows_amd64.zip", "sbom.spdx.json"} {
			put("sonde/"+version+"/sonde_"+version+"_"+platform, 4200-i*i*230)
		}
		put("sonde/"+version+"/README.md", 0)
	}
	api.do("POST", "/projects/acme%2Ftools/releases", url.Values{
		"tag_name": {"v2.4.1"}, "name": {"sonde 2.4.1"}, "assets[links][][name]": {"linux"},
		"assets[links][][url]": {p.origin + "/api/v4/projects/acme%2Ftools/packages/generic/sonde/2.4.1/sonde_2.4.1_linux_amd64.tar.gz"},
	}, 201)
	for name, path := range map[string]string{
		"picture-home": "/", "picture-packages": "/acme/tools", "picture-package": "/acme/tools/-/packages/generic/sonde", "picture-version": "/acme/tools/-/packages/generic/sonde/2.4.1",
	} {
		p.isPage(t, name, path, http.StatusOK)
	}
}
