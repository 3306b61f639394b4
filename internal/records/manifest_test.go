package records_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"granary/internal/blob"
	"granary/internal/records"
)

func sample() records.Manifest {
	began := time.Date(2026, 11, 30, 5, 0, 0, 0, time.UTC)
	m := records.Manifest{
		Granary: "backup", Format: records.ManifestFormat, ID: records.NewSnapshotID(began), Identity: "STORE", Schema: 25, Version: "test",
		Began: began, Ended: began.Add(time.Minute),
		Records: records.FileInBackup{Bytes: 10, SHA256: blob.Digest{1}.String(), Rows: 7},
		Packs:   []string{blob.Digest{2}.String()},
		Lost:    records.LostInBackup{Count: 1, First: []records.LostBlob{{Digest: blob.Digest{3}.String(), Size: 5, Why: "missing"}}},
	}
	m.Packed.Add(blob.Digest{4}, 4)
	m.Blobs.Add(blob.Digest{5}, 500)
	return m
}

func TestManifestComesBack(t *testing.T) {
	want := sample()
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := records.ReadManifest(bytes.NewReader(text))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestDamagedManifestIsRefused(t *testing.T) {
	text, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(what string, damaged []byte) {
		t.Helper()
		if _, err := records.ReadManifest(bytes.NewReader(damaged)); !errors.Is(err, records.ErrManifest) {
			t.Errorf("%s: %v; want ErrManifest", what, err)
		}
	}
	for n := range text {
		refuse(fmt.Sprintf("cut after %d bytes", n), text[:n])
	}
	for bit := range 8 * len(text) {
		damaged := bytes.Clone(text)
		damaged[bit/8] ^= 1 << (bit % 8)
		refuse(fmt.Sprintf("bit %d", bit), damaged)
	}
}

// A manifest of a later granary says so, although this one cannot read it.
func TestNewerManifestIsNamed(t *testing.T) {
	line := `{"granary":"backup","format":2,"novel":true}` + "\n"
	text := fmt.Sprintf(`%s{"sha256":"%x"}`+"\n", line, sha256.Sum256([]byte(line)))
	_, err := records.ReadManifest(strings.NewReader(text))
	if err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("%v; want the format named", err)
	}
}

func TestSumOfBlobsDependsOnEachAndOnNoOrder(t *testing.T) {
	sum := func(digests ...byte) (s records.BlobsSummary) {
		for _, d := range digests {
			s.Add(blob.Digest{d}, int64(d))
		}
		return s
	}
	if sum(1, 2, 3) != sum(3, 1, 2) {
		t.Error("another order gives another sum")
	}
	other := sum(1, 2)
	other.Add(blob.Digest{3}, 4)
	for _, differs := range []records.BlobsSummary{sum(1, 2), sum(1, 2, 4), other} {
		if differs.Sum == sum(1, 2, 3).Sum {
			t.Errorf("%+v has the sum of other blobs", differs)
		}
	}
}

func TestSnapshotIDs(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	id := records.NewSnapshotID(began)
	if !records.IsSnapshotID(id) || !strings.HasPrefix(id, "20260102t030405.000z-") || id == records.NewSnapshotID(began) {
		t.Errorf("the id is %q", id)
	}
	for _, bad := range []string{"", "latest", "20260102t030405z-12345678", "20260102t030405.000z", "20260102t030405.000z-12", "../../20260102t030405.000z-12345678", id + "/x", strings.ToUpper(id)} {
		if records.IsSnapshotID(bad) {
			t.Errorf("%q counts as an id", bad)
		}
	}
}
