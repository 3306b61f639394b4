package blob_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"testing"

	"granary/internal/blob"
	"granary/internal/blob/blobtest"
)

// Published values: FIPS 180-4, RFC 1321, IANA's registry of HTTP digest algorithms.
func TestChecksums(t *testing.T) {
	for _, c := range []struct {
		algorithm blob.Algorithm
		body, sum string
	}{
		{blob.SHA512, "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
		{blob.SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{blob.MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
		{blob.CRC32C, "dog", "0a72a4df"},
		{blob.Adler32, "Wiki", "03da0195"},
		{blob.MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
	} {
		sum, err := hex.DecodeString(c.sum)
		if err != nil || len(sum) != c.algorithm.Size() {
			t.Fatalf("%s has %d bytes, not %d, %v", c.algorithm, c.algorithm.Size(), len(sum), err)
		}
		for _, inline := range []int64{0, 100} { // streamed, and in memory
			l := blob.Limits{Length: -1, Inline: inline, Checksums: []blob.Checksum{{Algorithm: c.algorithm, Sum: sum}}}
			r, err := blob.Receive(t.Context(), openDisk(t), bytes.NewReader([]byte(c.body)), l)
			if err != nil {
				t.Errorf("%s of %q: %v", c.algorithm, c.body, err)
				continue
			}
			if err := r.Abort(); err != nil {
				t.Error(err)
			}
			_, err = blob.Receive(t.Context(), openDisk(t), bytes.NewReader([]byte(c.body+"x")), l)
			if !errors.Is(err, blob.ErrDigestMismatch) {
				t.Errorf("%s of another body: %v", c.algorithm, err)
			}
		}
	}
}

// All of a large body counts, and every checksum of it.
func TestChecksumsOfALargeBody(t *testing.T) {
	data := blobtest.Bytes(1, 3<<20+1)
	md5Of, sha1Of := md5.Sum(data), sha1.Sum(data)
	sums := []blob.Checksum{
		{Algorithm: blob.MD5, Sum: md5Of[:]},
		{Algorithm: blob.SHA1, Sum: sha1Of[:]},
	}
	for _, at := range []int{0, len(data) / 2, len(data) - 1} {
		other := bytes.Clone(data)
		other[at]++
		for i := range sums {
			_, err := blob.Receive(t.Context(), openDisk(t), bytes.NewReader(other), blob.Limits{Length: -1, Inline: 1000, Checksums: sums[i:]})
			if !errors.Is(err, blob.ErrDigestMismatch) {
				t.Errorf("another byte at %d: %v", at, err)
			}
		}
	}
	r, err := blob.Receive(t.Context(), openDisk(t), bytes.NewReader(data), blob.Limits{Length: -1, Inline: 1000, Checksums: sums})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Commit(); err != nil {
		t.Error(err)
	}
}
