package records

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sort"

	"granary/internal/blob"
)

// Known is a set of bodies, each with its size and a number above 0 of the caller's: where
// it is. It takes 12 bytes for each, 16 if there are other numbers than 1, and a quarter more
// while it grows.
//
// Of each body it keeps 96 bits of a hash, which is of random bytes of this set, the digest and
// the size. Nobody knows the random bytes, so nobody can make two bodies with the same 96 bits;
// by chance two of a billion have them once in 10^11 sets. So Has is false for a body that is not
// in the set.
type Known struct {
	secret  [16]byte
	buckets [256]knownBodies // by the first byte
	count   int
}

// knownBodies are the bodies of a bucket.
type knownBodies struct {
	keys   []knownKey
	places []uint32 // as many; nil if all are 1
	sorted bool
}

type knownKey [12]byte

// NewKnown is an empty set.
func NewKnown() *Known {
	k := &Known{}
	_, _ = rand.Read(k.secret[:]) // never fails
	return k
}

// Add puts a body into the set. Its place is above 0 and below 2^32.
func (k *Known) Add(d blob.Digest, size int64, place int64) {
	key := k.key(d, size)
	b := &k.buckets[key[0]]
	if place != 1 {
		b.number()
	}
	b.keys = append(b.keys, key)
	if b.places != nil {
		b.places = append(b.places, knownAt(place))
	}
	b.sorted = false
	k.count++
}

// Has reports whether a body is in the set with this size, and one of its places.
func (k *Known) Has(d blob.Digest, size int64) (place int64, has bool) {
	b, i := k.find(d, size)
	if i < 0 {
		return 0, false
	}
	return b.at(i), true
}

// Move gives a body of the set another number, and reports whether it had the one of from. A body
// that was added more than once is not for it.
func (k *Known) Move(d blob.Digest, size, from, to int64) bool {
	b, i := k.find(d, size)
	if i < 0 || b.at(i) != from {
		return false
	}
	b.number()
	b.places[i] = knownAt(to)
	return true
}

// find is a body in the set: its bucket, and its index there, which is -1 if it is not there.
func (k *Known) find(d blob.Digest, size int64) (*knownBodies, int) {
	key := k.key(d, size)
	b := &k.buckets[key[0]]
	b.sort()
	i, has := slices.BinarySearchFunc(b.keys, key, compareKeys)
	if !has {
		return b, -1
	}
	return b, i
}

// Compact keeps each body once.
func (k *Known) Compact() {
	k.count = 0
	for i := range k.buckets {
		k.buckets[i].compact()
		k.count += len(k.buckets[i].keys)
	}
}

// Len is the number of bodies, each as often as it was added.
func (k *Known) Len() int { return k.count }

func (k *Known) key(d blob.Digest, size int64) knownKey {
	text := append(make([]byte, 0, 64), k.secret[:]...)
	text = append(text, d[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(size)) //nolint:gosec // the same bits each time
	sum := sha256.Sum256(text)
	return knownKey(sum[:len(knownKey{})])
}

// knownAt is a place as a set keeps it.
func knownAt(place int64) uint32 { return uint32(place) } //nolint:gosec // it is below 2^32

func compareKeys(x, y knownKey) int { return bytes.Compare(x[:], y[:]) }

// number makes the places, if they are still all 1.
func (b *knownBodies) number() {
	if b.places == nil {
		b.places = slices.Repeat([]uint32{1}, len(b.keys))
	}
}

// at is the place of a body.
func (b *knownBodies) at(i int) int64 {
	if b.places == nil {
		return 1
	}
	return int64(b.places[i])
}

func (b *knownBodies) compact() {
	b.sort()
	kept := 0
	for i, key := range b.keys {
		if i > 0 && key == b.keys[i-1] {
			continue
		}
		b.keys[kept] = key
		if b.places != nil {
			b.places[kept] = b.places[i]
		}
		kept++
	}
	b.keys = b.keys[:kept]
	if b.places != nil {
		b.places = b.places[:kept]
	}
}

func (b *knownBodies) sort() {
	if !b.sorted {
		sort.Sort(b)
		b.sorted = true
	}
}

// Len, Less and Swap implement sort.Interface.
func (b *knownBodies) Len() int { return len(b.keys) }

func (b *knownBodies) Less(i, j int) bool { return compareKeys(b.keys[i], b.keys[j]) < 0 }

func (b *knownBodies) Swap(i, j int) {
	b.keys[i], b.keys[j] = b.keys[j], b.keys[i]
	if b.places != nil {
		b.places[i], b.places[j] = b.places[j], b.places[i]
	}
}
