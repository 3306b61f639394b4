package api_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"granary/internal/metadb"
	"granary/internal/metadb/metadbtest"
	"granary/internal/projects"
)

// TestVariableOutcomes is contract rest-api D, row by row, on a project and
// on a group alike.
func TestVariableOutcomes(t *testing.T) {
	s := newServer(t)
	project := s.project("tool", "private")
	s.root("POST", "/api/v4/groups", map[string]any{"name": "acme", "path": "acme"}).must(t, 201)
	for _, place := range []string{"/api/v4/projects/" + project, "/api/v4/groups/acme"} {
		all := place + "/variables"
		s.root("POST", all, map[string]any{"key": "TWO", "value": "a"}).must(t, 201)
		s.root("POST", all, map[string]any{"key": "TWO", "value": "b", "environment_scope": "production"}).must(t, 201)
		const several = `{"message":"There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"}`
		const missing = `{"message":"404 Variable Not Found"}`
		const whole = `{"variable_type":"env_var","key":"KEY","value":"VALUE","hidden":false,"protected":false,"masked":false,"raw":false,"environment_scope":"*","description":null}`
		field := func(name, reason string) string { return `{"message":{"` + name + `":["` + reason + `"]}}` }
		like := func(key, value string, changes ...string) string {
			return strings.NewReplacer(append([]string{"KEY", key, "VALUE", value}, changes...)...).Replace(whole)
		}
		for _, tc := range []struct {
			name, method, path, form string
			status                   int
			body                     string
		}{
			{"create", "POST", "", "key=PKG_VERSION&value=1.4.0", 201, like("PKG_VERSION", "1.4.0")},
			{"read", "GET", "/PKG_VERSION", "", 200, like("PKG_VERSION", "1.4.0")},
			{"change", "PUT", "/PKG_VERSION", "value=1.4.1", 200, like("PKG_VERSION", "1.4.1")},
			{"read what was changed", "GET", "/PKG_VERSION", "", 200, like("PKG_VERSION", "1.4.1")},
			{"everything", "POST", "", "key=ALL&value=x+y&variable_type=file&protected=true&raw=true&environment_scope=review/*&description=d", 201,
				like("ALL", "x y", "env_var", "file", `"protected":false`, `"protected":true`, `"raw":false`, `"raw":true`, `"*"`, `"review/*"`, "null", `"d"`)},
			{"change nothing", "PUT", "/ALL", "", 200,
				like("ALL", "x y", "env_var", "file", `"protected":false`, `"protected":true`, `"raw":false`, `"raw":true`, `"*"`, `"review/*"`, "null", `"d"`)},
			{"an empty value", "POST", "", "key=EMPTY&value=", 201, like("EMPTY", "")},

			{"no key", "POST", "", "value=x", 400, `{"error":"key is missing"}`},
			{"no value", "POST", "", "key=X", 400, `{"error":"value is missing"}`},
			{"neither", "POST", "", "", 400, `{"error":"key is missing, value is missing"}`},
			{"unknown type", "POST", "", "key=X&value=x&variable_type=secret", 400, `{"error":"variable_type does not have a valid value"}`},
			{"bad key", "POST", "", "key=a-b&value=x", 400, field("key", "can contain only letters, digits and '_'.")},
			{"not ASCII", "POST", "", "key=%C3%A4&value=x", 400, field("key", "can contain only letters, digits and '_'.")},
			{"long key", "POST", "", "value=x&key=" + strings.Repeat("a", 256), 400, field("key", "is too long (maximum is 255 characters)")},
			{"longest key", "POST", "", "value=x&key=" + strings.Repeat("a", 255), 201, like(strings.Repeat("a", 255), "x")},
			{"bad scope", "POST", "", "key=X&value=x&environment_scope=a!", 400, field("environment_scope", "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', '*' and spaces")},
			{"long value", "POST", "", "key=X&value=" + strings.Repeat("v", 10001), 400, field("value", "is too long (maximum is 10000 characters)")},
			{"taken", "POST", "", "key=TWO&value=x", 400, field("key", "(TWO) has already been taken")},
			{"taken in its scope", "POST", "", "key=TWO&value=x&environment_scope=production", 400, field("key", "(TWO) has already been taken")},
			{"moved to a scope that is taken", "PUT", "/TWO?filter[environment_scope]=production", "environment_scope=*", 400, field("key", "(TWO) has already been taken")},

			{"unknown", "GET", "/NONE", "", 404, missing},
			{"unknown to change", "PUT", "/NONE", "value=x", 404, missing},
			{"unknown to delete", "DELETE", "/NONE", "", 404, missing},
			{"two of a key", "GET", "/TWO", "", 409, several},
			{"two of a key to change", "PUT", "/TWO", "value=x", 409, several},
			{"two of a key to delete", "DELETE", "/TWO", "", 409, several},
			{"one of two", "GET", "/TWO?filter[environment_scope]=production", "", 200, like("TWO", "b", `"*"`, `"production"`)},
			{"the other", "GET", "/TWO?filter%5Benvironment_scope%5D=*", "", 200, like("TWO", "a")},
			{"change one of two", "PUT", "/TWO", "value=c&filter[environment_scope]=production", 200, like("TWO", "c", `"*"`, `"production"`)},
			{"none of two", "GET", "/TWO?filter[environment_scope]=staging", "", 404, missing},
			{"delete one of two", "DELETE", "/TWO?filter[environment_scope]=production", "", 204, ""},
			{"now it is the only one", "GET", "/TWO", "", 200, like("TWO", "a")},

			{"masked, too short", "POST", "", "key=M&value=1.2.3&masked=true", 400, field("value", "is invalid")},
			{"masked, two lines", "POST", "", "key=M&value=abcdefgh%0Aabc&masked=true&raw=true", 400, field("value", "is invalid")},
			{"masked, a reference", "POST", "", "key=M&value=abcdefg$h&masked=true", 400, field("value", "is invalid")},
			{"masked, raw", "POST", "", "key=RAW&value=abcdefg$h&masked=true&raw=true", 201, like("RAW", "abcdefg$h", `"masked":false`, `"masked":true`, `"raw":false`, `"raw":true`)},
			{"masked", "POST", "", "key=M&value=aZ0_%2B=/@:.~-&masked=true", 201, like("M", "aZ0_+=/@:.~-", `"masked":false`, `"masked":true`)},
			{"masked, then short", "PUT", "/M", "value=short", 400, field("value", "is invalid")},
			{"short, so no longer masked", "PUT", "/M", "value=short&masked=false", 200, like("M", "short")},
			{"hidden", "POST", "", "key=H&value=topsecret&masked_and_hidden=true", 201,
				like("H", "", `"VALUE"`, `null`, `"hidden":false`, `"hidden":true`, `"masked":false`, `"masked":true`)},
			{"hidden, read", "GET", "/H", "", 200, like("H", "", `"VALUE"`, `null`, `"hidden":false`, `"hidden":true`, `"masked":false`, `"masked":true`)},
			{"hidden, new value", "PUT", "/H", "value=topsecret2", 200,
				like("H", "", `"VALUE"`, `null`, `"hidden":false`, `"hidden":true`, `"masked":false`, `"masked":true`)},
			{"hidden, unmasked", "PUT", "/H", "masked=false", 400, field("base", "The visibility setting cannot be changed for masked and hidden variables.")},
			{"hidden, revealed", "PUT", "/H", "masked_and_hidden=false&value=x", 400, field("base", "The visibility setting cannot be changed for masked and hidden variables.")},
			{"hidden afterwards", "PUT", "/RAW", "masked_and_hidden=true", 400, field("base", "The visibility setting cannot be changed for masked and hidden variables.")},
		} {
			t.Run(place+"/"+tc.name, func(t *testing.T) {
				s.do(tc.method, all+tc.path, strings.NewReader(tc.form), "PRIVATE-TOKEN: "+rootToken,
					"Content-Type: application/x-www-form-urlencoded").is(t, tc.status, tc.body)
			})
		}
		if list := s.root("GET", all, nil); strings.Contains(list.body, "topsecret") || list.Header.Get("X-Total") != "8" {
			t.Errorf("the list: X-Total %s, %s", list.Header.Get("X-Total"), list.body)
		}
	}
}

// TestVariableMultipart is how GitLab's documentation sends values.
func TestVariableMultipart(t *testing.T) {
	s := newServer(t)
	all := "/api/v4/projects/" + s.project("tool", "private") + "/variables"
	form := "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nNEW\r\n--b\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\nnew value\r\n--b--\r\n"
	got := s.do("POST", all, strings.NewReader(form), "PRIVATE-TOKEN: "+rootToken, "Content-Type: multipart/form-data; boundary=b").must(t, 201)
	if got["value"] != "new value" {
		t.Errorf("%v", got)
	}
}

// TestVariableRoles: Maintainer for a project's, Owner for a group's; a job
// has no door at all.
func TestVariableRoles(t *testing.T) {
	s := newServer(t)
	group := s.root("POST", "/api/v4/groups", map[string]any{"name": "acme", "path": "acme", "visibility": "public"}).must(t, 201)["id"].(float64)
	s.root("POST", "/api/v4/projects", map[string]any{"name": "tool", "visibility": "public", "namespace_id": group}).must(t, 201)
	const project = "acme%2Ftool"
	job := s.root("POST", "/api/v4/projects/"+project+"/jobs", nil).must(t, 201)["token"].(string)
	deploy := s.root("POST", "/api/v4/projects/"+project+"/deploy_tokens", map[string]any{"name": "d", "scopes": []string{"read_package_registry"}}).must(t, 201)["token"].(string)
	as := map[string]string{"anonymous": "", "job": "JOB-TOKEN: " + job, "job as bearer": "Authorization: Bearer " + job, "deploy token": "Deploy-Token: " + deploy}
	for level, name := range map[int]string{30: "developer", 40: "maintainer", 50: "owner"} {
		id, token := s.user(name)
		s.root("POST", "/api/v4/groups/acme/members", map[string]any{"user_id": id, "access_level": level}).must(t, 201)
		as[name], as[name+", read_api"] = "PRIVATE-TOKEN: "+token, "PRIVATE-TOKEN: "+s.token(id, "read_api")
	}
	_, stranger := s.user("stranger")
	as["stranger"] = "PRIVATE-TOKEN: " + stranger
	for _, tc := range []struct {
		who                        string
		projectReads, projectMakes int
		groupReads, groupMakes     int
	}{
		{"anonymous", 401, 401, 401, 401},
		{"job", 401, 401, 401, 401},
		{"job as bearer", 401, 401, 401, 401},
		{"deploy token", 401, 401, 401, 401},
		{"stranger", 403, 403, 403, 403},
		{"developer", 403, 403, 403, 403},
		{"developer, read_api", 403, 403, 403, 403},
		{"maintainer", 200, 201, 403, 403},
		{"maintainer, read_api", 200, 403, 403, 403},
		{"owner", 200, 201, 200, 201},
		{"owner, read_api", 200, 403, 200, 403},
	} {
		key := strings.ToUpper(strings.NewReplacer(" ", "_", ",", "").Replace(tc.who))
		for path, want := range map[string][2]int{
			"/api/v4/projects/" + project + "/variables": {tc.projectReads, tc.projectMakes},
			"/api/v4/groups/acme/variables":              {tc.groupReads, tc.groupMakes},
		} {
			var header []string
			if as[tc.who] != "" {
				header = []string{as[tc.who]}
			}
			if got := s.do("GET", path, nil, header...); got.StatusCode != want[0] {
				t.Errorf("%s reads %s: %d %s, want %d", tc.who, path, got.StatusCode, got.body, want[0])
			}
			if got := s.do("POST", path+"?value=x&key="+key, nil, header...); got.StatusCode != want[1] {
				t.Errorf("%s writes %s: %d %s, want %d", tc.who, path, got.StatusCode, got.body, want[1])
			}
		}
	}
}

// TestVariableConditions is granary's extension: a write that happens only if
// the variable is still the one that was read.
func TestVariableConditions(t *testing.T) {
	s := newServer(t)
	variableConditions(t, s, "/api/v4/projects/"+s.project("tool", "private")+"/variables", "Variable")
	variableConditions(t, s, "/api/v4/admin/ci/variables", "InstanceVariable")
}

func variableConditions(t *testing.T, s *server, all, noun string) {
	t.Helper()
	one := all + "/V"
	tag := s.root("POST", all, map[string]any{"key": "V", "value": "1"}).Header.Get("ETag")
	if read := s.root("GET", one, nil).Header.Get("ETag"); tag == "" || read != tag || strings.HasPrefix(tag, "W/") {
		t.Fatalf("ETag %q on POST, %q on GET", tag, read)
	}
	const moved = `{"message":"412 Precondition Failed"}`
	put := func(value, condition string) answer {
		return s.do("PUT", one+"?value="+value, nil, "PRIVATE-TOKEN: "+rootToken, "If-Match: "+condition)
	}
	second := put("2", `"other", `+tag)
	second.must(t, 200)
	next := second.Header.Get("ETag")
	if next == tag {
		t.Errorf("the tag %s did not change", next)
	}
	for _, condition := range []string{tag, "W/" + tag, "w/" + next, "W/W/" + next, "W/*", strings.Trim(next, `"`), `"*"`, ""} {
		put("3", condition).is(t, 412, moved)
	}
	if got := s.root("GET", one, nil).must(t, 200)["value"]; got != "2" {
		t.Errorf("a refused write left %q", got)
	}
	// A proxy that compresses makes the tag weak: who read through one names it so.
	weak := "W/" + next
	third := put("4", weak)
	third.must(t, 200)
	put("5", weak).is(t, 412, moved)
	s.do("DELETE", one, nil, "PRIVATE-TOKEN: "+rootToken, "If-Match: "+weak).is(t, 412, moved)
	weak = `"other", W/` + third.Header.Get("ETag")
	s.do("DELETE", one, nil, "PRIVATE-TOKEN: "+rootToken, "If-Match: "+weak).must(t, 204)
	s.root("POST", all, map[string]any{"key": "V", "value": "1"}).must(t, 201)
	put("4", "*").must(t, 200)
	s.do("DELETE", one, nil, "PRIVATE-TOKEN: "+rootToken, "If-Match: "+next).is(t, 412, moved)
	s.do("PUT", all+"/NONE?value=1", nil, "PRIVATE-TOKEN: "+rootToken, "If-Match: *").is(t, 404, `{"message":"404 `+noun+` Not Found"}`)

	s.root("DELETE", one, nil).must(t, 204)
	s.root("POST", all, map[string]any{"key": "V", "value": "1"}).must(t, 201)
	put("5", tag).is(t, 412, moved) // another variable of the same name and value
}

// TestVariableRace: of many that write with the same tag, one wins.
func TestVariableRace(t *testing.T) {
	s := newServer(t)
	all := "/api/v4/projects/" + s.project("tool", "private") + "/variables"
	tag := s.root("POST", all, map[string]any{"key": "V", "value": "0"}).Header.Get("ETag")
	const writers, rounds = 24, 5
	for round := range rounds {
		var won, lost atomic.Int32
		var winner atomic.Value
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				value := fmt.Sprintf("%d-%d", round, i)
				switch got := s.do("PUT", all+"/V?value="+value, nil, "PRIVATE-TOKEN: "+rootToken, "If-Match: "+tag); got.StatusCode {
				case http.StatusOK:
					won.Add(1)
					winner.Store(value)
				case http.StatusPreconditionFailed:
					lost.Add(1)
				default:
					t.Errorf("%d %s", got.StatusCode, got.body)
				}
			})
		}
		wg.Wait()
		read := s.root("GET", all+"/V", nil)
		if won.Load() != 1 || lost.Load() != writers-1 || read.must(t, 200)["value"] != winner.Load() {
			t.Fatalf("round %d: %d won, %d lost, the value is %s, the winner's %v", round, won.Load(), lost.Load(), read.body, winner.Load())
		}
		tag = read.Header.Get("ETag")
	}
}

func TestVariableLimit(t *testing.T) {
	s := newServer(t)
	all := "/api/v4/projects/" + s.project("tool", "private") + "/variables"
	s.root("POST", all, map[string]any{"key": "FIRST", "value": "x"}).must(t, 201)
	s.exec(`WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ` + strconv.Itoa(projects.DefaultLimits().ProjectVariables.Most) + `)
		INSERT INTO variables (project_id, key, value, variable_type, protected, masked, hidden, raw, environment_scope, revision)
		SELECT v.project_id, 'V' || n.i, v.value, v.variable_type, 0, 0, 0, 0, '*', 1 FROM n, variables v WHERE v.key = 'FIRST'`)
	const full = `{"message":{"base":["Maximum number of project ci variables (8000) exceeded"]}}`
	s.root("POST", all, map[string]any{"key": "ONE_MORE", "value": "x"}).is(t, 400, full)
	s.root("PUT", all+"/FIRST", map[string]any{"value": "x"}).must(t, 200)
	s.root("DELETE", all+"/FIRST", nil).must(t, 204)
	s.root("POST", all, map[string]any{"key": "ONE_MORE", "value": "x"}).must(t, 201)
}

// TestVariablesAtRest: the file holds no value in the clear; a value copied to
// another row does not open; values go with their project.
func TestVariablesAtRest(t *testing.T) {
	s := newServer(t)
	mine, theirs := "/api/v4/projects/"+s.project("mine", "private"), "/api/v4/projects/"+s.project("theirs", "private")
	s.root("POST", mine+"/variables", map[string]any{"key": "V", "value": "marked-secret"}).must(t, 201)
	s.root("POST", theirs+"/variables", map[string]any{"key": "V", "value": "marked-secret"}).must(t, 201)
	var kept []byte
	if metadbtest.Wanted() {
		kept = ask[[]byte](s, `SELECT value FROM variables WHERE id = 1`)
	} else {
		file, err := os.ReadFile(s.file)
		logged, logErr := os.ReadFile(s.file + "-wal")
		if kept = append(file, logged...); err != nil || logErr != nil || !bytes.Contains(kept, []byte("environment_scope")) {
			t.Fatalf("where are the records? %v, %v", err, logErr)
		}
	}
	if len(kept) == 0 || bytes.Contains(kept, []byte("marked-secret")) {
		t.Error("a value lies in the database in the clear")
	}
	s.exec(`UPDATE variables SET value = (SELECT value FROM variables WHERE id = 1) WHERE id = 2`)
	s.root("GET", theirs+"/variables/V", nil).is(t, 500, `{"message":"500 Internal Server Error"}`)
	s.root("GET", mine+"/variables/V", nil).must(t, 200)
	s.root("DELETE", mine, nil).must(t, 202)
	s.root("DELETE", theirs, nil).must(t, 202)
	if n := s.count("variables"); n != 0 {
		t.Errorf("%d variables outlive their projects", n)
	}
}

// TestVariableKey: another key is refused while something needs the first.
func TestVariableKey(t *testing.T) {
	s := newServer(t)
	ctx := context.Background()
	other := [metadb.KeySize]byte{2}
	switch err := s.db.UseKey(ctx, other); {
	case metadbtest.Wanted(): // other nodes have the first one
		if err != metadb.ErrWrongKey {
			t.Errorf("another node's key: %v", err)
		}
		return
	case err != nil:
		t.Errorf("nothing is sealed yet: %v", err)
	}
	path := "/api/v4/projects/" + s.project("tool", "private") + "/variables"
	s.root("POST", path, map[string]any{"key": "V", "value": "x"}).must(t, 201)
	if err := s.db.UseKey(ctx, [metadb.KeySize]byte{1}); err != metadb.ErrWrongKey {
		t.Errorf("a wrong key: %v", err)
	}
	if err := s.db.UseKey(ctx, other); err != nil {
		t.Errorf("the right key: %v", err)
	}
}
