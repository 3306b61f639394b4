package records

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func header() Header {
	return Header{Kind: KindDelta, Schema: 23, Identity: `ABC"d`, From: 5, To: 1764374400123456}
}

// rows are values at the limits.
func rows() [][]any {
	return [][]any{
		{int64(1), "tool", []byte{0, 1, 0xff}},
		{int64(math.MinInt64), "", []byte{}},
		{int64(math.MaxInt64), "é\n\t\x00\x1f\x7f'\"\\日本 \U0001f4a9 NULL \u2028", nil},
		{nil, "not \xff UTF-8", []byte("x")},
		{int64(0), strings.Repeat(`long "`, 50_000), bytes.Repeat([]byte{1, 2, 3}, 100_000)},
	}
}

// small is a small file of all kinds of lines.
func small(t testing.TB) []byte {
	t.Helper()
	return fileOf(t, header(), func(w *Writer) error {
		return errors.Join(w.All("members"), w.Table("members", []string{"id"}), w.Row([]any{int64(3)}), w.Row([]any{int64(4)}),
			w.Table("packages", []string{"id", "name", "manifest"}), w.Row(rows()[0]), w.Row(rows()[2]), w.Row(rows()[3]),
			w.Gone("packages", []string{"id"}, []any{int64(17)}), w.Gone("routes", []string{"path", "n"}, []any{"a/b", int64(1)}),
			w.Table("empty", []string{"id"}), w.Last(map[string]int64{"users": 17, "packages": 99}))
	})
}

func fileOf(t testing.TB, h Header, fill func(*Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b)
	must(t, w, err)
	must(t, 0, w.Begin(h))
	must(t, 0, fill(w))
	s, err := w.End()
	must(t, s, err)
	return b.Bytes()
}

// told is what a file says, in words.
func told(file []byte) (all []string, s Summary, err error) {
	r, err := NewReader("file", bytes.NewReader(file))
	if err != nil {
		return nil, s, err
	}
	defer r.Close()
	all = append(all, fmt.Sprintf("%+v", r.Header()))
	for {
		l, err := r.Next()
		if err == io.EOF {
			return all, r.Summary(), nil
		}
		if err != nil {
			return all, s, err
		}
		all = append(all, fmt.Sprintf("%d %s %v %#v %v", l.Kind, l.Table, l.Columns, l.Values, l.Last))
	}
}

// A file reads as it was written: each kind of line, and values at the limits.
func TestRoundTrip(t *testing.T) {
	got, s, err := told(small(t))
	must(t, got, err)
	want := []string{fmt.Sprintf("%+v", header()),
		`2 members [] []interface {}(nil) map[]`,
		`0 members [id] []interface {}{3} map[]`, `0 members [id] []interface {}{4} map[]`,
		fmt.Sprintf("0 packages [id name manifest] %#v map[]", rows()[0]),
		fmt.Sprintf("0 packages [id name manifest] %#v map[]", rows()[2]),
		fmt.Sprintf("0 packages [id name manifest] %#v map[]", rows()[3]),
		`1 packages [id] []interface {}{17} map[]`, `1 routes [path n] []interface {}{"a/b", 1} map[]`,
		`3  [] []interface {}(nil) map[packages:99 users:17]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if s.Header != header() || s.Rows() != 5 || len(s.Tables) != 3 {
		t.Errorf("the summary is %+v", s)
	}
	long := fileOf(t, header(), func(w *Writer) error {
		err := w.Table("t", []string{"a", "b", "c"})
		for _, row := range rows() {
			err = errors.Join(err, w.Row(row))
		}
		return err
	})
	got, _, err = told(long)
	must(t, got, err)
	for i, row := range rows() {
		if want := fmt.Sprintf("0 t [a b c] %#v map[]", row); got[i+1] != want {
			t.Errorf("row %d differs", i)
		}
	}
}

// No part of a file is a file, and none with a bit flipped.
func TestCutAndFlippedFilesAreRefused(t *testing.T) {
	file := small(t)
	refused := func(what string, file []byte) {
		t.Helper()
		if _, _, err := told(file); err == nil {
			t.Errorf("%s: it is read", what)
		} else if !strings.HasPrefix(err.Error(), "file, line ") {
			t.Errorf("%s: %v; the error does not name the file and line", what, err)
		}
	}
	for n := range file {
		refused(fmt.Sprintf("cut at %d", n), file[:n])
		for bit := range 8 {
			flipped := bytes.Clone(file)
			flipped[n] ^= 1 << bit
			refused(fmt.Sprintf("bit %d of byte %d flipped", bit, n), flipped)
		}
	}
	refused("with another byte", append(bytes.Clone(file), 0))
	refused("twice", append(bytes.Clone(file), file...))
	t.Logf("%d bytes", len(file))
}

// The lines are plain JSON to other tools.
func TestOthersReadIt(t *testing.T) {
	z, err := zstd.NewReader(bytes.NewReader(small(t)))
	must(t, z, err)
	defer z.Close()
	lines, err := io.ReadAll(z)
	must(t, lines, err)
	const want = `{"granary":"records","format":1,"kind":"delta","schema":23,"identity":"ABC\"d","from":"5","to":"1764374400123456"}
{"all":"members"}
{"t":"members","r":{"id":3}}
{"t":"members","r":{"id":4}}
{"t":"packages","r":{"id":1,"name":"tool","manifest":{"b":"AAH/"}}}
{"t":"packages","r":{"id":9223372036854775807,"name":"é\u000a\u0009\u0000\u001f` + "\x7f" + `'\"\\日本 ` + "\U0001f4a9 NULL \u2028" + `","manifest":null}}
{"t":"packages","r":{"id":null,"name":{"t":"bm90IP8gVVRGLTg="},"manifest":{"b":"eA=="}}}
{"t":"packages","k":{"id":17},"gone":true}
{"t":"routes","k":{"path":"a/b","n":1},"gone":true}
{"last":{"packages":99,"users":17}}
`
	if got, _, _ := strings.Cut(string(lines), `{"end"`); got != want {
		t.Errorf("-want +got:\n%s", cmp.Diff(want, got))
	}
	if _, err := exec.LookPath("zstd"); err != nil {
		t.Skip("zstd is not installed")
	}
	cmd := exec.CommandContext(t.Context(), "zstd", "-dc")
	cmd.Stdin = bytes.NewReader(small(t))
	if got, err := cmd.Output(); err != nil || string(got) != string(lines) {
		t.Errorf("zstd -dc: %v, %d bytes, want %d", err, len(got), len(lines))
	}
}

// compressed is a file of these lines, which need not be right.
func compressed(t testing.TB, lines string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b)
	must(t, w, err)
	_, err = w.z.Write([]byte(lines))
	must(t, 0, err)
	must(t, 0, errors.Join(w.z.Close(), w.out.end()))
	return b.Bytes()
}

// What no Writer writes is refused, in words that name the file and the line.
func TestWrongLines(t *testing.T) {
	const begin = `{"granary":"records","format":1,"kind":"base","schema":23,"identity":"x","from":"0","to":"7"}` + "\n"
	const row = `{"t":"a","r":{"id":1}}` + "\n"
	var sum Checksum
	must(t, 0, sum.Add([]any{int64(1)}))
	end := func(rows int, sum string) string { return fmt.Sprintf(`{"end":{"a":[%d,"%s"]}}`+"\n", rows, sum) }
	right := end(1, sum.String())
	if _, _, err := told(compressed(t, begin+row+right)); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ lines, words string }{
		"nothing":            {"", "line 1: the file has no end"},
		"not records":        {"hello\n", "line 1: this is no file of records"},
		"another JSON":       {"{}\n", "line 1: this is no file of records"},
		"a newer format":     {strings.Replace(begin, `"format":1`, `"format":2,"new":[]`, 1), "the format is 2, and this granary knows formats up to 1"},
		"an unknown kind":    {strings.Replace(begin, `base`, `half`, 1), `the kind "half" is unknown`},
		"no schema":          {strings.Replace(begin, `23`, `0`, 1), "no schema version 0"},
		"a base after":       {strings.Replace(begin, `"0"`, `"3"`, 1), "only a delta begins after an event"},
		"it ends before":     {strings.Replace(begin, `"7"`, `"-1"`, 1), "it cannot tell what changed from 0 to -1"},
		"a header with more": {strings.Replace(begin, `}`, `,"more":1}`, 1), "line 1: this is no line of records"},
		"no end":             {begin + row, "line 3: the file has no end"},
		"half a line":        {begin + `{"t":"a","r":{"id`, "line 2: the file has no end"},
		"after the end":      {begin + row + right + row, "line 3: something stands after the end"},
		"a row less":         {begin + right, "line 2: the rows of table a are missing"},
		"a row more":         {begin + row + row + right, "table a has 2 rows, and its end says 1"},
		"another value":      {begin + strings.Replace(row, "1", "2", 1) + right, "table a has 1 rows, and its end says 1, or other values"},
		"no such end":        {begin + row + `{"end":{}}` + "\n", "line 3: table a: this is no line of records"},
		"no checksum":        {begin + row + end(1, "00"), `table a: "00" is no checksum`},
		"other columns":      {begin + row + `{"t":"a","r":{"n":1}}` + "\n", "line 3: the row of table a has other columns"},
		"more columns":       {begin + row + `{"t":"a","r":{"id":1,"n":1}}` + "\n", "line 3: the row of table a has other columns"},
		"fewer columns":      {begin + `{"t":"a","r":{"id":1,"n":1}}` + "\n" + row, "line 3: the row of table a has other columns"},
		"no columns":         {begin + `{"t":"a","r":{}}` + "\n", "line 2: this is no line of records"},
		"rows apart":         {begin + row + `{"all":"b"}` + "\n" + row, "line 4: the rows of table a do not stand together"},
		"a long table":       {begin + `{"all":"` + strings.Repeat("x", mostName+1) + `"}` + "\n", "line 2: a name has 65 bytes"},
		"a long table's row": {begin + `{"t":"` + strings.Repeat("x", mostName+1) + `","r":{"id":1}}` + "\n", "line 2: a name has 65 bytes"},
		"a long column":      {begin + `{"t":"a","r":{"` + strings.Repeat("x", mostName+1) + `":1}}` + "\n", "line 2: a name has 65 bytes"},
		"many columns":       {begin + `{"t":"a","r":{"id":1` + strings.Repeat(`,"n":1`, mostColumns) + `}}` + "\n", "line 2: it has more than 1000 names"},
		"many tables":        {begin + manyTables(mostTables+1), "line 1002: there are more than 1000 tables"},
		"a long end":         {begin + `{"end":{"` + strings.Repeat("x", mostEnd) + `":[0,""]}}` + "\n", "line 2: the end has"},
		"a line too long":    {begin + `{"t":"a","r":{"id":"` + strings.Repeat("x", maxLine) + `"}}` + "\n", "line 2: the line is longer than"},
	} {
		if _, _, err := told(compressed(t, tc.lines)); err == nil || !strings.Contains(err.Error(), tc.words) {
			t.Errorf("%s: %v, want %q in it", name, err, tc.words)
		}
	}
	for _, line := range []string{``, `{}`, `null`, `[]`, `{"t":"a"}`, `{"t":"a","r":[1]}`, `{"t":"a","r":{"id":1}`, `{"t":"a","r":{"id":1}}}`, `{"t":"a","x":{"id":1}}`,
		`{"t":"a","r":{"id":1},"gone":true}`, `{"t":"a","k":{"id":1}}`, `{"t":"a","k":{"id":1},"gone":false}`, `{"t":"a","r":{"id":1.5}}`, `{"t":"a","r":{"id":1e3}}`,
		`{"t":"a","r":{"id":9223372036854775808}}`, `{"t":"a","r":{"id":true}}`, `{"t":"a","r":{"id":}}`, `{"t":"a","r":{"id"}}`, `{"t":"a","r":{id:1}}`, `{"t":"a","r":{"id":{"b":"%"}}}`,
		`{"t":"a","r":{"id":{"c":"eA=="}}}`, `{"t":"a","r":{"id":"\x"}}`, "{\"t\":\"a\",\"r\":{\"id\":\"\xff\"}}", `{"t":"a","r":{"id":"x}}`, `{"t":"a","r":{"id":"x\"}}`, `{"all":3}`, `{"all":"a","b":1}`,
		`{"last":{"a":"1"}}`, `{"last":{"a":1,"a":2}}`, `{"last":{}},`, `{"new":1}`, ` {"t":"a","r":{"id":1}}`, `{"end":[]}`, `{"t":"a","r":{"id":1,}}`, `{"t":"a","r":{,"id":1}}`} {
		if _, _, err := told(compressed(t, begin+line+"\n"+`{"end":{}}`+"\n")); err == nil || !strings.Contains(err.Error(), "file, line 2: ") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// manyTables are tables of a row each.
func manyTables(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"t":"t%d","r":{"id":1}}`+"\n", i)
	}
	return b.String()
}

// Calls of a Writer that would make a file that no Reader takes fail.
func TestWriterRefuses(t *testing.T) {
	for name, do := range map[string]func(*Writer) error{
		"no header": func(w *Writer) error { return w.All("a") },
		"a long table": func(w *Writer) error {
			return errors.Join(w.Begin(header()), w.Table(strings.Repeat("x", mostName+1), []string{"id"}))
		},
		"a long column": func(w *Writer) error {
			return errors.Join(w.Begin(header()), w.Table("a", []string{strings.Repeat("x", mostName+1)}))
		},
		"many columns": func(w *Writer) error {
			return errors.Join(w.Begin(header()), w.Table("a", make([]string, mostColumns+1)))
		},
		"many tables": func(w *Writer) error {
			err := w.Begin(header())
			for i := range mostTables + 1 {
				err = errors.Join(err, w.Table(fmt.Sprint("t", i), []string{"id"}))
			}
			return err
		},
		"a wrong header":    func(w *Writer) error { return w.Begin(Header{Kind: "other", Schema: 1}) },
		"a row of no table": func(w *Writer) error { return errors.Join(w.Begin(header()), w.Row([]any{nil})) },
		"too few values": func(w *Writer) error {
			return errors.Join(w.Begin(header()), w.Table("a", []string{"x", "y"}), w.Row([]any{nil}))
		},
		"a table twice": func(w *Writer) error {
			return errors.Join(w.Begin(header()), w.Table("a", []string{"x"}), w.Table("b", []string{"x"}), w.Table("a", []string{"x"}))
		},
		"a fraction": func(w *Writer) error {
			return errors.Join(w.Begin(header()), w.Table("a", []string{"x"}), w.Row([]any{1.5}))
		},
		"a line too long": func(w *Writer) error {
			return errors.Join(w.Begin(header()), w.Table("a", []string{"x"}), w.Row([]any{strings.Repeat("x", maxLine)}))
		},
	} {
		w, err := NewWriter(io.Discard)
		must(t, w, err)
		if do(w) == nil {
			t.Errorf("%s is written", name)
		}
	}
}

// Rows in any order have the same checksum; another value, type or boundary between
// values changes it.
func TestChecksum(t *testing.T) {
	sum := func(rows ...[]any) string {
		var c Checksum
		for _, row := range rows {
			must(t, 0, c.Add(row))
		}
		return fmt.Sprint(c.Rows, c.String())
	}
	a, b := []any{int64(1), "x", nil}, []any{int64(2), []byte("y"), nil}
	if sum(a, b) != sum(b, a) {
		t.Error("the order counts")
	}
	for i, other := range []string{
		sum(a), sum(a, a), sum(a, b, b), sum(a, []any{int64(2), "y", nil}), sum(a, []any{int64(3), []byte("y"), nil}),
		sum(a, []any{int64(2), []byte("y"), ""}), sum([]any{int64(1), "x"}, []any{nil, int64(2), []byte("y"), nil}),
	} {
		if other == sum(a, b) {
			t.Errorf("%d: other rows have the same checksum", i)
		}
	}
}

// TestReadingManyEscapes: a text is read once, however many of its letters are escaped. To look
// for its end from each of them takes hours.
func TestReadingManyEscapes(t *testing.T) {
	text := strings.Repeat("\n\"", 1_200_000) + "end"
	file := fileOf(t, header(), func(w *Writer) error {
		return errors.Join(w.Table("releases", []string{"id", "description"}), w.Row([]any{int64(1), text}))
	})
	ended := time.AfterFunc(time.Minute, func() { panic("reading a text takes more than a minute") })
	defer ended.Stop()
	all, _, err := told(file)
	if must(t, all, err); len(all) != 2 || len(all[1]) < 4*len(text)/2 {
		t.Errorf("%d lines, the last with %d bytes", len(all), len(all[len(all)-1]))
	}
	for _, cut := range []string{`"`, `"a`, `"a\`, `"a\"`, `"\\\`} {
		p := parser{[]byte(cut)}
		if s, err := p.text(); err == nil {
			t.Errorf("%s is read as %q", cut, s)
		}
	}
}
