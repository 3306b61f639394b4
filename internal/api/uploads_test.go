package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
	"time"

	"granary/internal/registry"
)

// upload sends a file as a form does, and returns the answer.
func (s *server) upload(token, project, name string, content []byte) answer {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if err := form.WriteField("before", "x"); err != nil {
		s.t.Fatal(err)
	}
	part, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(content)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do("POST", "/api/v4/projects/"+project+"/uploads", &body, "PRIVATE-TOKEN: "+token, "Content-Type: "+form.FormDataContentType())
}

func TestUploads(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	for _, size := range []int{0, 5, 4 << 10, 4<<10 + 1, 1 << 20} { // with the record, and in the store
		content := bytes.Repeat([]byte("x"), size)
		made := s.upload(rootToken, p, "notes.html", content).must(t, 201)
		url, full := made["url"].(string), made["full_path"].(string)
		if made["alt"] != "notes.html" || made["markdown"] != "[notes.html]("+url+")" || full != "/-/project/1"+url {
			t.Fatalf("%d bytes: made %v", size, made)
		}
		for _, path := range []string{full, "/root/tool" + url} {
			got := s.root("GET", path, nil)
			if got.StatusCode != 200 || got.body != string(content) {
				t.Errorf("%s: %d, %d bytes", path, got.StatusCode, len(got.body))
			}
			for name, want := range map[string]string{
				"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff",
				"Content-Disposition": `attachment; filename="notes.html"; filename*=UTF-8''notes.html`,
			} {
				if got.Header.Get(name) != want {
					t.Errorf("%s: %s is %q", path, name, got.Header.Get(name))
				}
			}
		}
	}
	t.Run("a picture is shown in the text", func(t *testing.T) {
		made := s.upload(rootToken, p, "logo.PNG", []byte("x")).must(t, 201)
		if made["alt"] != "logo" || made["markdown"] != "![logo]("+made["url"].(string)+")" {
			t.Errorf("made %v", made)
		}
	})
	t.Run("names are made safe", func(t *testing.T) {
		for sent, want := range map[string]string{
			`..\..\evil name.sh`: "evil_name.sh", "a\u200bb\u202e€\xff .txt": "a_b____.txt", "..": "unnamed", "a+b_c-1.0.tar.gz": "a+b_c-1.0.tar.gz",
			strings.Repeat("a", 300) + ".zip": strings.Repeat("a", 251) + ".zip",
		} {
			made := s.upload(rootToken, p, sent, []byte("x")).must(t, 201)
			if !strings.HasSuffix(made["url"].(string), "/"+want) {
				t.Errorf("%q became %v", sent, made["url"])
			}
		}
	})
	t.Run("letters of every script stay, and lead back to the file", func(t *testing.T) {
		for sent, want := range map[string]string{
			"ü.txt": "ü.txt", "Отчёт №1.pdf": "Отчёт__1.pdf", "報告書_最終.zip": "報告書_最終.zip", "हिन्दी٣.txt": "हिन्दी٣.txt", "e\u0301‿.txt": "e\u0301‿.txt",
			"😀+ß.bin": "_+ß.bin", strings.Repeat("é", 200) + ".zip": strings.Repeat("é", 125) + ".zip",
		} {
			made := s.upload(rootToken, p, sent, []byte(sent)).must(t, 201)
			address, full := made["url"].(string), made["full_path"].(string)
			if escaped := url.PathEscape(want); made["alt"] != want || !strings.HasSuffix(address, "/"+escaped) || made["markdown"] != "["+want+"]("+address+")" {
				t.Errorf("%q became %v", sent, made)
			}
			plain, err := url.PathUnescape(full)
			if err != nil {
				t.Fatal(err)
			}
			secret := strings.Split(address, "/")[2]
			id := itoa(int64(made["id"].(float64)))
			for _, path := range []string{full, "/root/tool" + address, "/api/v4/projects/" + p + "/uploads/" + secret + "/" + url.PathEscape(want), "/api/v4/projects/" + p + "/uploads/" + id} {
				got := s.root("GET", path, nil)
				got.is(t, 200, sent)
				_, params, err := mime.ParseMediaType(got.Header.Get("Content-Disposition"))
				if err != nil || params["filename"] != want {
					t.Errorf("%s is saved as %q, %v", path, params["filename"], err)
				}
			}
			s.raw("GET "+plain+" HTTP/1.1\r\nHost: x\r\nPrivate-Token: "+rootToken+"\r\n\r\n").is(t, 200, sent) // as curl sends it
			s.root("DELETE", "/api/v4/projects/"+p+"/uploads/"+secret+"/"+url.PathEscape(want), nil).must(t, 204)
		}
	})
	t.Run("too large is refused", func(t *testing.T) {
		s.upload(rootToken, p, "x", make([]byte, 1<<20+1)).is(t, 400, `{"message":"400 Bad request - File is too large"}`)
	})
	t.Run("a body cut short is refused", func(t *testing.T) {
		body := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nhalf"
		got := s.do("POST", "/api/v4/projects/"+p+"/uploads", strings.NewReader(body), "PRIVATE-TOKEN: "+rootToken, "Content-Type: multipart/form-data; boundary=b")
		got.must(t, 400)
	})
	t.Run("a form without a file is refused", func(t *testing.T) {
		s.root("POST", "/api/v4/projects/"+p+"/uploads", "").is(t, 400, `{"error":"file is missing: send it as multipart/form-data"}`)
		s.do("POST", "/api/v4/projects/"+p+"/uploads", strings.NewReader("--b--\r\n"), "PRIVATE-TOKEN: "+rootToken,
			"Content-Type: multipart/form-data; boundary=b").is(t, 400, `{"error":"file is missing"}`)
	})
}

func TestWhoMayUpload(t *testing.T) {
	s := newServer(t)
	private, public := s.project("private", "private"), s.project("public", "public")
	id, guest := s.user("guest")
	_, stranger := s.user("stranger")
	s.root("POST", "/api/v4/projects/"+private+"/members", map[string]any{"user_id": id, "access_level": 10}).must(t, 201)

	s.upload(guest, private, "x", nil).must(t, 201)
	s.upload(stranger, private, "x", nil).is(t, 404, `{"message":"404 Project Not Found"}`)
	s.upload(stranger, public, "x", nil).must(t, 403)
	s.upload("", public, "x", nil).must(t, 401)

	hidden := s.upload(rootToken, private, "x.txt", []byte("hidden")).must(t, 201)["full_path"].(string)
	open := s.upload(rootToken, public, "x.txt", []byte("open")).must(t, 201)["full_path"].(string)
	s.as(guest, "GET", hidden, nil).is(t, 200, "hidden")
	s.as(stranger, "GET", hidden, nil).must(t, 404)
	s.do("GET", hidden, nil).is(t, 401, `{"message":"401 Unauthorized"}`)
	s.do("GET", open, nil).is(t, 200, "open")

	t.Run("Basic and a job's token open an address, an archived project takes no more", func(t *testing.T) {
		job := s.root("POST", "/api/v4/projects/"+private+"/jobs", nil).must(t, 201)["token"].(string)
		s.do("GET", hidden, nil, "JOB-TOKEN: "+job).is(t, 200, "hidden")
		s.do("GET", hidden, nil, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("guest:"+guest))).is(t, 200, "hidden")
		s.root("POST", "/api/v4/projects/"+private+"/archive", nil).must(t, 201)
		s.upload(rootToken, private, "x", nil).must(t, 403)
		s.as(guest, "GET", hidden, nil).is(t, 200, "hidden")
	})
	t.Run("an address leads nowhere with another secret, name or project", func(t *testing.T) {
		other := "0"
		if open[len(open)-7] == '0' {
			other = "1"
		}
		for _, path := range []string{
			strings.Replace(open, "x.txt", "y.txt", 1), open[:len(open)-7] + other + "/x.txt", strings.Replace(hidden, "project/1/", "project/2/", 1),
			"/root/public/uploads/" + strings.Repeat("0", 32) + "/x.txt", "/-/project/x/uploads/a/b",
		} {
			s.do("GET", path, nil).is(t, 404, `{"message":"404 Not Found"}`)
		}
	})
}

func TestTheSweepKeepsUploads(t *testing.T) {
	s := newServer(t)
	ctx := context.Background()
	p := s.project("tool", "public")
	small := s.upload(rootToken, p, "small", []byte("small")).must(t, 201)["full_path"].(string)
	large := s.upload(rootToken, p, "large", bytes.Repeat([]byte("x"), 100<<10)).must(t, 201)["full_path"].(string)
	s.skew = registry.Grace + time.Hour
	if n, err := s.registry.Sweep(ctx, registry.Grace); n.Blobs != 0 || err != nil {
		t.Fatalf("swept %+v, %v", n, err)
	}
	s.do("GET", small, nil).must(t, 200)
	s.do("GET", large, nil).must(t, 200)

	s.release(p, nil)
	s.root("DELETE", "/api/v4/projects/"+p, nil).must(t, 202)
	for _, want := range []int{0, 2} { // a day after the records went
		if n, err := s.registry.Sweep(ctx, registry.Grace); n.Blobs != want || err != nil {
			t.Fatalf("after the project's end: swept %+v, %v, want %d", n, err, want)
		}
		s.skew += registry.Grace + time.Hour
	}
	s.do("GET", large, nil).must(t, 401)
}
