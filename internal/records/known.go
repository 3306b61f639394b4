package records

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"granary/internal/blob"
)

// Known is a set of bodies, each with its size and a number above 0 of the caller's: where
// it is. It takes 24 bytes for each, and a quarter more while it grows.
//
// Of each body it keeps 128 bits of a hash, which is of random bytes of this set, the digest and
// the size. Nobody knows the random bytes, so nobody can make two bodies with the same 128 bits,
// and they never have the same by chance. So Has is false for a body that is not in the set.
type Known struct {
	secret  [16]byte
	buckets [256][]knownBody // by the first byte
	sorted  [256]bool
	count   int
}

type knownBody struct {
	key   [16]byte
	place int64 // 0 once it was taken
}

// NewKnown is an empty set.
func NewKnown() *Known {
	k := &Known{}
	_, _ = rand.Read(k.secret[:]) // never fails
	return k
}

// Add puts a body into the set.
func (k *Known) Add(d blob.Digest, size int64, place int64) {
	key := k.key(d, size)
	b := key[0]
	k.buckets[b] = append(k.buckets[b], knownBody{key, place})
	k.sorted[b] = false
	k.count++
}

// Has reports whether a body is in the set with this size, and one of its places.
func (k *Known) Has(d blob.Digest, size int64) (place int64, has bool) {
	if found := k.find(d, size); found != nil {
		return found.place, true
	}
	return 0, false
}

// Take is Has that removes the body, if it was added once.
func (k *Known) Take(d blob.Digest, size int64) (place int64, has bool) {
	found := k.find(d, size)
	if found == nil {
		return 0, false
	}
	place, found.place = found.place, 0
	return place, true
}

// find is a body in the set; nil if it is not there.
func (k *Known) find(d blob.Digest, size int64) *knownBody {
	key := k.key(d, size)
	k.sort(int(key[0]))
	bucket := k.buckets[key[0]]
	i, has := slices.BinarySearchFunc(bucket, key, func(x knownBody, key [16]byte) int { return bytes.Compare(x.key[:], key[:]) })
	if !has || bucket[i].place == 0 {
		return nil
	}
	return &bucket[i]
}

// Compact keeps each body once.
func (k *Known) Compact() {
	k.count = 0
	for i := range k.buckets {
		k.sort(i)
		k.buckets[i] = slices.CompactFunc(k.buckets[i], func(x, y knownBody) bool { return x.key == y.key })
		k.count += len(k.buckets[i])
	}
}

// Len is the number of bodies, each as often as it was added.
func (k *Known) Len() int { return k.count }

func (k *Known) sort(i int) {
	if !k.sorted[i] {
		slices.SortFunc(k.buckets[i], func(x, y knownBody) int { return bytes.Compare(x.key[:], y.key[:]) })
		k.sorted[i] = true
	}
}

func (k *Known) key(d blob.Digest, size int64) [16]byte {
	text := append(make([]byte, 0, 64), k.secret[:]...)
	text = append(text, d[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(size)) //nolint:gosec // the same bits each time
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}
