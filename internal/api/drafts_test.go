package api_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const drafted = "?status=draft"

// TestDraftStates is the table of docs/design/021 and design-trust 1.1: what each request
// does in each state of a version, with small bodies and with those that go to the store.
func TestDraftStates(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	for kind, body := range map[string]string{"small": "one", "large": strings.Repeat("large", 100_000)} {
		other := strings.Repeat("x", len(body))
		states := map[string]func(at string){
			"nothing": func(string) {},
			"open":    func(at string) { s.root("PUT", at+"/f", body).is(t, 201, created) },
			"draft":   func(at string) { s.root("PUT", at+"/f"+drafted, body).is(t, 201, created) },
			"final": func(at string) {
				s.root("PUT", at+"/f"+drafted, body).is(t, 201, created)
				s.root("POST", at, nil).must(t, 201)
			},
			"deleted": func(at string) {
				s.root("PUT", at+"/f", body).is(t, 201, created)
				s.root("POST", at, nil).must(t, 201)
				s.root("DELETE", at, nil).status(t, 204)
			},
		}
		for i, c := range []struct {
			state, request, body string
			status               int
			words                string
		}{
			{"nothing", "PUT /f", body, 201, "201 Created"},
			{"nothing", "PUT /f" + drafted, body, 201, "201 Created"},
			{"nothing", "POST ", "", 404, "404 Not Found - there is no app VERSION"},
			{"nothing", "DELETE " + drafted, "", 404, "404 Not Found - there is no draft app VERSION"},
			{"nothing", "GET /f" + drafted, "", 404, "404 Not Found - there is no draft app VERSION"},
			{"nothing", "GET " + drafted, "", 404, "404 Not Found - there is no draft app VERSION"},
			{"open", "PUT /f", other, 201, "201 Created"},
			{"open", "PUT /g", other, 201, "201 Created"},
			{"open", "PUT /f" + drafted, body, 409, "409 Conflict - app VERSION is published; a draft needs a new version"},
			{"open", "POST ", "", 201, `"status":"default"`},
			{"open", "DELETE " + drafted, "", 404, "404 Not Found - there is no draft app VERSION"},
			{"open", "GET /f" + drafted, "", 404, "404 Not Found - there is no draft app VERSION"},
			{"open", "GET " + drafted, "", 404, "404 Not Found - there is no draft app VERSION"},
			{"draft", "PUT /g", body, 409, "409 Conflict - app VERSION is a draft; add ?status=draft, or finalise it first"},
			{"draft", "PUT /f?status=hidden", body, 409, "is a draft"},
			{"draft", "PUT /f" + drafted, other, 201, "201 Created"},
			{"draft", "PUT /f" + drafted, body, 201, "201 Created"},
			{"draft", "POST ", "", 201, `"status":"default"`},
			{"draft", "DELETE " + drafted, "", 204, ""},
			{"draft", "DELETE ", "", 404, "404 Not Found - there is no app VERSION"},
			{"draft", "PATCH ", `{"yanked":true}`, 404, "404 Not Found - there is no app VERSION"},
			{"draft", "GET /f" + drafted, "", 200, body},
			{"draft", "GET /g" + drafted, "", 404, "404 Not Found - the draft app VERSION has no file g"},
			{"draft", "GET " + drafted, "", 200, `"status":"draft"`},
			{"draft", "GET /f", "", 404, "404 Not found"},
			{"draft", "GET ", "", 404, "404 Not Found - there is no app VERSION"},
			{"final", "PUT /f", body, 201, "201 Created"},
			{"final", "PUT /f" + drafted, body, 201, "201 Created"},
			{"final", "PUT /f?status=hidden", body, 201, "201 Created"},
			{"final", "PUT /f", other, 409, "409 Conflict - app VERSION is final; publish a new version"},
			{"final", "PUT /f" + drafted, other, 409, "409 Conflict - app VERSION is final; publish a new version"},
			{"final", "PUT /g", body, 409, "409 Conflict - app VERSION is final; publish a new version"},
			{"final", "PUT /g" + drafted, body, 409, "409 Conflict - app VERSION is final; publish a new version"},
			{"final", "POST ", "", 200, `"status":"default"`},
			{"final", "DELETE " + drafted, "", 404, "404 Not Found - there is no draft app VERSION"},
			{"final", "DELETE ", "", 204, ""},
			{"final", "PATCH ", `{"status":"hidden"}`, 200, `"status":"hidden"`},
			{"final", "GET /f", "", 200, body},
			{"final", "GET /f" + drafted, "", 404, "404 Not Found - there is no draft app VERSION"},
			{"deleted", "PUT /f", body, 409, "409 Conflict - app VERSION was final and is deleted; its number stays reserved"},
			{"deleted", "PUT /f" + drafted, other, 201, "201 Created"},
			{"deleted", "POST ", "", 404, "404 Not Found - there is no app VERSION"},
		} {
			version := fmt.Sprintf("%d.%d.0", len(body), i)
			at := generic(p, "app/"+version)
			states[c.state](at)
			method, rest, _ := strings.Cut(c.request, " ")
			got := s.do(method, at+rest, strings.NewReader(c.body), "PRIVATE-TOKEN: "+rootToken, "Content-Type: application/json")
			if got.StatusCode != c.status || !strings.Contains(got.body, strings.ReplaceAll(c.words, "VERSION", version)) {
				t.Errorf("%s, %s: %s: %d %.200s, want %d %.100s", kind, c.state, c.request, got.StatusCode, got.body, c.status, c.words)
			}
			if c.state == "final" && c.status == 201 && got.Header.Get("X-Package-Status") != "" {
				t.Errorf("%s: %s says %s", c.state, c.request, got.Header.Get("X-Package-Status"))
			}
		}
	}
}

// TestReservedNumber: a number that was final means one content for ever.
func TestReservedNumber(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	at := generic(p, "app/1.0.0")
	for range 2 {
		s.root("PUT", at+"/f"+drafted, "one").is(t, 201, created)
		s.root("POST", at, nil).must(t, 201)
		s.root("DELETE", at, nil).status(t, 204)
	}
	s.root("PUT", at+"/f"+drafted, "two").is(t, 201, created)
	s.root("POST", at, nil).is(t, 409, `{"message":"409 Conflict - app 1.0.0 was final with another content; a version number is never used twice"}`)
	s.root("PUT", at+"/f"+drafted, "one").is(t, 201, created) // the newest counts
	s.root("POST", at, nil).must(t, 201)
	s.root("GET", at+"/f", nil).is(t, 200, "one")
}

// TestDraftIsReplaced: the newest file of each path becomes final, also of an open
// version, and conditions are judged against it.
func TestDraftIsReplaced(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	for version, query := range map[string]string{"1.0.0": drafted, "2.0.0": ""} {
		at := generic(p, "app/"+version)
		put := func(file, body string, header ...string) answer {
			return s.do("PUT", at+"/"+file+query, strings.NewReader(body), append(header, "PRIVATE-TOKEN: "+rootToken)...)
		}
		put("f", "one").is(t, 201, created)
		put("f", "two", "If-None-Match: *").status(t, 412)
		put("f", "two", `If-Match: "`+strings.Repeat("0", 64)+`"`).status(t, 412)
		put("f", "two", fmt.Sprintf(`If-Match: "%x"`, sha256.Sum256([]byte("one")))).is(t, 201, created)
		put("g", strings.Repeat("large", 100_000), "If-None-Match: *").is(t, 201, created)
		put("g", strings.Repeat("other", 100_000), "If-None-Match: *").status(t, 412)
		s.root("GET", at+"/f"+query, nil).is(t, 200, "two")
		made := s.root("POST", at, nil).must(t, 201)
		if fmt.Sprint(made["files_count"]) != "2" {
			t.Errorf("%s: %v files", version, made["files_count"])
		}
		s.root("GET", at+"/f", nil).is(t, 200, "two")
		files := s.root("GET", v4+"/projects/"+p+"/packages/"+fmt.Sprint(made["package_id"])+"/package_files", nil).list(t)
		if len(files) != 2 {
			t.Errorf("%s: %d files are listed", version, len(files))
		}
		first := fmt.Sprint(files[0]["id"])
		s.root("DELETE", v4+"/projects/"+p+"/packages/"+fmt.Sprint(made["package_id"])+"/package_files/"+first, nil).
			is(t, 403, `{"message":"403 Forbidden - app `+version+` is final; delete the version"}`)
	}
}

// TestManifestCommand: anybody computes the digest of a version without granary.
func TestManifestCommand(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	at, dir := generic(p, "app/1.0.0"), t.TempDir()
	for _, path := range []string{"z", "a/b", "a-", "-x.bin", "B", "a+b", "c/d/e"} {
		s.root("PUT", at+"/"+path+drafted, path).is(t, 201, created)
		full := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(path), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("bash", "-c", `set -o pipefail; find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 -r sha256sum -- | sha256sum`)
	command.Dir = dir
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	digest := strings.Fields(string(out))[0]
	made := s.root("POST", at, map[string]any{"manifest_sha256": digest}).must(t, 201)
	if made["manifest_sha256"] != digest {
		t.Errorf("the command says %s, the server %v", digest, made["manifest_sha256"])
	}
	sums := s.root("GET", at+"/@SHA256SUMS", nil)
	sums.header(t, "X-Checksum-SHA256: "+digest)
	s.do("POST", at, strings.NewReader(sums.body), "PRIVATE-TOKEN: "+rootToken, "Content-Type: text/plain").must(t, 200)
}

// TestBadFinalise: what cannot become final is refused by a clear 4xx, and changes
// nothing.
func TestBadFinalise(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.relaxed("tool"))
	put := func(version string, paths ...string) {
		for _, path := range paths {
			s.root("PUT", generic(p, "app/"+version+"/"+path+drafted), path).is(t, 201, created)
		}
	}
	put("1.0.0", "a", "b")
	put("2.0.0", "a", "a/b")
	put("3.0.0", "-")
	put("4.0.0", "a")
	s.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
		INSERT INTO package_files (package_id, file_name, blob_id, status, created_at)
		SELECT f.package_id, 'file-' || i, f.blob_id, 'default', f.created_at FROM n, package_files f JOIN packages k ON k.id = f.package_id WHERE k.version = '4.0.0'`)
	s.exec(`INSERT INTO packages (project_id, name, version, status, created_at, updated_at) VALUES (CAST($1 AS BIGINT), 'app', '5.0.0', 'draft', 1, 1)`, p)
	line := func(path, content string) string {
		return fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(content)), path)
	}
	listing := line("a", "a") + line("b", "b")
	zeros := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		at, kind, body string
		status         int
		words          string
	}{
		"no such version":    {"9.0.0", "", "", 404, "404 Not Found - there is no app 9.0.0"},
		"a selector":         {"latest", "", "", 404, "404 Not Found"},
		"a folder":           {"2.0.0", "", "", 422, `422 Unprocessable Entity - app 2.0.0 cannot be final: the path \"a\" is a file and, because of \"a/b\", a folder`},
		"a bad path":         {"3.0.0", "", "", 422, `app 3.0.0 cannot be final: the path \"-\" is the standard input of sha256sum`},
		"10,001 files":       {"4.0.0", "", "", 422, "app 4.0.0 cannot be final: 10001 files are too many: a version may have 10000"},
		"no file":            {"5.0.0", "", "", 422, "422 Unprocessable Entity - app 5.0.0 has no file"},
		"another manifest":   {"1.0.0", "json", `{"manifest_sha256":"` + zeros + `"}`, 409, "409 Conflict - app 1.0.0 is not what was expected: its manifest is "},
		"no manifest":        {"1.0.0", "json", `{"manifest_sha256":"x"}`, 400, "manifest_sha256 is invalid, want 64 hexadecimal digits"},
		"an empty manifest":  {"1.0.0", "application/x-www-form-urlencoded", "manifest_sha256=", 400, "manifest_sha256 is invalid"},
		"a null manifest":    {"1.0.0", "json", `{"manifest_sha256":null}`, 400, "manifest_sha256 is invalid"},
		"a misspelt one":     {"1.0.0", "application/x-www-form-urlencoded", "manifest_sha25=" + zeros, 400, "a listing needs Content-Type: text/plain"},
		"another name":       {"1.0.0", "json", `{"manifest":null}`, 400, "there is a parameter that is none of manifest_sha256, status"},
		"a listing as form":  {"1.0.0", "application/x-www-form-urlencoded", listing, 400, "a listing needs Content-Type: text/plain"},
		"a bad status":       {"1.0.0", "json", `{"status":"draft"}`, 400, "status does not have a valid value"},
		"missing":            {"1.0.0", "text/plain", listing + line("c", "c"), 409, `"missing":["c"],"extra":[],"differs":[]`},
		"extra":              {"1.0.0", "text/plain", line("a", "a"), 409, `"missing":[],"extra":["b"],"differs":[]`},
		"differs":            {"1.0.0", "text/plain", line("a", "a") + line("b", "x"), 409, "0 missing, 0 extra, 1 with other bytes"},
		"a path twice":       {"1.0.0", "text/plain", listing + line("a", "a"), 400, `line 3 of the listing has the path \"a\" of line 1`},
		"CR LF":              {"1.0.0", "text/plain", strings.ReplaceAll(listing, "\n", "\r\n"), 400, "line 1 of the listing ends with CR LF: want LF"},
		"binary mode":        {"1.0.0", "text/plain", strings.ReplaceAll(listing, "  ", " *"), 400, "line 1 of the listing has the mark * of binary mode"},
		"no listing":         {"1.0.0", "text/plain", "", 400, "the listing is empty"},
		"20 MB":              {"1.0.0", "text/plain", strings.Repeat(line("a", "a"), 300_000), 400, "the body is too large (maximum is 2621440 bytes)"},
		"a hundred of each":  {"1.0.0", "text/plain", many(500), 409, "500 missing, 2 extra, 0 with other bytes"},
		"a listing in JSON":  {"1.0.0", "json", listing, 400, ""},
		"another parameter":  {"1.0.0", "text/plain; charset=utf-8", "x", 400, "line 1 of the listing is no line of sha256sum"},
		"too many in a list": {"1.0.0", "text/plain", many(10_001), 400, "the listing has more than 10000 lines"},
	} {
		before := s.rowsOf() + ask[string](s, `SELECT COUNT(*) || '' FROM reserved_versions`)
		header := []string{"PRIVATE-TOKEN: " + rootToken}
		if c.kind == "json" {
			c.kind = "application/json"
		}
		if c.kind != "" {
			header = append(header, "Content-Type: "+c.kind)
		}
		got := s.do("POST", generic(p, "app/"+c.at), strings.NewReader(c.body), header...)
		if got.StatusCode != c.status || !strings.Contains(got.body, c.words) || len(got.body) > 4000 {
			t.Errorf("%s: %d %.300s, want %d %s", name, got.StatusCode, got.body, c.status, c.words)
		}
		if after := s.rowsOf() + ask[string](s, `SELECT COUNT(*) || '' FROM reserved_versions`); after != before {
			t.Errorf("%s changed something", name)
		}
	}
	s.do("POST", generic(p, "app/1.0.0"), strings.NewReader(listing), "PRIVATE-TOKEN: "+rootToken, "Content-Type: text/plain").must(t, 201)
}

// many is a listing of n files.
func many(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "%064x  file-%d\n", i, i)
	}
	return text.String()
}

// TestEmptyStatusDeletesNothing: an empty variable in a script must not turn the discard of
// a draft into the deletion of the version.
func TestEmptyStatusDeletesNothing(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "private"))
	s.versionsIn(p, "app", "1.0.0")
	for _, query := range []string{"?status=", "?status", "?status=draft&status=", "?status=default"} {
		s.root("DELETE", generic(p, "app/1.0.0"+query), nil).status(t, 400)
	}
	s.root("PUT", generic(p, "app/2.0.0/f?status=draft&status=hidden"), "x").status(t, 400)
	s.root("GET", generic(p, "app/1.0.0"), nil).must(t, 200)
	s.root("GET", generic(p, "app/2.0.0"), nil).status(t, 404)
}

// TestFinalIsNew: lists by time show a version from when others can see it.
func TestFinalIsNew(t *testing.T) {
	s := newServer(t)
	p := s.projectID(s.project("tool", "private"))
	s.root("PUT", generic(p, "app/1.0.0/f"+drafted), "x").is(t, 201, created)
	s.root("PUT", generic(p, "app/2.0.0/f"), "x").is(t, 201, created)
	v := s.root("POST", generic(p, "app/1.0.0"), nil).must(t, 201)
	if v["created_at"] != v["final_at"] {
		t.Errorf("created at %v, final at %v", v["created_at"], v["final_at"])
	}
	if got := s.root("GET", v4+"/projects/"+p+"/packages?order_by=created_at&sort=desc", nil).column(t, "version"); got != "1.0.0,2.0.0" && got != "1.0.0 2.0.0" {
		t.Errorf("the newest are %s", got)
	}
	open := s.root("POST", generic(p, "app/2.0.0"), nil).must(t, 201)
	if open["created_at"] == open["final_at"] {
		t.Errorf("an open version is created at %v, when others saw it", open["created_at"])
	}
	s.root("POST", generic(p, "app/2.0.0"), map[string]any{"status": "hidden"}).is(t, 409, `{"message":"409 Conflict - app 2.0.0 is final, and default; PATCH changes its status"}`)
}
