package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/registry"
)

// call is one request on its way to its deed.
type call struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	route  *route
	actor  access.Actor
	params params

	refused error        // the refusal of the credential, for deeds of parametersFirst
	ref     string       // id or path of the project, of generic packages and web addresses
	raw     registry.Raw // of generic packages
	rest    []string     // of web addresses: the parts that matcher found

	address string // the result of base, after its first call
}

// path is a path value, decoded.
func (c *call) path(name string) string { return c.r.PathValue(name) }

// checkPath refuses values in the path that are too long. It leaves the id or path of a
// project, group or user to the look-up, which answers 404.
func (c *call) checkPath() error {
	for part := range strings.SplitSeq(c.route.path, "/") {
		name, isValue := strings.CutPrefix(strings.TrimSuffix(part, "}"), "{")
		if !isValue || name == "id" {
			continue
		}
		most := maxText
		name, rest := strings.CutSuffix(name, "...")
		if rest {
			most = maxRest
		}
		if tooLong(c.path(name), most) {
			return fault.New(fault.Invalid, tooLongText(name, most))
		}
	}
	return nil
}

// id is a path value that is a positive number in its shortest form.
func (c *call) id(name string) (int64, error) {
	n, err := strconv.ParseInt(c.path(name), 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != c.path(name) {
		return 0, fault.New(fault.Invalid, name+" is invalid")
	}
	return n, nil
}

// reads reports a request that changes nothing.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// ok answers 200 with a body.
func (c *call) ok(body any) error { return c.reply(http.StatusOK, body) }

// created answers 201 with a body.
func (c *call) created(body any) error { return c.reply(http.StatusCreated, body) }

// accepted answers 202 as GitLab does.
func (c *call) accepted() error { return c.reply(http.StatusAccepted, message("202 Accepted", "")) }

// noContent answers 204.
func (c *call) noContent() error {
	safeHeaders(c.w.Header())
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// moved redirects a request for a project by a former path to the same route with the
// project's id, which the fault holds (contract rest-api 1.1).
func (c *call) moved(err error) {
	var id int64
	if e, ok := errors.AsType[*fault.Error](err); ok {
		id = e.To
	}
	_, rest, _ := strings.Cut(strings.TrimPrefix(c.r.URL.EscapedPath(), prefix+"/projects/"), "/")
	to := c.base() + prefix + "/projects/" + strconv.FormatInt(id, 10)
	if rest != "" {
		to += "/" + rest
	}
	if q := c.r.URL.RawQuery; q != "" && len(q) <= maxNext {
		to += "?" + c.r.URL.RawQuery
	}
	h := c.w.Header()
	safeHeaders(h)
	h.Set("Location", to)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	c.w.WriteHeader(http.StatusMovedPermanently)
	_, _ = io.WriteString(c.w, "This resource has been moved permanently to "+to+".") // a client that is gone needs no answer
}

func (c *call) reply(status int, body any) error {
	c.s.writeJSON(c.w, status, body)
	return nil
}

// base is the server's address as this client should see it, without a slash at the
// end.
func (c *call) base() string {
	if c.address == "" {
		c.address = c.s.base(c.r)
	}
	return c.address
}

// writeJSON writes a whole short answer; lists use answerWriter. A body that cannot be
// encoded is a bug, answered with 500.
func (s *Server) writeJSON(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	if err := encodeJSON(&b, body); err != nil {
		status = http.StatusInternalServerError
		b.Reset()
		b.WriteString(`{"message":"500 Internal Server Error"}`)
	}
	h := w.Header()
	jsonHeaders(h)
	h["Content-Length"] = []string{strconv.Itoa(b.Len())}
	w.WriteHeader(status)
	_ = s.deliver(w, b.Bytes()) // a client that is gone needs no answer
}

// safeHeaders sets the headers of every answer of the API.
func safeHeaders(h http.Header) {
	h["X-Frame-Options"] = []string{"SAMEORIGIN"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
}
