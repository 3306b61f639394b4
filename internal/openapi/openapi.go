// Package openapi describes the API for programs: OpenAPI 3.1, written by hand in
// the YAML files of this folder. The tests of package api compare it with the routes,
// their parameters and their answers.
package openapi

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed *.yaml
var files embed.FS

// Document is an OpenAPI 3.1 document, as encoding/json would read it.
type Document object

// object is what a file holds between braces.
type object = map[string]any

// Read puts the files together. An error is a mistake in one of them.
func Read() (Document, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	doc := object{}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var part object
		if err := yaml.Unmarshal(text, &part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := errors.Join(tag(part), merge(doc, part)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	fill(doc)
	return doc, nil
}

// Operation is what the document says of a method and a path, nil for nothing.
// Writing to it changes the document.
func (d Document) Operation(method, path string) map[string]any {
	return at(d, "paths", path, strings.ToLower(method))
}

// JSON is the document without the address of its server.
func (d Document) JSON() (Text, error) { return json.Marshal(d) }

// Text is a document as JSON, but for the address of its server.
type Text []byte

// At is the whole document, for clients that call the API at the address. All share the bytes
// of t.
func (t Text) At(server string) (*io.SectionReader, error) {
	servers, err := json.Marshal([]object{{"url": server}})
	begin := slices.Concat([]byte(`{"servers":`), servers, []byte(","))
	return io.NewSectionReader(joined{begin, t[1:]}, 0, int64(len(begin)+len(t)-1)), err
}

// joined is two texts, one after the other.
type joined [2][]byte

// ReadAt implements io.ReaderAt.
func (j joined) ReadAt(p []byte, at int64) (n int, err error) {
	for _, text := range j {
		if size := int64(len(text)); at < size {
			n += copy(p[n:], text[at:])
			at = 0
		} else {
			at -= size
		}
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// at is the object that the keys lead to, nil if there is none.
func at(o object, keys ...string) object {
	for _, key := range keys {
		o, _ = o[key].(object) // no object leads nowhere
	}
	return o
}

// merge adds part to doc: objects key by key, lists one after the other. A value in
// two files is an error.
func merge(doc, part object) error {
	for key, v := range part {
		switch have := doc[key].(type) {
		case nil:
			if _, twice := doc[key]; !twice {
				doc[key] = v
			}
		case object:
			more, ok := v.(object)
			if !ok {
				return fmt.Errorf("%s is no object", key)
			}
			if err := merge(have, more); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		case []any:
			more, ok := v.([]any)
			if !ok {
				return fmt.Errorf("%s is no list", key)
			}
			doc[key] = append(have, more...)
		default:
			return fmt.Errorf("%s stands in another file too", key)
		}
	}
	return nil
}

// tag gives the operations of a file the tag that the file declares.
func tag(part object) error {
	if part["paths"] == nil {
		return nil
	}
	tags, _ := part["tags"].([]any)
	if len(tags) == 0 {
		return errors.New("a file with paths wants a tag")
	}
	name := at(object{"tag": tags[0]}, "tag")["name"]
	for _, op := range operations(part) {
		op.object["tags"] = []any{name}
	}
	return nil
}
