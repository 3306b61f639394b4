package api

import (
	"encoding/base64"
	"net/http"
	"strings"

	"granary/internal/fault"
	"granary/internal/registry"
)

// contentType is what a file is served as: by its extension where the type is
// on GitLab's short list, else application/octet-stream, so that nothing that
// somebody uploaded runs in a browser (contract generic-packages 3.3).
func contentType(name string) string {
	switch extension(name) {
	case "gz", "tgz":
		return "application/gzip"
	case "zip":
		return "application/zip"
	case "7z":
		return "application/x-7z-compressed"
	case "xz", "txz":
		return "application/x-xz"
	case "deb", "udeb":
		return "application/x-debian-package"
	case "jar", "war", "ear":
		return "application/java-archive"
	case "apk":
		return "application/vnd.android.package-archive"
	case "dmg":
		return "application/x-apple-diskimage"
	case "tar":
		return "application/x-tar"
	case "gtar":
		return "application/x-gtar"
	case "bz2", "tbz", "tbz2":
		return "application/x-bzip2"
	case "iso":
		return "application/x-iso9660-image"
	}
	return "application/octet-stream"
}

// extension is what follows the last dot; a name that is nothing else has none.
func extension(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 {
		return ""
	}
	return strings.ToLower(name[i+1:])
}

// declaredDigest reads the SHA-256 that a publisher declares of its body, in
// X-Checksum-SHA256 or in Content-Digest (RFC 9530); nil where it declares
// none. Two that differ are refused like one that is no digest.
func declaredDigest(h http.Header) (*registry.Digest, error) {
	var declared *registry.Digest
	for _, text := range h.Values("X-Checksum-Sha256") {
		d, err := registry.ParseDigest(strings.TrimSpace(text))
		if err != nil {
			return nil, fault.New(fault.Refused, "X-Checksum-SHA256 is invalid: "+err.Error())
		}
		if declared != nil && !declared.Equal(d) {
			return nil, fault.New(fault.Refused, "two digests are declared, and they differ")
		}
		declared = &d
	}
	d, err := contentDigest(strings.Join(h.Values("Content-Digest"), ","))
	if err != nil || d == nil {
		return declared, err
	}
	if declared != nil && !declared.Equal(*d) {
		return nil, fault.New(fault.Refused, "two digests are declared, and they differ")
	}
	return d, nil
}

// contentDigest finds the SHA-256 in a Content-Digest: a dictionary of
// structured fields (RFC 8941) with byte sequences, "sha-256=:...:". Other
// algorithms are nothing to us.
func contentDigest(field string) (*registry.Digest, error) {
	var found *registry.Digest
	for member := range strings.SplitSeq(field, ",") {
		key, value, _ := strings.Cut(member, "=")
		if !strings.EqualFold(strings.TrimSpace(key), "sha-256") {
			continue // another algorithm; whoever comes near ours means it
		}
		value, _, _ = strings.Cut(value, ";") // parameters
		inner, ok := strings.CutPrefix(strings.TrimSpace(value), ":")
		inner, closed := strings.CutSuffix(inner, ":")
		sum, err := base64.StdEncoding.DecodeString(inner)
		if !ok || !closed || err != nil || len(sum) != len(registry.Digest{}) {
			return nil, fault.New(fault.Refused, "Content-Digest is invalid: sha-256 must be 32 bytes in base64 between colons")
		}
		found = (*registry.Digest)(sum)
	}
	return found, nil
}
