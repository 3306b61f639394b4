package e2e_test

import (
	"net/url"
	"os"
	"strings"
	"testing"
)

// TestDraftsExample: the three jobs of examples/drafts put files into one draft, and the
// fourth publishes all of them, with curl and with granary's client.
func TestDraftsExample(t *testing.T) {
	t.Parallel()
	p := &ciProject{t: t, url: startServer(t) + "/api/v4"}
	p.id = made(p.do("POST", "/projects", url.Values{"name": {"tool"}}, 201))
	const version = "/packages/generic/tool/"
	for name, tag := range map[string]string{".gitlab-ci.yml": "v1.4.0", "with-granary.gitlab-ci.yml": "v1.5.0"} {
		at := "/projects/" + p.id + version + strings.TrimPrefix(tag, "v")
		run := p.runner("../examples/drafts", name, "CI_COMMIT_TAG="+tag).withGranary()
		if failed := run.stage("build"); len(failed) > 0 {
			t.Fatalf("%s: %v", name, failed)
		}
		p.do("GET", at, nil, 404)
		p.do("GET", at+"/tool-linux", nil, 404)
		run.job("darwin") // once more
		draft := p.do("GET", at+"?status=draft", nil, 200)
		if draft["status"] != "draft" || len(draft["files"].([]any)) != 3 || draft["expires_at"] == nil {
			t.Errorf("%s: the draft is %v", name, draft)
		}

		// What was not built is refused, and named.
		put(t, p.url+at+"/strange?status=draft", []byte("x"))
		out, err := run.execute(t, "release")
		if err == nil || !strings.Contains(out, "strange") || !strings.Contains(out, "1 extra") {
			t.Errorf("%s: with a file of another: %v\n%s", name, err, out)
		}
		p.do("DELETE", at+"?status=draft", nil, 204)
		run.passes()
		if final := p.do("GET", at, nil, 200); final["final_at"] == nil || final["files_count"] != 3.0 {
			t.Errorf("%s: the version is %v", name, final)
		}
		run.job("release") // the answer may have been lost
	}
	// Without a tag there is no version.
	run := p.runner("../examples/drafts", ".gitlab-ci.yml")
	if out, err := run.execute(t, "linux"); err == nil || !strings.Contains(out, "no tag") {
		t.Errorf("without a tag: %v %s", err, out)
	}
	if _, err := os.Stat(run.artifacts + "/linux.sum"); err == nil {
		t.Error("it was built all the same")
	}
}
