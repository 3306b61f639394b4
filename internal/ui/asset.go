package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// assets are the files that pages load. Their addresses have a digest of the content, so
// that browsers keep them until they change.
type assets struct {
	prefix string            // the path of the external URL, without a slash at the end
	paths  map[string]string // below the prefix, by the name of the file
	files  map[string]asset  // by the last part of the path
}

type asset struct {
	kind          string // Content-Type
	plain, packed []byte
}

// newAssets reads the files and packs them once.
func newAssets(prefix string) (*assets, error) {
	list, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, err
	}
	a := &assets{prefix: prefix, paths: map[string]string{}, files: map[string]asset{}}
	for _, entry := range list {
		name := entry.Name()
		plain, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			return nil, err
		}
		kind := map[string]string{
			".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
		}[path.Ext(name)]
		if kind == "" {
			return nil, fmt.Errorf("assets/%s has no known type", name)
		}
		packed, err := pack(plain)
		if err != nil {
			return nil, err
		}
		digest := sha256.Sum256(plain)
		ending := path.Ext(name)
		at := strings.TrimSuffix(name, ending) + "." + hex.EncodeToString(digest[:6]) + ending
		a.paths[name], a.files[at] = "/-/assets/"+at, asset{kind, plain, packed}
	}
	return a, nil
}

func pack(plain []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil { // it writes the rest
		return nil, err
	}
	return packed.Bytes(), nil
}

// path is the address of an asset by its name, as "granary.css".
func (a *assets) path(name string) (string, error) {
	at, ok := a.paths[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return a.prefix + at, nil
}

// ServeHTTP answers GET and HEAD of an asset by the last part of the path. Anything else is
// 404, a path with an old digest too: what it had is not here, and must not be kept under it.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[path.Base(r.URL.Path)]
	if !ok {
		http.Error(w, "404 Not Found", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := file.plain
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body = file.packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // of HEAD the server drops it
}

// takesGzip reports whether a client that sent this Accept-Encoding unpacks gzip.
func takesGzip(accept string) bool {
	for coding := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			value, _ := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(weight), " ", ""), "q=")
			q, err := strconv.ParseFloat(value, 64)
			return weight == "" || err == nil && q > 0
		}
	}
	return false
}
