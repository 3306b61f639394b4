package openapi

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// operation is one method of one path.
type operation struct {
	method, path string
	object
}

func operations(doc object) []operation {
	var found []operation
	paths := at(doc, "paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, method := range []string{"get", "head", "put", "post", "patch", "delete"} {
			if op := at(paths, path, method); op != nil {
				found = append(found, operation{method, path, op})
			}
		}
	}
	return found
}

// fill writes what would be the same everywhere; main.yaml lists it.
func fill(doc object) {
	for _, op := range operations(doc) {
		op.object["operationId"] = op.id()
		for _, usual := range op.usual(doc) {
			op.add(at(doc, usual))
		}
		op.showPages(at(doc, "components", "headers"))
		op.takeForms()
	}
	for key := range doc {
		if strings.HasPrefix(key, "x-") {
			delete(doc, key)
		}
	}
	schemas := at(doc, "components", "schemas")
	for name := range schemas {
		requireAll(at(schemas, name))
	}
}

// id is the operation's name for generated clients: getProjectsIdPackages.
func (op operation) id() string {
	var b strings.Builder
	b.WriteString(op.method)
	words := strings.FieldsFunc(op.path, func(r rune) bool { return !unicode.IsLetter(r) })
	for _, word := range words {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// usual names the parts of main.yaml that go with the operation. One with
// x-own says everything itself.
func (op operation) usual(doc object) []string {
	if op.object["x-own"] == true {
		delete(op.object, "x-own")
		return nil
	}
	switch {
	case !strings.HasPrefix(op.path+"/", "/projects/{id}/"):
		return []string{"x-every"}
	case op.method == "get":
		return []string{"x-every", "x-get-in-project"}
	}
	return []string{"x-every", "x-write-in-project"}
}

// add adds parameters, and answers that the operation does not have.
func (op operation) add(usual object) {
	parameters, _ := op.object["parameters"].([]any) // there may be none
	more, _ := usual["parameters"].([]any)
	if len(more) > 0 {
		op.object["parameters"] = append(parameters, more...)
	}
	responses := at(op.object, "responses")
	for status, response := range at(usual, "responses") {
		if responses[status] == nil {
			responses[status] = response
		}
	}
}

// showPages adds the headers of a page in a list.
func (op operation) showPages(headers object) {
	parameters, _ := op.object["parameters"].([]any)
	for _, p := range parameters {
		if at(object{"p": p}, "p")["$ref"] != "#/components/parameters/Page" {
			continue
		}
		shown := object{}
		for name := range headers {
			if name == "Link" || strings.HasPrefix(name, "X-") {
				shown[name] = object{"$ref": "#/components/headers/" + name}
			}
		}
		at(op.object, "responses", "200")["headers"] = shown
	}
}

// takeForms: whatever may come as JSON may come as a form.
func (op operation) takeForms() {
	content := at(op.object, "requestBody", "content")
	if body := content["application/json"]; body != nil {
		content["application/x-www-form-urlencoded"] = body
		content["multipart/form-data"] = body
	}
}

// requireAll requires every property that is not optional, if the schema does not
// list required ones.
func requireAll(schema object) {
	optional, _ := schema["optional"].([]any)
	delete(schema, "optional")
	properties := at(schema, "properties")
	if properties == nil {
		return
	}
	schema["type"] = "object"
	if schema["required"] != nil {
		return
	}
	required := []string{}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !slices.Contains(optional, any(name)) {
			required = append(required, name)
		}
	}
	schema["required"] = required
}
