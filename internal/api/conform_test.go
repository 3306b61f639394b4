package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"granary/internal/api"
	"granary/internal/auth"
	"granary/internal/projects"
)

// Every request of this package's tests is held against the OpenAPI document:
// what a handler reads, and what it answers, must stand there (watch). After a
// run of all tests, what stands there must have been read and answered (unseen).

// description is the document with what the tests saw of it.
type description struct {
	document   map[string]any
	operations map[string]map[string]any // by "GET /user"
	schemas    *jsonschema.Compiler      // of the document, where objects may have no other fields

	mu   sync.Mutex
	seen map[string]bool // "GET /user 200", and "GET /user name" for parameters
}

// described is the document as the server hands it out.
var described = sync.OnceValue(func() *description {
	w, places := httptest.NewRecorder(), &projects.Service{}
	(&api.Server{Auth: &auth.Service{Places: places}, Projects: places}).Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/v4/openapi.json", nil))
	d := &description{operations: map[string]map[string]any{}, seen: map[string]bool{}, schemas: jsonschema.NewCompiler()}
	if err := json.Unmarshal(w.Body.Bytes(), &d.document); err != nil {
		panic(fmt.Sprintf("the OpenAPI document: %v\n%s", err, w.Body))
	}
	for path := range d.at("paths") {
		for method := range d.at("paths", path) {
			if op := d.at("paths", path, method); op != nil {
				d.operations[strings.ToUpper(method)+" "+path] = op
			}
		}
	}
	strict, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		panic(err)
	}
	closeObjects(strict)
	d.schemas.AssertFormat()
	if err := d.schemas.AddResource(documentURL, strict); err != nil {
		panic(err)
	}
	return d
})

const documentURL = "mem:///openapi.json"

// closeObjects forbids the fields that a schema does not name: clients must bear
// new ones, but we must not forget to write them down.
func closeObjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			closeObjects(item)
		}
	case map[string]any:
		for _, item := range v {
			closeObjects(item)
		}
		if _, properties := v["properties"].(map[string]any); properties && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
	}
}

// at is the object that the keys lead to, references followed.
func (d *description) at(keys ...string) map[string]any {
	o := d.document
	for _, key := range keys {
		next, _ := o[key].(map[string]any)
		o = d.follow(next)
	}
	return o
}

func (d *description) follow(o map[string]any) map[string]any {
	if to, ok := o["$ref"].(string); ok {
		return d.at(strings.Split(strings.TrimPrefix(to, "#/"), "/")...)
	}
	return o
}

// operation is the one that the mux chose for a request.
func (d *description) operation(r *http.Request) (at string, op map[string]any) {
	_, path, _ := strings.Cut(r.Pattern, "/api/v4")
	path = strings.ReplaceAll(path, "...}", "}")
	at = r.Method + " " + path
	if r.Method == http.MethodHead && d.operations[at] == nil {
		at = "GET " + path
	}
	return at, d.operations[at]
}

// where tells a developer the place to mend.
func where(op map[string]any) string {
	return fmt.Sprintf("(the file of internal/openapi with the tag %v)", op["tags"])
}

// watch holds what the handler does against the document.
func watch(t *testing.T, s *api.Server) http.Handler {
	d := described()
	s.OnParam(func(r *http.Request, name string) {
		if problem := d.reads(r, name); problem != "" {
			t.Error(problem)
		}
	})
	h := s.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &tapped{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(a, r)
		if problem := d.answers(r, a); problem != "" {
			t.Error(problem)
		}
	})
}

// tapped keeps the status and a JSON body of an answer.
type tapped struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *tapped) WriteHeader(status int) {
	if status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *tapped) Write(b []byte) (int, error) {
	if a.Header().Get("Content-Type") == "application/json" {
		a.body.Write(b)
	}
	return a.ResponseWriter.Write(b)
}

func (a *tapped) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{a}, r)
}

func (a *tapped) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// see reports what was not seen before.
func (d *description) see(what string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.seen[what]
	d.seen[what] = true
	return !before
}

// index is what tells the entries of a list in a parameter's name.
var index = regexp.MustCompile(`\[\d*\]`)

// reads is what is wrong with a handler's reading a parameter, "" for nothing.
func (d *description) reads(r *http.Request, name string) string {
	at, op := d.operation(r)
	name = index.ReplaceAllString(name, "")
	if !d.see(at+" "+name) || op == nil || d.parameters(op)[name] {
		return ""
	}
	return fmt.Sprintf("%s reads the parameter %s, which is not described: add it to the operation's parameters, or to the schema of its body %s", at, name, where(op))
}

// parameters are the names of what an operation takes in query and body.
func (d *description) parameters(op map[string]any) map[string]bool {
	found := map[string]bool{}
	list, _ := op["parameters"].([]any)
	for _, p := range list {
		if p := d.follow(p.(map[string]any)); p["in"] == "query" {
			found[p["name"].(string)] = true
		}
	}
	body, _ := op["requestBody"].(map[string]any)
	content, _ := body["content"].(map[string]any)
	if media, ok := content["application/x-www-form-urlencoded"].(map[string]any); ok {
		d.properties("", d.follow(media["schema"].(map[string]any)), found)
	}
	return found
}

// properties adds the names that a form gives to the fields of a schema.
func (d *description) properties(outer string, schema map[string]any, found map[string]bool) {
	properties, _ := schema["properties"].(map[string]any)
	for name, v := range properties {
		if outer != "" {
			name = outer + "[" + name + "]"
		}
		inner := d.follow(v.(map[string]any))
		if items, ok := inner["items"].(map[string]any); ok {
			inner = d.follow(items)
		}
		if inner["properties"] == nil {
			found[name] = true
		}
		d.properties(name, inner, found)
	}
}

// answers is what is wrong with an answer, "" for nothing.
func (d *description) answers(r *http.Request, a *tapped) string {
	at, op := d.operation(r)
	status := strconv.Itoa(a.status)
	if op == nil {
		return "" // TestDocumentHasEveryRoute tells
	}
	d.see(at + " " + status)
	responses := op["responses"].(map[string]any)
	raw, ok := responses[status].(map[string]any)
	if !ok {
		return fmt.Sprintf("%s answers %s, which is not described: add '%s' to the operation's responses %s\n%s", at, status, status, where(op), &a.body)
	}
	content, _ := d.follow(raw)["content"].(map[string]any)
	kind, _, err := mime.ParseMediaType(a.Header().Get("Content-Type"))
	if err != nil || r.Method == http.MethodHead || content["*/*"] != nil {
		return ""
	}
	if content[kind] == nil && !(content == nil && a.Header().Get("Content-Length") == "") {
		return fmt.Sprintf("%s answers %s with %s, which is not described: add it to the response's content %s", at, status, kind, where(op))
	}
	if kind != "application/json" {
		return ""
	}
	if err := d.validate(at, status, raw, a.body.Bytes()); err != nil {
		return fmt.Sprintf("%s answers %s with what is not described: mend its schema %s\n%s\n%v", at, status, where(op), &a.body, err)
	}
	return ""
}

// validate holds a body against the schema of a response.
func (d *description) validate(at, status string, response map[string]any, body []byte) error {
	method, path, _ := strings.Cut(at, " ")
	pointer := "/paths/" + escape(path) + "/" + strings.ToLower(method) + "/responses/" + status
	if to, ok := response["$ref"].(string); ok {
		pointer = strings.TrimPrefix(to, "#")
	}
	d.mu.Lock() // a Compiler is for one goroutine
	schema, err := d.schemas.Compile(documentURL + "#" + pointer + "/content/application~1json/schema")
	d.mu.Unlock()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// escape writes a key into a JSON pointer in a URL (RFC 6901).
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(key)
}

// unseen is what the document says and no test saw: parameters that no handler
// asked for, and answers that none gave, other than the usual refusals.
func (d *description) unseen() []string {
	usual := strings.Fields("301 400 401 403 404 405 408 429 500 503")
	var found []string
	for at, op := range d.operations {
		for name := range d.parameters(op) {
			if !d.seen[at+" "+name] {
				found = append(found, fmt.Sprintf("%s: the parameter %s is described, but no handler asks for it, or no test reaches that %s", at, name, where(op)))
			}
		}
		for status := range op["responses"].(map[string]any) {
			if !slices.Contains(usual, status) && !d.seen[at+" "+status] {
				found = append(found, fmt.Sprintf("%s: the answer %s is described, but no test of this package gets it %s", at, status, where(op)))
			}
		}
	}
	slices.Sort(found)
	return found
}

// allTestsRan reports a run that nobody narrowed, by -short neither. What make test skips here it runs
// elsewhere: the longest tests, none of which is alone with an answer.
func allTestsRan() bool {
	for _, name := range []string{"test.run", "test.list", "test.fuzz"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}
