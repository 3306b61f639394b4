package api_test

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"strings"
	"testing"
)

// TestDeclaredDigest: a publisher may say what its bytes come to.
func TestDeclaredDigest(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	large := strings.Repeat("x", 50_000)
	for i, body := range []string{"hello", large} {
		sum, other := sha256.Sum256([]byte(body)), sha256.Sum256([]byte("other"))
		right, wrong := hex.EncodeToString(sum[:]), hex.EncodeToString(other[:])
		right64, wrong64 := base64.StdEncoding.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(other[:])
		for j, tc := range []struct {
			headers []string
			ok      bool
		}{
			{[]string{"X-Checksum-SHA256: " + right}, true},
			{[]string{"X-Checksum-Sha256:  " + strings.ToUpper(right) + " "}, true},
			{[]string{"Content-Digest: sha-256=:" + right64 + ":"}, true},
			{[]string{"Content-Digest: sha-999=:AAAA:, sha-256=:" + right64 + ":;x=1"}, true},
			{[]string{"Content-Digest: sha-999=:AAAA:"}, true},
			{[]string{"Content-Digest: sha-999=:AAAA:", "Content-Digest: sha-256=:" + right64 + ":"}, true},
			{[]string{"X-Checksum-Sha256: " + right, "Content-Digest: sha-256=:" + right64 + ":"}, true},
			{[]string{"X-Checksum-Sha256: " + right, "X-Checksum-Sha256: " + right}, true},
			{[]string{"Content-Digest: "}, true},
			{[]string{"Repr-Digest: sha-256=:" + strings.TrimRight(right64, "=") + ":", "Digest: SHA-256=" + right64 + ",x=y"}, true},
			{[]string{"X-Checksum-SHA256: " + wrong}, false},
			{[]string{"Content-Digest: sha-512=:AAAA:"}, false},
			{[]string{"Content-Digest: sha-999"}, false},
			{[]string{"Content-Digest: ,,"}, false},
			{[]string{"Repr-Digest: sha-256=:" + wrong64 + ":"}, false},
			{[]string{"Repr-Digest: sha-256=:" + wrong64 + ":", "Content-Digest: sha-256=:" + right64 + ":"}, false},
			{[]string{"Digest: sha-256=" + wrong64}, false},
			{[]string{"Digest: sha-256=:" + right64 + ":"}, false},
			{[]string{"Digest: sha-256"}, false},
			{[]string{"X-Checksum-SHA256: "}, false},
			{[]string{"X-Checksum-SHA256: " + right[1:]}, false},
			{[]string{"X-Checksum-SHA256: z" + right[1:]}, false},
			{[]string{"X-Checksum-SHA256: " + right, "X-Checksum-SHA256: " + wrong}, false},
			{[]string{"X-Checksum-SHA256: " + right, "Content-Digest: sha-256=:" + wrong64 + ":"}, false},
			{[]string{"Content-Digest: sha-256=:" + wrong64 + ":"}, false},
			{[]string{"Content-Digest: sha-256=" + right64}, false},
			{[]string{"Content-Digest: sha-256=:" + right64}, false},
			{[]string{"Content-Digest: sha-256=:!:"}, false},
			{[]string{"Content-Digest: sha-256"}, false},
			{[]string{"Content-Digest: sha-256 = :" + wrong64 + ":"}, false},
			{[]string{"Content-Digest: SHA-256=:" + wrong64 + ":"}, false},
		} {
			file := generic(p, fmt.Sprintf("tool/%d.%d.0/f", i, j))
			got := s.do("PUT", file, strings.NewReader(body), append(tc.headers, "PRIVATE-TOKEN: "+rootToken)...)
			if tc.ok {
				got.is(t, 201, created)
				continue
			}
			got.starts(t, 400, "400 Bad request - ")
			s.root("GET", file, nil).is(t, 404, noRow)
		}
	}
}

// TestDeclaredChecksums: what a publisher declares by another algorithm is compared
// too, in each header that may say it, of bodies in memory and streamed ones; an
// empty body is no way around it.
func TestDeclaredChecksums(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	n := 0
	for _, body := range []string{"", "hello", strings.Repeat("x", 50_000)} {
		of, other := checksumHeaders(body), checksumHeaders(body+"!")
		for i := range of {
			n++
			file := generic(p, fmt.Sprintf("tool/1.0.%d/f", n))
			put := func(header ...string) answer {
				return s.do("PUT", file, strings.NewReader(body), append(header, "PRIVATE-TOKEN: "+rootToken)...)
			}
			put(other[i]).starts(t, 400, "400 Bad request - other digest: ")
			name, value, _ := strings.Cut(of[i], ": ")
			put(name+": "+value+"x").starts(t, 400, "400 Bad request - "+name+" is invalid: want ")
			put(name+": "+value[:len(value)/2]).starts(t, 400, "400 Bad request - ")
			put(of[i], other[i]).starts(t, 400, "400 Bad request - two digests are declared, and they differ: ")
			s.root("GET", file, nil).is(t, 404, noRow)
			put(of[i]).is(t, 201, created)
			s.root("GET", file, nil).is(t, 200, body)
		}
		put := s.do("PUT", generic(p, "tool/2.0.0/all"), strings.NewReader(body), append(of, "PRIVATE-TOKEN: "+rootToken)...)
		put.is(t, 201, created)
	}
	wantValue(t, "files", s.count("package_files"), n+3)
}

// TestTwoDigestsThatDiffer: the refusal names both values, and where each stood.
func TestTwoDigestsThatDiffer(t *testing.T) {
	s := newServer(t)
	file := generic(s.project("tool", "private"), "tool/1.0.0/f")
	one, two := sha256Of("one"), sha256Of("two")
	raw, _ := hex.DecodeString(two)
	for _, tc := range []struct{ first, second, want string }{
		{"X-Checksum-SHA256: " + one, "Repr-Digest: sha-256=:" + base64.StdEncoding.EncodeToString(raw) + ":",
			"SHA-256 " + one + " in X-Checksum-Sha256, " + two + " in Repr-Digest"},
		{"X-Checksum: " + two, "X-Checksum: " + one, "SHA-256 " + two + " in X-Checksum, " + one + " in X-Checksum"},
		{"Digest: crc32c=1", "Digest: crc32c=2", "CRC-32C 00000001 in Digest, 00000002 in Digest"},
	} {
		s.do("PUT", file, strings.NewReader("one"), "PRIVATE-TOKEN: "+rootToken, tc.first, tc.second).
			is(t, 400, `{"message":"400 Bad request - two digests are declared, and they differ: `+tc.want+`"}`)
	}
}

// checksumHeaders declares a body in every way there is but SHA-256.
func checksumHeaders(body string) []string {
	b := []byte(body)
	five, one, two := md5.Sum(b), sha1.Sum(b), sha512.Sum512(b)
	crc, adler := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)), adler32.Checksum(b)
	in64 := base64.StdEncoding.EncodeToString
	headers := []string{
		"X-Checksum-Md5: " + hex.EncodeToString(five[:]), "X-Checksum-Sha1: " + hex.EncodeToString(one[:]), "X-Checksum-Sha512: " + hex.EncodeToString(two[:]),
		"X-Checksum: " + hex.EncodeToString(five[:]), "X-Checksum: " + hex.EncodeToString(one[:]), "X-Checksum: " + hex.EncodeToString(two[:]),
		"Content-Md5: " + in64(five[:]),
		fmt.Sprintf("Digest: ADLER32=%x", adler), fmt.Sprintf("Digest: crc32c=%08x", crc),
		"Digest: MD5=" + in64(five[:]), "Digest: SHA=" + in64(one[:]), "Digest: SHA-512=" + in64(two[:]),
	}
	for _, name := range []string{"Content-Digest", "Repr-Digest"} {
		for _, member := range []string{
			"sha-512=:" + in64(two[:]) + ":", "sha=:" + in64(one[:]) + ":", "md5=:" + in64(five[:]) + ":",
			fmt.Sprintf("crc32c=:%s:", in64([]byte{byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)})),
			fmt.Sprintf("adler=:%s:", in64([]byte{byte(adler >> 24), byte(adler >> 16), byte(adler >> 8), byte(adler)})),
		} {
			headers = append(headers, name+": "+member)
		}
	}
	return headers
}
