package records

import (
	"crypto/sha256"
	"encoding/binary"
	"io"

	"granary/internal/blob"
)

// RightBodies reads a damaged pack and passes on each body that is right, valid until the
// next. Where they are is told by the index, or if that is damaged by the heads of the bodies,
// up to the first that leads out of the pack. The bodies of an index that are larger together
// than a pack do not count from there on. wrong are the bodies that are not right, as far
// as index or heads name them. What of the pack cannot be read is as if it was cut off. An
// error is one of the store, or of each. It takes the memory of a pack.
func RightBodies(r io.Reader, each func(d blob.Digest, body []byte) error) (wrong []PackEntry, err error) {
	pack, entries, err := packAsItIs(r)
	if err != nil {
		return nil, err
	}
	all := int64(0) // so that an index in which bodies overlap does not take hours
	for _, e := range entries {
		if all += e.Size; e.Size > MaxBody || all > PackSize || e.Offset+e.Size > int64(len(pack)) {
			wrong = append(wrong, e)
			continue
		}
		body := pack[e.Offset : e.Offset+e.Size]
		if sha256.Sum256(body) != e.Digest {
			wrong = append(wrong, e)
			continue
		}
		if err := each(e.Digest, body); err != nil {
			return wrong, err
		}
	}
	return wrong, nil
}

// headsOf is what the heads of the bodies say, without the index.
func headsOf(pack []byte) (entries []PackEntry) {
	at := int64(len(packMagic))
	for at+headSize <= int64(len(pack)) {
		head := pack[at : at+headSize]
		d, size := blob.Digest(head[:sha256.Size]), binary.BigEndian.Uint32(head[sha256.Size:])
		if size > MaxBody {
			return entries // the end of the bodies, or damage
		}
		at += headSize
		entries = append(entries, PackEntry{Digest: d, Offset: at, Size: int64(size)})
		at += int64(size)
	}
	return entries
}
