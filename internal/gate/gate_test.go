package gate

import (
	"slices"
	"testing"

	"granary/internal/access"
	"granary/internal/fault"
)

// TestRefusal: each verdict has its kind, and says no more than the caller may know.
func TestRefusal(t *testing.T) {
	for _, tt := range []struct {
		verdict access.Verdict
		want    fault.Error
	}{
		{access.Unauthenticated, fault.Error{Kind: fault.Unauthenticated}},
		{access.OutOfScope, fault.Error{Kind: fault.InsufficientScope, Scopes: []string{"api", "read_api"}}},
		{access.Hidden, fault.Error{Kind: fault.Hidden, Msg: "Thing"}},
		{access.Denied, fault.Error{Kind: fault.Denied}},
	} {
		got, ok := fault.As(Refusal(tt.verdict, access.ReadProject, "Thing"), tt.want.Kind)
		if !ok || got.Msg != tt.want.Msg || !slices.Equal(got.Scopes, tt.want.Scopes) {
			t.Errorf("verdict %d: %+v", tt.verdict, got)
		}
	}
	if err := Refusal(access.Allowed, access.ReadProject, "Thing"); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

// TestProjectRefusal: the refusal of a job that the list does not let in says so, if the
// job may know of the project. Other actors get no words about jobs.
func TestProjectRefusal(t *testing.T) {
	const notListed = "Authentication by CI/CD job token not allowed from tool to lib."
	job := access.Actor{Kind: access.Job, JobProject: "tool"}
	for name, tt := range map[string]struct {
		verdict access.Verdict
		actor   access.Actor
		listed  bool
		kind    fault.Kind
		msg     string
	}{
		"not listed":                      {access.Denied, job, false, fault.Denied, notListed},
		"not listed, and hidden":          {access.Hidden, job, false, fault.Hidden, "Project"},
		"listed, without the role":        {access.Denied, job, true, fault.Denied, ""},
		"a person":                        {access.Denied, access.Actor{Kind: access.User}, false, fault.Denied, ""},
		"a person who may not know of it": {access.Hidden, access.Actor{Kind: access.User}, false, fault.Hidden, "Project"},
		"nobody":                          {access.Unauthenticated, access.Actor{}, false, fault.Unauthenticated, ""},
	} {
		got, ok := fault.As(ProjectRefusal(tt.verdict, tt.actor, access.Resource{Listed: tt.listed}, access.ReadProject, "lib"), tt.kind)
		if !ok || got.Msg != tt.msg {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if err := ProjectRefusal(access.Allowed, job, access.Resource{}, access.ReadProject, "lib"); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

// TestTokenIsAskedFirst: what the token decides needs no resource, and Check says the
// same of one that would allow all.
func TestTokenIsAskedFirst(t *testing.T) {
	all := access.Resource{Visibility: access.Public, Role: access.Owner, Own: true, Listed: true}
	user := func(s ...access.Scope) access.Actor { return access.Actor{Kind: access.User, UserID: 1, Scopes: s} }
	for name, tt := range map[string]struct {
		actor access.Actor
		want  fault.Kind // Internal: none
	}{
		"nobody":         {access.Actor{}, fault.Unauthenticated},
		"another scope":  {user(access.ScopeReadUser), fault.InsufficientScope},
		"read only":      {user(access.ScopeReadAPI), fault.InsufficientScope},
		"the scope":      {user(access.ScopeAPI), fault.Internal},
		"without scopes": {user(), fault.InsufficientScope},
	} {
		for way, err := range map[string]error{
			"token": Token(tt.actor, access.EditProject, "Project"),
			"check": Check(access.Rules{}, tt.actor, all, access.EditProject, "Project"),
		} {
			if (err == nil) != (tt.want == fault.Internal) || fault.KindOf(err) != tt.want {
				t.Errorf("%s, %s: %v", name, way, err)
			}
		}
	}
}
