package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"granary/internal/access"
	"granary/internal/openapi"
)

// documentPath is where the API describes itself, to anybody.
const documentPath = "/openapi.json"

// serveDocument answers with the OpenAPI document, for the address that the
// client called. All but the address is made once, when the first client asks.
func (s *Server) serveDocument() http.Handler {
	read := sync.OnceValues(s.document)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		doc, err := read()
		if err != nil {
			s.fail(w, r, err)
			return
		}
		text, err := doc.text.At(s.base(r) + prefix)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		tag := sha256.Sum256([]byte(doc.digest + s.base(r)))
		h := w.Header()
		safeHeaders(h)
		h["Content-Type"] = []string{"application/json"}
		h["Etag"] = []string{`"` + hex.EncodeToString(tag[:]) + `"`}
		h["Cache-Control"] = []string{"no-cache"}
		serveContent(w, r, time.Time{}, int64(len(text)), bytes.NewReader(text))
	})
}

// document is the text of the OpenAPI document, and its SHA-256.
type document struct {
	text   openapi.Text
	digest string
}

// document is what is written by hand, with what the table of routes knows:
// which credentials are taken.
func (s *Server) document() (document, error) {
	doc, err := openapi.Read()
	if err != nil {
		return document{}, err
	}
	for _, route := range s.routes() {
		methods := []string{route.method}
		if route.path == genericPath && route.method == http.MethodGet {
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
func describedPath(path string) string { return strings.ReplaceAll(path, "...}", "}") }

// security lists the credentials that a route takes, any one of which will do,
// by their names in the document. The empty one is no credential.
func (r route) security() []map[string][]string {
	names := []string{"PrivateToken", "PrivateTokenInQuery", "Bearer"}
	if r.doors.JobTokens {
		names = append(names, "JobToken", "JobTokenInQuery")
	}
	if r.doors.DeployTokens {
		names = append(names, "DeployToken")
	}
	if r.doors.Basic {
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
