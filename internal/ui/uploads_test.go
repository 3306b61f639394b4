package ui_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"testing"
)

// TestUploadFormIsBounded: a form with a file is read only for those who may publish, and
// only a few of its fields.
func TestUploadFormIsBounded(t *testing.T) {
	s := newSite(t)
	s.acme()
	const at = "/acme/tools/-/packages/new"
	body, kind := uploadOf(t, 1000, "f")
	for who, want := range map[string]int{"guest": 403, "stranger": 404, "developer": 422} {
		b := s.as(who)
		got := b.do(http.MethodPost, at, kind, string(body)).wants(t, want)
		if who == "developer" {
			got.wants(t, want, "more than 8 parts", `value="tool"`)
			continue
		}
		b.do(http.MethodPost, at, "text/plain", "no form").wants(t, want) // it is not read
	}
	few, kind := uploadOf(t, 3, "f")
	s.as("developer").do(http.MethodPost, at, kind, string(few)).leads(t, "/acme/tools/-/packages/generic/tool/1.0.0?done=published")
}

// TestUploadFormTakesOneFile: without the script, nobody chooses files that would not be
// sent.
func TestUploadFormTakesOneFile(t *testing.T) {
	s := newSite(t)
	s.acme()
	for e := range s.as("developer").get("/acme/tools/-/packages/new").wants(t, 200).parse(t).elements("input") {
		if _, several := e.attr("multiple"); several && e.inside("form") != nil {
			t.Errorf("%s takes several files", e.value("name"))
		}
	}
}

// uploadOf is a form of other fields, name, version, and a file, "" for none.
func uploadOf(t *testing.T, others int, file string) (body []byte, kind string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	fields := [][2]string{{"name", "tool"}, {"version", "1.0.0"}}
	for i := range others {
		fields = append(fields, [2]string{fmt.Sprintf("field%d", i), "x"})
	}
	for _, f := range fields {
		if err := w.WriteField(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", file)
	if err == nil && file != "" {
		_, err = part.Write([]byte("bytes"))
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}
