package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

const (
	fourGiB  = 4 << 30
	eightGiB = 8 << 30
)

// cases are the files of the golden archives.
func cases() map[string]*set {
	at := func(s *set, changed ...time.Time) *set {
		for i := range changed {
			s.entries[i].Changed = changed[i]
		}
		return s
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	return map[string]*set{
		"no files":    {},
		"empty file":  new(set).add("empty", ""),
		"short names": new(set).add("app-linux", "hello").add("d/app", long(512)).add("d/empty", "").add("-", "-").add(`a\b`, ""),
		"long names": new(set).add(long(100), "1").add(long(101), "2").add(long(155)+"/"+long(100), "3").add(long(156)+"/"+long(100), "4").
			add(strings.Repeat("deep/", 60)+"file", "5").add("last", "6"),
		"UTF-8 names": new(set).add("é", "1").add(strings.Repeat("ü/", 60)+"ß", "2").add("日本", "3"),
		"times": at(new(set).add("0", "").add("before", "").add("1979", "").add("odd", "").add("2038", "").add("2107", "").add("2300", ""),
			time.Time{}, time.Unix(-1, 0), time.Unix(10*365*86400, 0), time.Unix(1784032497, 999999999),
			time.Unix(1<<31, 0), time.Date(2107, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)),
		"8 GiB":               new(set).addZeros("less", eightGiB-1).addZeros("large", eightGiB).add("last", "last"),
		"4 GiB":               new(set).addZeros("less", fourGiB-2).addZeros("large", fourGiB).add("last", "last"),
		"4 GiB - 1":           new(set).addZeros("large", fourGiB-1).add("last", "last"),
		"offset of 4 GiB - 1": new(set).addZeros("first", fourGiB-1-zipHeaderLength("first")).add("last", "last"),
		"offset of 4 GiB - 2": new(set).addZeros("first", fourGiB-2-zipHeaderLength("first")).add("last", ""),
	}
}

func zipHeaderLength(path string) int64 { return int64(30 + len(path) + 9) }

// TestGolden pins the bytes of archives of every kind: those of a final version never
// change. Files over 1 MiB are read around their borders.
func TestGolden(t *testing.T) {
	want := map[string]string{
		"4 GiB - 1.tar":           "4268fa5c984b681619e4574b50deb62aa16ac3e29af6c10be863c331f1937fd7",
		"4 GiB - 1.zip":           "88ec32182776d57e9495ee3a33e837ffd50474e7bbb49be440b800f24dee22c1",
		"4 GiB.tar":               "580eb882834dc8ab586a35f47108276d3dc7ee6ece85eda536bdf93a4242fb3d",
		"4 GiB.zip":               "429fe9b9ace8ffb1d563a4812ddd74c50f57c8d39870407baf84ae418211bdef",
		"8 GiB.tar":               "955e36dc2781e7806f070518ddc0c8d1fdd5794d6e4fa542fe527b8f9f67e8cc",
		"8 GiB.zip":               "577a1aa68d4103f9ac8bf6e8a215443bed3087ec54ff9346b4afc745e3f301e4",
		"UTF-8 names.tar":         "ca8798cf6978ae67d613b000e97c6eee034ef9a9f62c14e757ebc3899a29692f",
		"UTF-8 names.zip":         "980f5c880771ce6730f44c6470c12d2924ceac4d00951784612d6b567a74a806",
		"empty file.tar":          "d343634feb9effce23bd174dfeda9f3d6598956ec96334c79b6777787f13ebdf",
		"empty file.zip":          "f8fdcad520fb0eaecd2e14a05dad5054a44d934d39b2e82575e157bb79f738c5",
		"long names.tar":          "ec394a5f438b1726c520b76d336476d3bbac442e6a2a3111f1fde7405ddc73a7",
		"long names.zip":          "1e148f23beb2bba8d63fb8e8308a8cdc00d9ec1e81079e81b1a9decbd2d6a7bd",
		"no files.tar":            "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
		"no files.zip":            "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85",
		"offset of 4 GiB - 1.tar": "c5a8127fbc1059bf12113ba0ed74d2bc75e5074976a413ee881600cdf8556652",
		"offset of 4 GiB - 1.zip": "9764e5ae7372299ef0fbdffb43abc6cda6d55401fba481712c9136007b13d3c8",
		"offset of 4 GiB - 2.tar": "4b4cfd0be3b07b04d1132e24b5aae11f58d95efbf657e6e24a6afafcd7087662",
		"offset of 4 GiB - 2.zip": "88de76215ea0e4bd253bf7a09c3fd575a57a95b89efa4383c1544addfa8a7714",
		"short names.tar":         "9af0ac16d9d05953f775b005401c4f19b60ddb5d3bb18e7fda3cab3bd090c028",
		"short names.zip":         "3c56e4b6b2a307964e3a23b25df2cce396fca034974f6a683d9fdcc594fd477d",
		"times.tar":               "60eb17bc76dfbb45d911f20b132b52e59f295942026c3e2401a42841201543c3",
		"times.zip":               "f8ff767b13c9dbeba02cf8b9bb8fb958c80f2f91df15e0044cdb4c533ea8528a",
	}
	for name, s := range cases() {
		for kind, r := range s.archives(t) {
			if got := digest(t, r); got != want[name+"."+kind] {
				t.Errorf("%q: %q,", name+"."+kind, got)
			}
		}
	}
}

// digest is the SHA-256 of an archive, but for the inner bytes of large files.
func digest(t *testing.T, r *Reader) string {
	t.Helper()
	const border = 1000
	sum := sha256.New()
	for s, end := range r.starts[1:] {
		start := r.starts[s]
		parts := [][2]int64{{start, end}}
		if end-start > 1<<20 {
			parts = [][2]int64{{start, start + border}, {end - border, end}}
		}
		for _, p := range parts {
			if _, err := r.Seek(p[0], io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(sum, r, p[1]-p[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// TestTarFormats: USTAR if it fits, else GNU's, never PAX.
func TestTarFormats(t *testing.T) {
	gnu := map[string]bool{
		strings.Repeat("x", 101): true, strings.Repeat("x", 156) + "/" + strings.Repeat("x", 100): true,
		strings.Repeat("deep/", 60) + "file": true, "é": true, strings.Repeat("ü/", 60) + "ß": true, "日本": true,
		"2300": true,
	}
	for name, s := range cases() {
		r := tar.NewReader(s.tar(t))
		for _, e := range s.entries {
			h, err := r.Next()
			if err != nil {
				t.Fatal(name, err)
			}
			want := tar.FormatUSTAR
			if gnu[e.Path] || e.Size >= eightGiB {
				want = tar.FormatGNU
			}
			if h.Format != want || h.Typeflag != tar.TypeReg || h.Name != e.Path || h.Size != e.Size || h.Mode != 0o644 ||
				h.ModTime.Unix() != max(0, e.Changed.Unix()) || h.Uid|h.Gid != 0 || h.Uname+h.Gname != "" || len(h.PAXRecords) > 0 {
				t.Errorf("%s: %v: %+v", name, e, h)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: %v", name, err)
		}
		last := s.tar(t)
		if _, err := last.Seek(-tarEnd, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		if end, err := io.ReadAll(last); err != nil || !bytes.Equal(end, make([]byte, 1024)) || last.Size()%512 != 0 {
			t.Errorf("%s: it ends with %q: %v", name, end, err)
		}
	}
}

// readerAt makes a Reader one for archive/zip.
type readerAt struct{ *Reader }

func (r readerAt) ReadAt(p []byte, at int64) (int, error) {
	if _, err := r.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(r.Reader, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

func TestZipRecords(t *testing.T) {
	for name, s := range cases() {
		r := s.zip(t)
		z, err := zip.NewReader(readerAt{r}, r.Size())
		if err != nil || len(z.File) != len(s.entries) {
			t.Fatal(name, err)
		}
		for i, f := range z.File {
			e := s.entries[i]
			offset := uint64(r.starts[2*i])
			var sizes, place []uint64
			if e.Size >= 0xffffffff {
				sizes = []uint64{uint64(e.Size), uint64(e.Size)}
			}
			if offset >= 0xffffffff {
				place = []uint64{offset}
			}
			made := uint16(3<<8 | 20)
			if len(sizes)+len(place) > 0 {
				made = 3<<8 | 45
			}
			seconds := min(max(0, e.Changed.Unix()), 1<<31-1)
			if f.Name != e.Path || f.Method != zip.Store || f.Flags != 0x800 || f.CreatorVersion != made || f.ReaderVersion != made&0xff ||
				f.ExternalAttrs != 0o100644<<16 || f.Mode() != 0o644 || f.CRC32 != e.CRC32 || f.UncompressedSize64 != uint64(e.Size) ||
				f.CompressedSize64 != uint64(e.Size) || f.Modified.Unix() != seconds || f.Comment != "" {
				t.Errorf("%s: %v: %+v", name, e, f.FileHeader)
			}
			if want := extra(seconds, append(sizes, place...)); !bytes.Equal(f.Extra, want) {
				t.Errorf("%s: %s: the record has %x, not %x", name, e.Path, f.Extra, want)
			}
			header := r.frameOf(2 * i)
			if got, want := header[30+len(e.Path):], extra(seconds, sizes); !bytes.Equal(got, want) {
				t.Errorf("%s: %s: the header has %x, not %x", name, e.Path, got, want)
			}
			small := uint32(min(e.Size, 0xffffffff))
			if got := binary.LittleEndian.Uint32(header[18:]); got != small || binary.LittleEndian.Uint32(header[22:]) != small {
				t.Errorf("%s: %s: the header has the sizes %x", name, e.Path, header[18:26])
			}
			if at, err := f.DataOffset(); err != nil || at != r.starts[2*i+1] {
				t.Errorf("%s: %s: its bytes are at %d, not %d: %v", name, e.Path, at, r.starts[2*i+1], err)
			}
		}
		if at, ok := map[string]int64{"offset of 4 GiB - 1": fourGiB - 1, "offset of 4 GiB - 2": fourGiB - 2}[name]; ok && r.starts[2] != at {
			t.Errorf("%s: the offset is %d", name, r.starts[2])
		}
		if got, want := len(r.frameOf(3*len(s.entries))) > 22, r.starts[2*len(s.entries)] >= 0xffffffff; got != want {
			t.Errorf("%s: its end is of zip64: %v", name, got)
		}
	}
}

// extra is the extra fields of a zip: the time, and those of zip64.
func extra(seconds int64, large []uint64) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte{0x55, 0x54, 5, 0, 1}, uint32(seconds))
	if len(large) == 0 {
		return b
	}
	b = append(b, 1, 0, byte(8*len(large)), 0)
	for _, n := range large {
		b = le.AppendUint64(b, n)
	}
	return b
}

// TestManyEntries: from 65,535 entries on their number is in zip64's end.
func TestManyEntries(t *testing.T) {
	for _, n := range []int{65_534, 65_535} {
		entries := make([]Entry, n)
		for i := range entries {
			entries[i].Path = fmt.Sprint(i)
		}
		r := made(t)(NewZip(entries, nil))
		whole, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		z, err := zip.NewReader(bytes.NewReader(whole), r.Size())
		if err != nil || len(z.File) != n {
			t.Fatal(n, err)
		}
		if got := len(r.frameOf(3 * n)); got > 22 != (n >= 65_535) {
			t.Errorf("%d entries: an end of %d bytes", n, got)
		}
	}
}

// TestCRC32: it is that of the file's bytes, and the file is closed.
func TestCRC32(t *testing.T) {
	s := small()
	for i := range s.entries {
		want := s.entries[i].CRC32
		s.entries[i].CRC32 = 0xbad
		if got, err := CRC32(&s.entries[i], i, s.opener); err != nil || got != want || s.open != 0 {
			t.Errorf("%s: %x, want %x; %v, %d are open", s.entries[i].Path, got, want, err, s.open)
		}
	}
}
