package api_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"time"
)

// Who may not send any more when a slow body ends has published nothing.
func TestSlowSendersAreJudgedAgain(t *testing.T) {
	s := newServer(t)
	s.registry.RecheckAfter = time.Nanosecond
	s.groupAt("acme", "private")
	p := s.projectAt("acme", "tool", "private")
	for name, end := range map[string]func(user int64, token string){
		"blocked": func(user int64, _ string) { s.root("POST", v4+"/users/"+itoa(user)+"/block", nil).must(t, 201) },
		"deleted": func(user int64, _ string) { s.root("DELETE", v4+"/users/"+itoa(user), nil).status(t, 204) },
		"no member": func(user int64, _ string) {
			s.root("DELETE", v4+"/groups/acme/members/"+itoa(user), nil).status(t, 204)
		},
		"token revoked": func(_ int64, token string) {
			s.as(token, "DELETE", v4+"/personal_access_tokens/self", nil).status(t, 204)
		},
		"archived": func(int64, string) { s.root("POST", v4+"/projects/"+p+"/archive", nil).must(t, 201) },
	} {
		user, token := s.user(strings.ReplaceAll(name, " ", "-"))
		s.memberAt("/groups/acme", user, 40)
		stopped := false
		stop := func() {
			if !stopped {
				end(user, token)
				stopped = true
			}
		}
		file := v4 + "/projects/" + p + "/packages/generic/app/1.0.0/" + strings.ReplaceAll(name, " ", "-")
		got := s.do("PUT", file, io.MultiReader(strings.NewReader("half"), atEnd(stop)), "PRIVATE-TOKEN: "+token)
		if !stopped || got.StatusCode < 401 || got.StatusCode > 404 {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
		}
		s.root("GET", file, nil).status(t, 404)
		if name == "archived" {
			s.root("POST", v4+"/projects/"+p+"/unarchive", nil).must(t, 201)
		}
	}
	_, token := s.user("quick", "admin")
	s.as(token, "PUT", v4+"/projects/"+p+"/packages/generic/app/1.0.0/f", "whole").is(t, 201, created)

	user, token := s.user("uploader")
	s.memberAt("/groups/acme", user, 40)
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	part, err := parts.CreateFormFile("file", "f")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(part, "bytes")
	_ = parts.Close()
	block := atEnd(func() { s.root("POST", v4+"/users/"+itoa(user)+"/block", nil).status(t, 201) })
	head, tail := form.Bytes()[:form.Len()-4], form.Bytes()[form.Len()-4:]
	s.do("POST", v4+"/projects/"+p+"/uploads", io.MultiReader(bytes.NewReader(head), block, bytes.NewReader(tail)),
		"PRIVATE-TOKEN: "+token, "Content-Type: "+parts.FormDataContentType()).status(t, 403)
	if n := s.count("uploads"); n != 0 {
		t.Errorf("%d uploads", n)
	}
}

// atEnd is an empty reader that calls do.
type atEnd func()

func (do atEnd) Read([]byte) (int, error) { do(); return 0, io.EOF }
