package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/wire"
)

// params are a request's parameters, wherever they came from: query, form or
// JSON (contract rest-api 1.1). Unknown ones are left alone. Readers note what
// they cannot read; err tells it all at once.
type params struct {
	values map[string][]string
	null   map[string]bool // sent as JSON null
	faults *[]string
}

const (
	maxBody      = 1 << 20 // bytes of a body with parameters
	maxParts     = 1000    // values in all
	maxJSONDepth = 4
)

// readParams reads query and body. The body wins over the query.
func readParams(w http.ResponseWriter, r *http.Request) (params, error) {
	p := params{values: map[string][]string{}, null: map[string]bool{}, faults: new([]string)}
	for name, values := range r.URL.Query() {
		p.put(name, values...)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Body == nil || r.Body == http.NoBody {
		return p, nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		err = p.readForm(r, r.ParseForm())
	case "multipart/form-data":
		err = p.readForm(r, r.ParseMultipartForm(maxBody))
	default:
		err = p.readJSON(r.Body)
	}
	if err == nil && len(p.values)+len(p.null) > maxParts {
		err = fault.New(fault.Invalid, "too many parameters")
	}
	return p, err
}

// put stores values under a name; "scopes[]" is "scopes".
func (p params) put(name string, values ...string) {
	name = strings.TrimSuffix(name, "[]")
	p.values[name] = values
	delete(p.null, name)
}

func (p params) readForm(r *http.Request, err error) error {
	if err != nil {
		return bodyFault(err, "form")
	}
	for name, values := range r.PostForm {
		p.put(name, values...)
	}
	if r.MultipartForm != nil {
		for name, values := range r.MultipartForm.Value {
			p.put(name, values...)
		}
	}
	return nil
}

func (p params) readJSON(body io.Reader) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return bodyFault(err, "JSON")
	}
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil
	}
	var object map[string]any
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	if err := dec.Decode(&object); err != nil {
		return bodyFault(err, "JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "the body is not one valid JSON object: something follows it")
	}
	return p.flatten("", object, 0)
}

// flatten makes {"a":{"b":1}} the parameter a[b], as a form would send it.
func (p params) flatten(outer string, object map[string]any, depth int) error {
	if depth > maxJSONDepth {
		return fault.New(fault.Invalid, "the body is nested too deep")
	}
	for key, v := range object {
		name := key
		if outer != "" {
			name = outer + "[" + key + "]"
		}
		switch v := v.(type) {
		case nil:
			delete(p.values, name)
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
	p.put(name, values...)
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
	}
	return ""
}

func bodyFault(err error, want string) error {
	if _, tooBig := errors.AsType[*http.MaxBytesError](err); tooBig {
		return fault.Wrap(fault.Refused, "the body is too large: "+strconv.Itoa(maxBody)+" bytes are allowed here", err)
	}
	return fault.Wrap(fault.Invalid, "the body is not a valid "+want+": "+err.Error(), err)
}

// fail notes what is wrong with a parameter, in GitLab's words.
func (p params) fail(text string) {
	if !slices.Contains(*p.faults, text) {
		*p.faults = append(*p.faults, text)
	}
}

// err is everything noted so far, nil for nothing.
func (p params) err() error {
	if len(*p.faults) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, strings.Join(*p.faults, ", "))
}

// has reports whether the parameter was sent, null included.
func (p params) has(name string) bool { return len(p.values[name]) > 0 || p.null[name] }

// str is a parameter, empty where it was not sent.
func (p params) str(name string) string {
	if v := p.values[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// required is a parameter that must be sent.
func (p params) required(name string) string {
	if len(p.values[name]) == 0 {
		p.fail(name + " is missing")
	}
	return p.str(name)
}

// optional is a parameter, nil where it was not sent.
func (p params) optional(name string) *string {
	if len(p.values[name]) == 0 {
		return nil
	}
	v := p.str(name)
	return &v
}

// integer is a number, 0 where it was not sent or is empty.
func (p params) integer(name string) int64 {
	if v := p.optionalInteger(name); v != nil {
		return *v
	}
	return 0
}

func (p params) optionalInteger(name string) *int64 {
	text := p.str(name)
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.fail(name + " is invalid")
		return nil
	}
	return &n
}

// integers is a list of numbers, repeated or with commas between.
func (p params) integers(name string) []int64 {
	var list []int64
	for _, text := range p.list(name) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			p.fail(name + " is invalid")
			return nil
		}
		list = append(list, n)
	}
	return list
}

// boolean is a truth value, false where it was not sent.
func (p params) boolean(name string) bool {
	v := p.optionalBoolean(name)
	return v != nil && *v
}

func (p params) optionalBoolean(name string) *bool {
	text := strings.ToLower(p.str(name))
	if text == "" {
		return nil
	}
	yes := slices.Contains([]string{"true", "t", "1", "on", "yes"}, text)
	if !yes && !slices.Contains([]string{"false", "f", "0", "off", "no"}, text) {
		p.fail(name + " is invalid")
		return nil
	}
	return &yes
}

// list is a parameter sent several times, or with commas between.
func (p params) list(name string) []string {
	var list []string
	for _, v := range p.values[name] {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
	}
	return list
}

// moment is an ISO 8601 time or day, in UTC where it says nothing.
func (p params) moment(name string) *time.Time {
	text := p.str(name)
	if text == "" {
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, wire.DateLayout, "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 0 && t.Year() < 10000 {
			t = t.UTC()
			return &t
		}
	}
	p.fail(name + " is invalid")
	return nil
}

// day is a date; a time is cut to its day.
func (p params) day(name string) *time.Time {
	t := p.moment(name)
	if t != nil {
		day := t.Truncate(24 * time.Hour)
		t = &day
	}
	return t
}

// choice is a parameter with a fixed set of values, "" where it was not sent.
func (p params) choice(name string, values ...string) string {
	v := p.str(name)
	if v != "" && !slices.Contains(values, v) {
		p.fail(name + " does not have a valid value")
	}
	return v
}

// setting is a parameter that may be null; empty counts as null where the type
// has no empty value.
func setting[T any](p params, name string, read func(string) *T) projects.Setting[T] {
	if p.null[name] {
		return projects.Setting[T]{Given: true}
	}
	if len(p.values[name]) == 0 {
		return projects.Setting[T]{}
	}
	return projects.Setting[T]{Given: true, Value: read(name)}
}
