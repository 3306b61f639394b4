package api_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestHostileRequests sends what no client should to every operation of the
// document, as the administrator, who gets furthest: wrong ids, wrong types, huge
// numbers, wildcards, NULs, line breaks. The answer is never a failure of the
// server, and is one that the document describes (watch).
func TestHostileRequests(t *testing.T) {
	s := newServer(t)
	s.group("acme", 0)
	s.root("PUT", generic(s.project("tool", "private"), "tool/1.0.0/a.bin"), "x").is(t, 201, created)
	s.root("POST", "/api/v4/projects/1/variables", map[string]any{"key": "A", "value": "b"}).must(t, 201)
	s.root("POST", "/api/v4/projects/1/releases", map[string]any{"tag_name": "v1", "description": "d"}).must(t, 201)
	s.root("POST", "/api/v4/projects/1/hooks", map[string]any{"url": "https://example.com/"}).must(t, 201)
	d := described()
	for _, at := range slices.Sorted(maps.Keys(d.operations)) {
		h := hostile{s: s, d: d, op: d.operations[at]}
		h.method, h.path, _ = strings.Cut(at, " ")
		t.Run(at, func(t *testing.T) {
			h.t = t
			h.paths()
			h.queries()
			h.bodies()
		})
	}
}

type hostile struct {
	t            *testing.T
	s            *server
	d            *description
	op           map[string]any
	method, path string
}

// call makes one request and holds its answer to the law.
func (h hostile) call(path string, body []byte) {
	h.t.Helper()
	got := h.s.do(h.method, "/api/v4"+path, bytes.NewReader(body), "PRIVATE-TOKEN: "+rootToken, "Content-Type: application/json")
	if got.StatusCode >= 500 || got.Header.Get("X-Evil") != "" {
		h.t.Errorf("%s %.300s %.300s: %d %.300s", h.method, path, body, got.StatusCode, got.body)
	}
}

// paths puts a hostile value into each place of the path in turn.
func (h hostile) paths() {
	for i, part := range strings.Split(h.path, "/") {
		if !strings.HasPrefix(part, "{") {
			continue
		}
		for _, value := range []string{
			"0", "-1", "9223372036854775808", "1.5", "%00", "a%00b", "%FF", "%25", "_", "'%20OR%201=1--", "..%2F..", "x%0D%0AX-Evil:%201", strings.Repeat("x", 3000),
		} {
			parts := strings.Split(h.path, "/")
			parts[i] = value
			h.call(usual(strings.Join(parts, "/")), nil)
		}
	}
}

// usual fills the places of a path with what is there.
func usual(path string) string {
	return strings.NewReplacer("{id}", "1", "{tag_name}", "v1", "{key}", "A", "{name}", "tool", "{version}", "1.0.0", "{file}", "a.bin", "{file_name}", "a.bin",
		"{trigger}", "package_events").Replace(replaceIDs(path))
}

func replaceIDs(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasSuffix(part, "_id}") {
			parts[i] = "1"
		}
	}
	return strings.Join(parts, "/")
}

// queries sends each parameter that the operation takes, wrong.
func (h hostile) queries() {
	if h.method != "GET" {
		return
	}
	for _, name := range h.parameters() {
		for _, value := range []string{"", "-1", "99999999999999999999", "\x00", "%", "_", `'"\`, "\r\nX-Evil: 1", "\xff", strings.Repeat("x", 3000)} {
			h.call(usual(h.path)+"?"+url.Values{name: {value}}.Encode(), nil)
		}
		h.call(usual(h.path)+"?"+name+"[]=1&"+name+"[a]=b", nil)
	}
}

func (h hostile) parameters() (names []string) {
	parameters, _ := h.op["parameters"].([]any)
	for _, p := range parameters {
		if p := h.d.follow(p.(map[string]any)); p["in"] == "query" {
			names = append(names, p["name"].(string))
		}
	}
	return names
}

// bodies sends each field that the operation takes, wrong, beside what it
// needs.
func (h hostile) bodies() {
	body, _ := h.op["requestBody"].(map[string]any)
	content, _ := h.d.follow(body)["content"].(map[string]any)
	media, _ := content["application/json"].(map[string]any)
	schema, _ := media["schema"].(map[string]any)
	schema = h.d.follow(schema)
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, text := range []string{"", "null", "[]", "{", `"x"`, "\xff", `{"a":` + strings.Repeat("[", 2000)} {
		if len(required) > 0 {
			h.call(usual(h.path), []byte(text))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		for _, value := range []any{nil, []any{}, map[string]any{"a": []any{1}}, -1, 1e300, true, "", "\x00", "%_'\"\\\r\n", strings.Repeat("x", 70_000)} {
			form := map[string]any{}
			for _, r := range required {
				form[r.(string)] = "1"
			}
			form[name] = value
			text, err := json.Marshal(form)
			if err != nil {
				h.t.Fatal(err)
			}
			h.call(usual(h.path), text)
		}
	}
}
