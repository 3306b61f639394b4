package api_test

import (
	"testing"
)

// TestPreconditions asks, of everything that takes a precondition, what it does
// when it does not hold. What it does when it holds, the tests beside each say.
func TestPreconditions(t *testing.T) {
	s := newServer(t)
	s.project("tool", "private")
	id := s.projectID("root%2Ftool")
	s.root("PUT", generic("root%2Ftool", "tool/1.0.0/f"), "hello").is(t, 201, created)
	packageID := itoa(ask[int64](s, "SELECT id FROM packages"))
	file := "/api/v4/projects/" + id + "/packages/" + packageID + "/package_files/" + itoa(ask[int64](s, "SELECT id FROM package_files"))
	group := "/api/v4/groups/" + itoa(s.group("acme", 0)) + "/variables"
	s.root("POST", group, map[string]any{"key": "K", "value": "v"}).must(t, 201)
	const tag, old = `"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"`, "Sat, 01 Jan 2000 00:00:00 GMT"
	for _, c := range []struct {
		method, path, header string
		status               int
		body                 string
	}{
		{"GET", file + "/download", "Range: bytes=1-2", 206, "el"},
		{"GET", file + "/download", "Range: bytes=9-", 416, "invalid range: failed to overlap\n"},
		{"GET", file + "/download", "If-None-Match: " + tag, 304, ""},
		{"GET", file + "/download", "If-Unmodified-Since: " + old, 412, ""},
		{"DELETE", file, "If-Unmodified-Since: " + old, 412, `{"message":"412 Precondition Failed"}`},
		{"PUT", group + "/K", `If-Match: "other"`, 412, `{"message":"412 Precondition Failed"}`},
		{"DELETE", group + "/K", `If-Match: "other"`, 412, `{"message":"412 Precondition Failed"}`},
	} {
		s.do(c.method, c.path, nil, "PRIVATE-TOKEN: "+rootToken, c.header).is(t, c.status, c.body)
	}
}
