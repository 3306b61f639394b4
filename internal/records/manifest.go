package records

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"granary/internal/blob"
)

// ManifestFormat is the number of the newest format of manifests.
const ManifestFormat = 1

// maxManifest is the largest manifest in bytes: of 100,000 packs, a terabyte and a half.
const maxManifest = 16 << 20

// MaxLost is how many lost blobs a manifest names. It counts all.
const MaxLost = 1000

// Manifest describes one snapshot in a place of backups. It is written last: what has no
// manifest is no snapshot.
type Manifest struct {
	Granary  string    `json:"granary"` // "backup"
	Format   int       `json:"format"`
	ID       string    `json:"id"`
	Identity string    `json:"identity"` // of the store that the records belong to
	Schema   int64     `json:"schema"`
	Version  string    `json:"version"`        // of the granary that made it
	Began    time.Time `json:"began"`          // what was acknowledged before is in it
	Ended    time.Time `json:"ended,omitzero"` // not yet, of a dry run

	Records FileInBackup `json:"records"`
	Packs   []string     `json:"packs"` // digests of those that hold its small bodies
	Packed  BlobsSummary `json:"packed"`
	Blobs   BlobsSummary `json:"blobs"` // in the place, each under its digest
	Lost    LostInBackup `json:"lost"`
}

// FileInBackup is the file of a snapshot's records.
type FileInBackup struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows"`
}

// LostInBackup are the blobs that records name and that could not be had whole.
type LostInBackup struct {
	Count int64      `json:"count"`
	First []LostBlob `json:"first,omitempty"` // at most MaxLost of them
}

// LostBlob is a blob that could not be had whole.
type LostBlob struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Why    string `json:"why"`
}

// BlobsSummary is of a set of blobs in any order.
type BlobsSummary struct {
	Count int64   `json:"count"`
	Bytes int64   `json:"bytes"`
	Sum   Digests `json:"sum"`
}

// Add counts a blob.
func (s *BlobsSummary) Add(d blob.Digest, size int64) {
	s.Count++
	s.Bytes += size
	s.Sum.add(d, size)
}

// Remove takes back an Add.
func (s *BlobsSummary) Remove(d blob.Digest, size int64) {
	s.Count--
	s.Bytes -= size
	s.Sum.remove(d, size)
}

// Plus is a summary of both sets.
func (s BlobsSummary) Plus(other BlobsSummary) BlobsSummary {
	sum := BlobsSummary{Count: s.Count + other.Count, Bytes: s.Bytes + other.Bytes}
	for i := range sum.Sum {
		sum.Sum[i] = s.Sum[i] + other.Sum[i]
	}
	return sum
}

// Digests is a checksum of a set of blobs that does not depend on their order: the sum of
// the SHA-256 of digest and size of each, in four parts of 64 bits.
type Digests [4]uint64

func (s *Digests) add(d blob.Digest, size int64) {
	for i, part := range parts(d, size) {
		s[i] += part
	}
}

func (s *Digests) remove(d blob.Digest, size int64) {
	for i, part := range parts(d, size) {
		s[i] -= part
	}
}

func parts(d blob.Digest, size int64) (p [4]uint64) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(d[:], uint64(size))) //nolint:gosec // the same bits each time
	for i := range p {
		p[i] = binary.BigEndian.Uint64(sum[8*i:])
	}
	return p
}

// MarshalText is 64 hexadecimal digits.
func (s Digests) MarshalText() ([]byte, error) {
	var b []byte
	for _, part := range s {
		b = binary.BigEndian.AppendUint64(b, part)
	}
	return hex.AppendEncode(nil, b), nil
}

// UnmarshalText reads what MarshalText wrote.
func (s *Digests) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != 8*len(s) {
		return fmt.Errorf("%.80q is no checksum of 64 hexadecimal digits", text)
	}
	for i := range s {
		s[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return nil
}

const idTime = "20060102t150405.000z" // of names of notes, which have no capitals

// NewSnapshotID is the id of a snapshot that begins at a time, to the millisecond: ids
// order as the times do.
func NewSnapshotID(began time.Time) string {
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails
	return began.UTC().Format(idTime) + "-" + hex.EncodeToString(random)
}

// IsSnapshotID reports whether a text is what NewSnapshotID makes.
func IsSnapshotID(text string) bool {
	at, random, _ := strings.Cut(text, "-")
	_, err := time.Parse(idTime, at)
	raw, bad := hex.DecodeString(random)
	return err == nil && bad == nil && len(raw) == 4 && text == strings.ToLower(text)
}

// Encode is the manifest as a line of JSON, and a line with the SHA-256 of the first.
func (m Manifest) Encode() ([]byte, error) {
	m.Granary, m.Format = "backup", ManifestFormat
	line, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding a manifest: %w", err)
	}
	line = appendSum(append(line, '\n'))
	if len(line) > maxManifest {
		return nil, fmt.Errorf("the manifest would have %d bytes; at most %d are possible", len(line), maxManifest)
	}
	return line, nil
}

// ErrManifest is what an error about the bytes of a manifest is to errors.Is.
var ErrManifest = errors.New("the manifest is damaged")

// ErrNewer is what the error of a manifest of a later format is to errors.Is.
var ErrNewer = errors.New("use a newer granary")

// ReadManifest reads what Encode wrote: all of it, or it is an error.
func ReadManifest(r io.Reader) (m Manifest, err error) {
	text, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return m, fmt.Errorf("reading a manifest: %w", err)
	}
	line, right := cutSum(text)
	if !right {
		return m, fmt.Errorf("%w: it is cut short, or its checksum is not that of its bytes", ErrManifest)
	}
	var head struct {
		Granary string `json:"granary"`
		Format  int    `json:"format"`
	}
	if err := json.Unmarshal(line, &head); err != nil || head.Granary != "backup" {
		return m, fmt.Errorf("%w: it is no manifest of a backup", ErrManifest)
	}
	if head.Format != ManifestFormat {
		return m, fmt.Errorf("the backup has the format %d, and this granary reads only format %d; %w", head.Format, ManifestFormat, ErrNewer)
	}
	read := json.NewDecoder(bytes.NewReader(line))
	read.DisallowUnknownFields()
	if err := read.Decode(&m); err != nil {
		return m, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return m, m.check()
}

// check refuses what Encode does not write.
func (m Manifest) check() error {
	if !IsSnapshotID(m.ID) {
		return fmt.Errorf("%w: %.100q is no id of a snapshot", ErrManifest, m.ID)
	}
	for _, digest := range append([]string{m.Records.SHA256}, m.Packs...) {
		if _, err := blob.ParseDigest(digest); err != nil {
			return fmt.Errorf("%w: %.100q is no SHA-256", ErrManifest, digest)
		}
	}
	return nil
}
