package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"granary/internal/access"
	"granary/internal/openapi"
)

// documentPath is the path of the OpenAPI document, which anybody may read.
const documentPath = "/openapi.json"

// describe answers with the OpenAPI document for the address that the client called.
// The rest of the document is made once, for the first client.
func (s *Server) describe() func(*call) error {
	read := sync.OnceValues(s.document)
	return func(c *call) error {
		doc, err := read()
		if err != nil {
			return err
		}
		text, err := doc.text.At(c.base() + prefix)
		if err != nil {
			return err
		}
		tag := sha256.Sum256([]byte(doc.digest + c.base()))
		h := c.w.Header()
		safeHeaders(h)
		h["Content-Type"] = []string{"application/json"}
		h["Etag"] = []string{`"` + hex.EncodeToString(tag[:]) + `"`}
		h["Cache-Control"] = []string{"no-cache"}
		serveContent(c.w, c.r, time.Time{}, text.Size(), text)
		return nil
	}
}

// document is the text of the OpenAPI document, and its SHA-256.
type document struct {
	text   openapi.Text
	digest string
}

// document is the document that is written by hand, with the credentials that the table
// of routes says.
func (s *Server) document() (document, error) {
	doc, err := openapi.Read()
	if err != nil {
		return document{}, err
	}
	for _, route := range s.routes() {
		if route.way.order == noCredential {
			continue
		}
		methods := []string{route.method}
		if strings.HasPrefix(route.path, prefix+genericName) && route.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		for _, method := range methods {
			if op := doc.Operation(method, describedPath(route.path)); op != nil {
				op["security"] = route.security()
			}
		}
	}
	text, err := doc.JSON()
	digest := sha256.Sum256(text)
	return document{text, string(digest[:])}, err
}

// describedPath is a route's path as OpenAPI writes it.
func describedPath(path string) string {
	return strings.ReplaceAll(strings.TrimPrefix(path, prefix), "...}", "}")
}

// security lists the credentials that a route takes, by their names in the document. Any
// one is enough. An empty entry means that none is needed.
func (r *route) security() []map[string][]string {
	names := []string{"PrivateToken", "PrivateTokenInQuery", "Bearer"}
	if r.way.doors.JobTokens {
		names = append(names, "JobToken", "JobTokenInQuery")
	}
	if r.way.doors.DeployTokens {
		names = append(names, "DeployToken")
	}
	if r.way.doors.Basic {
		names = append(names, "Basic")
	}
	var taken []map[string][]string
	if access.CheckToken(access.Actor{}, r.action) == access.Allowed {
		taken = append(taken, map[string][]string{})
	}
	for _, name := range names {
		taken = append(taken, map[string][]string{name: {}})
	}
	return taken
}
