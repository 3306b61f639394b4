package openapi

import (
	"cmp"
	"slices"
	"strings"
)

// Tag is a group of operations, for pages that people read.
type Tag struct {
	Name, Description string
	Operations        []Operation
}

// Operation is a method of a path.
type Operation struct {
	Method, Path         string // "GET", "/projects/{id}/jobs"
	Summary, Description string
	Parameters           []Parameter
	Body                 []Parameter // fields of the body; nil for none, or for a body that is no object
	Answers              []Answer
}

// Parameter is a parameter, or a field of a body.
type Parameter struct {
	Name, In, Description string // In is "path", "query", "header" or "body"
	Type                  string // "string", "one of asc, desc"
	Required              bool
}

// Answer is an answer by its status.
type Answer struct{ Status, Description string }

// Tags are the operations by tag, both in alphabetical order of names and paths.
func (d Document) Tags() []Tag {
	byName := map[string]*Tag{}
	all, _ := d["tags"].([]any)
	for _, t := range all {
		t, _ := t.(object)
		byName[text(t["name"])] = &Tag{Name: text(t["name"]), Description: text(t["description"])}
	}
	for _, op := range operations(object(d)) {
		names, _ := op.object["tags"].([]any)
		if len(names) == 0 || byName[text(names[0])] == nil {
			continue
		}
		t := byName[text(names[0])]
		t.Operations = append(t.Operations, d.describe(op))
	}
	var tags []Tag
	for _, t := range byName {
		slices.SortFunc(t.Operations, func(a, b Operation) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
		tags = append(tags, *t)
	}
	slices.SortFunc(tags, func(a, b Tag) int { return cmp.Compare(a.Name, b.Name) })
	return tags
}

func (d Document) describe(op operation) Operation {
	o := Operation{
		Method: strings.ToUpper(op.method), Path: op.path,
		Summary: text(op.object["summary"]), Description: text(op.object["description"]),
	}
	for _, list := range []any{at(object(d), "paths", op.path)["parameters"], op.object["parameters"]} {
		found, _ := list.([]any)
		for _, p := range found {
			p := d.resolve(p)
			o.Parameters = append(o.Parameters, Parameter{
				Name: text(p["name"]), In: text(p["in"]), Description: text(p["description"]),
				Type: d.typeOf(p["schema"]), Required: p["required"] == true || p["in"] == "path",
			})
		}
	}
	body := d.resolve(op.object["requestBody"])
	o.Body = d.fields(at(body, "content", "application/json")["schema"])
	answers, _ := op.object["responses"].(object)
	for status, a := range answers {
		o.Answers = append(o.Answers, Answer{status, text(d.resolve(a)["description"])})
	}
	slices.SortFunc(o.Answers, func(a, b Answer) int { return cmp.Compare(a.Status, b.Status) })
	return o
}

// fields are the properties of a schema of an object.
func (d Document) fields(schema any) (fields []Parameter) {
	s := d.resolve(schema)
	parts, _ := s["allOf"].([]any)
	for _, part := range parts {
		fields = append(fields, d.fields(part)...)
	}
	needed, _ := s["required"].([]any)
	properties, _ := s["properties"].(object)
	for name, p := range properties {
		fields = append(fields, Parameter{
			Name: name, In: "body", Description: text(d.resolve(p)["description"]), Type: d.typeOf(p), Required: slices.Contains(needed, any(name)),
		})
	}
	slices.SortFunc(fields, func(a, b Parameter) int { return cmp.Compare(a.Name, b.Name) })
	return fields
}

// typeOf is the type of a schema in words.
func (d Document) typeOf(schema any) string {
	s := d.resolve(schema)
	if values, ok := s["enum"].([]any); ok {
		words := make([]string, 0, len(values))
		for _, v := range values {
			words = append(words, text(v))
		}
		return "one of " + strings.Join(words, ", ")
	}
	switch t := s["type"].(type) {
	case string:
		if t == "array" {
			return "list of " + cmp.Or(d.typeOf(s["items"]), "values")
		}
		return t
	case []any:
		words := make([]string, 0, len(t))
		for _, v := range t {
			words = append(words, text(v))
		}
		return strings.Join(words, " or ")
	}
	return ""
}

// resolve is an object, or the one that its $ref leads to.
func (d Document) resolve(v any) object {
	o, _ := v.(object)
	ref, ok := o["$ref"].(string)
	if !ok {
		return o
	}
	return at(object(d), strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
}

// text is a text; "" for anything else.
func text(v any) string {
	s, _ := v.(string)
	return strings.TrimSpace(s)
}
