package api_test

import (
	"strconv"
	"testing"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func TestPublishAndInstall(t *testing.T) {
	s := newServer(t)
	p := s.project("tool", "private")
	file := "/api/v4/projects/" + p + "/packages/generic/tool/1.0.0/tool.tar.gz"
	s.root("PUT", file, "hello").is(t, 201, `{"message":"201 Created"}`)
	got := s.root("GET", file, nil)
	got.is(t, 200, "hello")
	t.Log(got.Header)
}
