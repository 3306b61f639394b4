package ui_test

import (
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/projects"
)

// TestMembers: direct ones and those of the groups above; added by user name, changed,
// removed.
func TestMembers(t *testing.T) {
	s := newSite(t)
	s.acme()
	s.person("ada")
	b := s.as("owner")
	const at = "/acme/tools/-/members"
	b.get(at).wants(t, 200, "No direct members", "Add a member", `<option value="50"`)
	b.get(at+"?from=above").wants(t, 200, "Maintainer Person", `<a href="/acme/-/members">acme</a>`, "6 members").lacks(t, "Add a member", "Remove ")
	for field, form := range map[string][]string{
		"username":     {"username", "nobody-here", "access_level", "30"},
		"access_level": {"username", "ada", "access_level", "7"},
		"expires_at":   {"username", "ada", "access_level", "30", "expires_at", "2001-01-01"},
	} {
		b.post(at, form...).wants(t, 422, `id="`+field+`-why"`, `value="`+form[1]+`"`)
	}
	until := s.now().AddDate(0, 1, 0).Format(time.DateOnly)
	b.post(at, "username", "ada", "access_level", "30", "expires_at", until).leads(t, at+"?done=added")
	b.post(at, "username", "ada", "access_level", "30").wants(t, 422, "Is a member already")
	ada := at + "/" + itoa(s.person("ada").ID)
	b.get(at).wants(t, 200, "Ada Person", "Developer", "by owner", `aria-label="Remove ada"`, "1 member<")
	b.get(at+"?search=ad").wants(t, 200, "Ada Person")
	b.get(at+"?search=zz").wants(t, 200, "Nothing matches", "zz")
	b.get(ada).wants(t, 200, `value="`+until+`"`, `<option value="30" selected>`)
	b.post(ada, "access_level", "40", "expires_at", "").leads(t, at+"?done=saved")
	b.get(at).wants(t, 200, "Maintainer", "no end")
	b.post(ada, "access_level", "x").wants(t, 422, "Is no role")
	b.post(ada+"/remove").leads(t, at+"?done=removed")
	b.get(ada).wants(t, 404)
	b.post(ada+"/remove").wants(t, 404)
	s.as("developer").get(at).wants(t, 200).lacks(t, "Add a member", "Remove", "Change")
	b.post("/acme/tools/-/settings/transfer", "namespace", "owner").leads(t, "/owner/tools/-/settings?done=transferred")
	b.get("/owner/tools/-/members?from=above").wants(t, 200, "Nobody from above")
}

// TestNobodyGivesMore: a maintainer neither makes nor touches an owner.
func TestNobodyGivesMore(t *testing.T) {
	s := newSite(t)
	s.acme()
	ada := s.person("ada")
	owner, m := s.as("owner"), s.as("maintainer")
	const at = "/acme/tools/-/members"
	owner.post(at, "username", "ada", "access_level", "50").leads(t, at+"?done=added")
	m.get(at).wants(t, 200, "Ada Person", "Add a member").lacks(t, `<option value="50"`, `aria-label="Remove ada"`, `aria-label="Change ada"`)
	m.post(at, "username", "stranger", "access_level", "50").wants(t, 403)
	m.post(at+"/"+itoa(ada.ID), "access_level", "10").wants(t, 403)
	m.post(at+"/"+itoa(ada.ID)+"/remove").wants(t, 403)
	m.post("/acme/-/members", "username", "ada", "access_level", "10").wants(t, 403)
}

// TestLastOwner: the reason why the last owner stays is there before the click.
func TestLastOwner(t *testing.T) {
	s := newSite(t)
	s.acme() // owned by admin, and by owner
	b := s.as("admin")
	const at = "/acme/-/members"
	owner := at + "/" + itoa(s.person("owner").ID)
	b.get(at).wants(t, 200, "Leave this group", `aria-label="Remove owner"`).lacks(t, "keeps its last owner")
	b.post(owner+"/remove").leads(t, at+"?done=removed")
	b.get(at).wants(t, 200, "You cannot leave. A group keeps its last owner.").lacks(t, "Leave this group")
	me := at + "/" + itoa(s.person("admin").ID)
	b.get(me).wants(t, 200, "A group keeps its last owner.").lacks(t, `name="access_level"`)
	b.post(me+"/remove").wants(t, 403, "group keeps its last owner")
	b.post(me, "access_level", "30").wants(t, 403, "group keeps its last owner")
}

// TestLeave: a member leaves, and is led where it may be.
func TestLeave(t *testing.T) {
	s := newSite(t)
	s.acme()
	for _, place := range []string{"/acme/-/members", "/acme/tools/-/members"} {
		at := s.places.GroupMembers()
		ref := "acme"
		if place != "/acme/-/members" {
			at, ref = s.places.ProjectMembers(), "acme/tools"
		}
		name := "leaver" + itoa(int64(len(ref)))
		u := s.person(name)
		if _, err := at.Add(t.Context(), s.actor("admin"), ref, projects.Member{UserID: u.ID, Role: access.Guest}); err != nil {
			t.Fatal(err)
		}
		b := s.as(name)
		b.get(place).wants(t, 200, "Leave this ")
		b.post(place+"/"+itoa(u.ID)+"/remove").leads(t, "/?done=left")
		b.get(place).wants(t, 404)
	}
	s.as("developer").get("/acme/tools/-/members").wants(t, 200).lacks(t, "Leave this ") // it is one of the group's
}

// TestBotsAmongMembers: the bot of a token is there, and cannot be touched here.
func TestBotsAmongMembers(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	b.post("/acme/tools/-/settings/access_tokens", "name", "robot", "scopes", "api", "access_level", "30").wants(t, 200)
	b.get("/acme/tools/-/members").wants(t, 200, ">bot<", "leaves when the token is revoked").lacks(t, "Remove ", "Change ")
}
