package openapi

import (
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func read(t *testing.T) object {
	t.Helper()
	doc, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	text, err := doc.JSON()
	if err != nil {
		t.Fatal(err)
	}
	at, err := text.At("http://localhost/api/v4")
	if err != nil {
		t.Fatal(err)
	}
	if text, err = io.ReadAll(iotest.OneByteReader(at)); err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestReferences: each leads somewhere, and what nothing leads to is not kept.
func TestReferences(t *testing.T) {
	doc := read(t)
	used := map[string]bool{}
	walk(doc, func(o object) {
		to, ok := o["$ref"].(string)
		if !ok {
			return
		}
		used[to] = true
		if keys := strings.Split(to, "/"); keys[0] != "#" || at(doc, keys[1:]...) == nil {
			t.Errorf("%s leads nowhere", to)
		}
	})
	for kind, all := range at(doc, "components") {
		for name := range all.(object) {
			if to := "#/components/" + kind + "/" + name; kind != "securitySchemes" && !used[to] {
				t.Errorf("nothing refers to %s", to)
			}
		}
	}
}

func walk(v any, see func(object)) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			walk(item, see)
		}
	case object:
		see(v)
		for _, item := range v {
			walk(item, see)
		}
	}
}

// TestOperations: each has a name of its own, a summary, and every parameter of
// its path.
func TestOperations(t *testing.T) {
	doc := read(t)
	names := map[any]string{}
	for _, op := range operations(doc) {
		where := op.method + " " + op.path
		if other := names[op.object["operationId"]]; other != "" {
			t.Errorf("%s and %s are both called %s", where, other, op.object["operationId"])
		}
		names[op.object["operationId"]] = where
		if op.object["summary"] == nil {
			t.Errorf("%s has no summary", where)
		}
		var want, got []string
		for _, m := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(op.path, -1) {
			want = append(want, m[1])
		}
		list, _ := at(doc, "paths", op.path)["parameters"].([]any)
		for _, v := range list {
			p := v.(object)
			if to, ok := p["$ref"].(string); ok {
				p = at(doc, strings.Split(to, "/")[1:]...)
			}
			if p["in"] == "path" {
				got = append(got, p["name"].(string))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has the path parameters %v, want %v", where, got, want)
		}
	}
}

// TestFilled: what main.yaml leaves out is there, and no help of ours is left.
func TestFilled(t *testing.T) {
	doc := read(t)
	walk(doc, func(o object) {
		for key := range o {
			if key == "optional" || strings.HasPrefix(key, "x-") && key != "x-total" {
				t.Errorf("%s is left", key)
			}
			if strings.Contains(key, " ") {
				t.Errorf("%q is a key: a text with a comma wants quotes", key)
			}
		}
	})
	list := at(doc, "paths", "/projects/{id}/packages", "get")
	if at(list, "responses", "200", "headers")["X-Next-Page"] == nil || at(list, "responses", "301") == nil {
		t.Errorf("a list in a project: %v", list["responses"])
	}
	if got := list["operationId"]; got != "getProjectsIdPackages" {
		t.Errorf("it is called %v", got)
	}
	content := at(doc, "paths", "/projects", "post", "requestBody", "content")
	if len(content) != 3 {
		t.Errorf("a body comes as %v", content)
	}
	if got := at(doc, "components", "schemas", "DeployToken")["required"].([]any); slices.Contains(got, any("token")) || !slices.Contains(got, any("expires_at")) {
		t.Errorf("a deploy token requires %v", got)
	}
	file := at(doc, "paths", "/projects/{id}/packages/generic/{name}/{version}/{file}", "put", "responses")
	if file["405"] != nil {
		t.Error("what says everything itself gets more")
	}
}

func TestMerge(t *testing.T) {
	doc := object{"a": "x", "b": object{"c": []any{1}}}
	if err := merge(doc, object{"b": object{"c": []any{2}, "d": 3}}); err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(doc); err != nil || string(text) != `{"a":"x","b":{"c":[1,2],"d":3}}` {
		t.Errorf("%s %v", text, err)
	}
	for _, part := range []object{{"a": "x"}, {"b": 1}, {"b": object{"c": 1}}} {
		if err := merge(doc, part); err == nil {
			t.Errorf("%v is taken", part)
		}
	}
	if err := tag(object{"paths": object{}}); err == nil {
		t.Error("a file with paths and no tag is taken")
	}
}
