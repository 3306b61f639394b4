package api

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"granary/internal/fault"
	"granary/internal/registry"
)

// digests are the digests that a publisher declares of its body, one of each algorithm.
type digests []declaredDigest

// declaredDigest is a digest, and the header that declared it.
type declaredDigest struct {
	registry.Checksum
	header string
}

// declaredDigests reads the digests that a publisher declares: in X-Checksum-* as binary
// repositories have it, in Content-MD5 (RFC 1864), in Content-Digest and Repr-Digest (RFC
// 9530), which are equal since the body is the file, and in Digest (RFC 3230). It ignores
// unknown algorithms and refuses malformed digests.
func declaredDigests(h http.Header) (digests, error) {
	for _, in := range digestHeaders() {
		if h[in.header] != nil {
			return readDigests(h)
		}
	}
	return nil, nil
}

// digestHeader is a header in canonical form, and the function that reads its text.
type digestHeader struct {
	header string
	read   func(d *digests, header, text string) error
}

func digestHeaders() [9]digestHeader {
	return [...]digestHeader{
		{"X-Checksum-Sha256", (*digests).hexadecimal},
		{"X-Checksum-Sha512", (*digests).hexadecimal},
		{"X-Checksum-Sha1", (*digests).hexadecimal},
		{"X-Checksum-Md5", (*digests).hexadecimal},
		{"X-Checksum", (*digests).hexadecimal},
		{"Content-Md5", (*digests).contentMD5},
		{"Content-Digest", (*digests).dictionary},
		{"Repr-Digest", (*digests).dictionary},
		{"Digest", (*digests).list},
	}
}

func readDigests(h http.Header) (digests, error) {
	var d digests
	for _, in := range digestHeaders() {
		for _, text := range h[in.header] {
			if err := in.read(&d, in.header, text); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

// split separates the SHA-256, nil if there is none, from the others.
func (d digests) split() (sha256 *registry.Digest, others []registry.Checksum) {
	for _, c := range d {
		if c.Algorithm == registry.SHA256 {
			sha256 = (*registry.Digest)(c.Sum)
		} else {
			others = append(others, c.Checksum)
		}
	}
	return sha256, others
}

// add adds a digest. It refuses one that contradicts another.
func (d *digests) add(header string, algorithm registry.Algorithm, sum []byte) error {
	for _, c := range *d {
		if c.Algorithm != algorithm {
			continue
		}
		if !bytes.Equal(c.Sum, sum) {
			return fault.New(fault.Refused, fmt.Sprintf("two digests are declared, and they differ: %s %x in %s, %x in %s",
				algorithm, c.Sum, c.header, sum, header))
		}
		return nil
	}
	*d = append(*d, declaredDigest{registry.Checksum{Algorithm: algorithm, Sum: sum}, header})
	return nil
}

// hexadecimal reads an X-Checksum-*. Its length shows the algorithm, too.
func (d *digests) hexadecimal(header, text string) error {
	sum, err := hex.DecodeString(strings.TrimSpace(text))
	algorithm := algorithmOfSize(len(sum))
	if want := algorithmIn(header); want != "" && (err != nil || algorithm != want) {
		return badDigest(header, want, "hexadecimal digits")
	}
	if err != nil || algorithm == "" {
		return fault.New(fault.Refused, header+" is invalid: want the hexadecimal digits of an MD5, SHA-1, SHA-256 or SHA-512")
	}
	return d.add(header, algorithm, sum)
}

// algorithmIn is the algorithm in the name of an X-Checksum-* header, "" for none.
func algorithmIn(header string) registry.Algorithm {
	switch header {
	case "X-Checksum-Md5":
		return registry.MD5
	case "X-Checksum-Sha1":
		return registry.SHA1
	case "X-Checksum-Sha256":
		return registry.SHA256
	case "X-Checksum-Sha512":
		return registry.SHA512
	}
	return ""
}

// algorithmOfSize is the algorithm whose digests have so many bytes, "" for none.
func algorithmOfSize(n int) registry.Algorithm {
	for _, a := range [...]registry.Algorithm{registry.MD5, registry.SHA1, registry.SHA256, registry.SHA512} {
		if a.Size() == n {
			return a
		}
	}
	return ""
}

func (d *digests) contentMD5(header, text string) error {
	sum, ok := fromBase64(strings.TrimSpace(text), registry.MD5)
	if !ok {
		return badDigest(header, registry.MD5, "base64")
	}
	return d.add(header, registry.MD5, sum)
}

// dictionary reads a dictionary of structured fields (RFC 8941) with byte sequences,
// "sha-256=:...:". Keys are read in either case: a client that writes SHA-256 means it.
func (d *digests) dictionary(header, field string) error {
	if strings.TrimSpace(field) == "" {
		return nil
	}
	for member := range strings.SplitSeq(field, ",") {
		key, value, _ := strings.Cut(member, "=")
		value, _, _ = strings.Cut(value, ";") // parameters
		inner, opened := strings.CutPrefix(strings.TrimSpace(value), ":")
		inner, closed := strings.CutSuffix(inner, ":")
		key = strings.ToLower(strings.TrimSpace(key))
		if key == "" || !opened || !closed {
			return fault.New(fault.Refused, header+" is invalid: want members such as sha-256=:<base64>:")
		}
		algorithm := algorithmOf(key)
		if algorithm == "" {
			continue
		}
		sum, ok := fromBase64(inner, algorithm)
		if !ok {
			return badDigest(header, algorithm, "base64 between colons")
		}
		if err := d.add(header, algorithm, sum); err != nil {
			return err
		}
	}
	return nil
}

// list reads a Digest of RFC 3230, "SHA-256=...,adler32=...". Digests are in base64,
// checksums of 32 bits are up to eight hexadecimal digits.
func (d *digests) list(header, field string) error {
	for member := range strings.SplitSeq(field, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(member), "=")
		if key == "" && !ok {
			continue // a list may have empty members (RFC 9110 5.6.1)
		}
		if key == "" || value == "" {
			return fault.New(fault.Refused, header+" is invalid: want members such as sha-256=<base64>")
		}
		algorithm := algorithmOf(strings.ToLower(key))
		var sum []byte
		switch algorithm {
		case "":
			continue
		case registry.CRC32C, registry.Adler32:
			var err error
			sum, err = hex.DecodeString(strings.Repeat("0", max(0, 8-len(value))) + value)
			ok = err == nil && len(sum) == 4
		default:
			sum, ok = fromBase64(value, algorithm)
		}
		if !ok {
			return badDigest(header, algorithm, "base64, or hexadecimal digits for 32 bits")
		}
		if err := d.add(header, algorithm, sum); err != nil {
			return err
		}
	}
	return nil
}

// algorithmOf is the algorithm of a key in IANA's registries. It is "" for one that we
// cannot compute, or that is not about the bytes of the body.
func algorithmOf(key string) registry.Algorithm {
	switch key {
	case "sha-256":
		return registry.SHA256
	case "sha-512":
		return registry.SHA512
	case "sha":
		return registry.SHA1
	case "md5":
		return registry.MD5
	case "crc32c":
		return registry.CRC32C
	case "adler", "adler32":
		return registry.Adler32
	}
	return ""
}

// fromBase64 reads a checksum, with or without padding.
func fromBase64(text string, algorithm registry.Algorithm) ([]byte, bool) {
	sum, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	return sum, err == nil && len(sum) == algorithm.Size()
}

func badDigest(header string, algorithm registry.Algorithm, as string) error {
	return fault.New(fault.Refused, header+" is invalid: want the "+strconv.Itoa(algorithm.Size())+" bytes of a "+string(algorithm)+" in "+as)
}
