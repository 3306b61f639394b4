package registry

import (
	"testing"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/naming"
)

func TestProtectionMatches(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"tool", "tool", true}, {"tool", "TOOL", true}, {"Tool", "tool", true}, {"tool", "tools", false}, {"tool", "atool", false},
		{"*", "anything", true}, {"tool*", "tool", true}, {"tool*", "tools", true}, {"tool*", "atool", false},
		{"*tool", "atool", true}, {"*tool", "tools", false}, {"t*l", "tl", true}, {"t*l", "tool", true}, {"t*l", "tols", false},
		{"a*b*c", "abc", true}, {"a*b*c", "axxbxxc", true}, {"a*b*c", "acb", false}, {"a*bc*c", "abc", false}, {"a*a", "a", false},
		{"**", "x", true}, {"a**b", "ab", true}, {"*a*", "bab", true}, {"*a*", "bbb", false},
		{"t.ol", "tool", false}, {"t?ol", "tool", false}, {"[a-z]*", "tool", false}, {"", "tool", false}, {"", "", true},
	} {
		if got := (Protection{Pattern: tc.pattern}).matches(Name(tc.name)); got != tc.want {
			t.Errorf("%q matches %q: %v", tc.pattern, tc.name, got)
		}
	}
}

func TestCheckProtection(t *testing.T) {
	user := func(admin bool) access.Actor { return access.Actor{Kind: access.User, UserID: 1, Admin: admin} }
	deploy := access.Actor{Kind: access.DeployToken, Scopes: []access.Scope{access.ScopeWritePackage}}
	job := access.Actor{Kind: access.Job, UserID: 1}
	for _, tc := range []struct {
		who   string
		actor access.Actor
		role  access.Role
		push  access.Role
		want  bool // may publish
	}{
		{"developer", user(false), access.Developer, access.Maintainer, false},
		{"maintainer", user(false), access.Maintainer, access.Maintainer, true},
		{"maintainer", user(false), access.Maintainer, access.Owner, false},
		{"owner", user(false), access.Owner, access.Owner, true},
		{"owner", user(false), access.Owner, access.Admin, false},
		{"administrator", user(true), access.NoRole, access.Admin, true},
		{"developer's job", job, access.Developer, access.Maintainer, false},
		{"maintainer's job", job, access.Maintainer, access.Maintainer, true},
		{"deploy token", deploy, access.NoRole, access.Maintainer, false},
		{"deploy token, a rule about deleting", deploy, access.NoRole, access.NoRole, false},
		{"developer, a rule about deleting", user(false), access.Developer, access.NoRole, true},
	} {
		p := Project{Standing: access.Resource{Role: tc.role}, Protections: []Protection{{Pattern: "other*", Push: access.Admin}, {Pattern: "to*", Push: tc.push}}}
		err := checkProtection(p, tc.actor, "tool")
		if (err == nil) != tc.want || err != nil && (!fault.Is(err, fault.Denied) || err.Error() != "Package protected.") {
			t.Errorf("%s with a rule for %d: %v", tc.who, tc.push, err)
		}
	}
}

// TestDuplicatePolicy is the table of contract generic-packages 2.5.
func TestDuplicatePolicy(t *testing.T) {
	c := Coordinates{Name: "tool", Version: "1.0.0-SNAPSHOT", File: "f"}
	for _, tc := range []struct {
		allowed   bool
		exception string
		want      bool
	}{
		{true, "", true}, {false, "", false},
		{true, "tool", false}, {false, "tool", true},
		{true, "other", true}, {false, "other", false},
		{false, "to", false}, {false, "ool", false}, {false, "to.*", true}, // the whole name
		{false, ".*-SNAPSHOT", true}, {true, ".*-SNAPSHOT", false}, // or the whole version
		{false, "a|tool", true}, {false, "tool|a", true}, {false, "too|l", false}, // bound as one
		{false, "TOOL", false}, {false, "(?i)TOOL", true}, {false, "f", false},
		{true, "(", true}, {false, "(", false}, // what does not compile matches nothing
	} {
		if got := (DuplicatePolicy{Allowed: tc.allowed, Exception: naming.KeptException(tc.exception)}).Permits(c); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}
