package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"granary/internal/fault"
)

// params are a request's parameters, from query, form or JSON (contract rest-api 1.1).
// Unknown ones are ignored. Readers note what they cannot read; err returns it all at
// once.
type params struct {
	values map[string][]string
	null   map[string]bool // sent as JSON null
	array  map[string]bool // sent as a list: name[]=, or a JSON array
	faults *[]string
	most   int               // characters that a value may have; 0 for maxText
	asked  func(name string) // called for every parameter that is read; nil except in tests
}

const (
	maxBody      = 1 << 20 // bytes of a body with parameters
	maxParts     = 1000    // parameters in all
	maxName      = 255     // characters of a parameter's name
	maxList      = 1000    // values of one parameter
	maxText      = 255     // characters of a value, unless upTo allows more
	maxReference = 4096    // characters of a full path
	maxRest      = 512     // characters of the rest of a request's path, with slashes
	maxJSONDepth = 4
)

// newParams is no parameters.
func newParams() params { return params{values: map[string][]string{}, faults: new([]string)} }

// readParams reads the query and the body, which takeBody has limited. The body wins
// over the query.
func readParams(r *http.Request) (params, error) {
	p := newParams()
	p.null, p.array = map[string]bool{}, map[string]bool{}
	p.putAll(r.URL.Query())
	if hasBody(r) {
		if err := p.readBody(r); err != nil {
			return p, err
		}
	}
	return p, p.checkText()
}

func (p params) readBody(r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		return p.readForm(r.Body)
	case "multipart/form-data":
		if err := r.ParseMultipartForm(maxBody); err != nil {
			return bodyFault(err, "form")
		}
		p.putAll(r.MultipartForm.Value)
		return nil
	}
	return p.readJSON(r.Body)
}

// readForm reads a form, also of a DELETE, whose body Request.ParseForm ignores.
func (p params) readForm(body io.Reader) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return bodyFault(err, "form")
	}
	values, err := url.ParseQuery(string(text))
	if err != nil {
		return bodyFault(err, "form")
	}
	p.putAll(values)
	return nil
}

// checkText refuses text that no field of a record can hold, and too much of it.
func (p params) checkText() error {
	if len(p.values)+len(p.null) > maxParts {
		return errTooMany()
	}
	for name, values := range p.values {
		if tooLong(name, maxName) {
			return errLongName()
		}
		if len(values) > maxList {
			return fault.New(fault.Invalid, "a parameter has too many values")
		}
		if badText(name) || slices.ContainsFunc(values, badText) {
			return fault.New(fault.Invalid, "a parameter is not valid UTF-8, or contains a NUL")
		}
	}
	return nil
}

func errTooMany() error  { return fault.New(fault.Invalid, "too many parameters") }
func errLongName() error { return fault.New(fault.Invalid, tooLongText("a parameter's name", maxName)) }

func badText(s string) bool { return !utf8.ValidString(s) || strings.ContainsRune(s, 0) }

func (p params) putAll(form map[string][]string) {
	for name, values := range form {
		p.put(name, values...)
	}
}

// put stores values under a name; "scopes[]" is the list "scopes".
func (p params) put(name string, values ...string) {
	name, list := strings.CutSuffix(name, "[]")
	p.values[name] = values
	p.array[name] = list
	delete(p.null, name)
}

func (p params) readJSON(body io.Reader) error {
	object, err := decodeBody(body)
	if err != nil {
		return err
	}
	return p.flatten("", object, 0)
}

// flatten turns {"a":{"b":1}} into the parameter a[b], as a form would send it.
func (p params) flatten(outer string, object map[string]any, depth int) error {
	if depth > maxJSONDepth {
		return fault.New(fault.Invalid, "the body is nested too deeply")
	}
	for key, v := range object {
		name := key
		if outer != "" {
			name = outer + "[" + key + "]"
		}
		switch { // before each key of an object repeats the name
		case tooLong(name, maxName):
			return errLongName()
		case len(p.values)+len(p.null) > maxParts:
			return errTooMany()
		}
		switch v := v.(type) {
		case nil:
			name = strings.TrimSuffix(name, "[]")
			delete(p.values, name)
			delete(p.array, name)
			p.null[name] = true
		case map[string]any:
			if err := p.flatten(name, v, depth+1); err != nil {
				return err
			}
		case []any:
			if isObjects(v) {
				if err := p.putObjects(name, v, depth); err != nil {
					return err
				}
				continue
			}
			p.putList(name, v)
		default:
			p.put(name, scalar(v))
		}
	}
	return nil
}

func (p params) putList(name string, list []any) {
	values := make([]string, 0, len(list))
	for _, v := range list {
		values = append(values, scalar(v))
	}
	p.put(name+"[]", values...)
}

// scalar is a JSON value as a form would send it.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case nil:
		return ""
	}
	return fmt.Sprint(v) // an object in a list, which no reader accepts
}

func bodyFault(err error, want string) error {
	if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.Wrap(fault.Refused, "the body is too large (maximum is "+strconv.FormatInt(tooBig.Limit, 10)+" bytes)", err)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fault.Wrap(fault.Timeout, "the body arrived too slowly", err)
	}
	return fault.Wrap(fault.Invalid, "the body is not a valid "+want+": "+err.Error(), err)
}
