package auth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
)

func TestCheckUser(t *testing.T) {
	good := User{Username: "ann", Name: "Ann", Email: "ann@example.com"}
	for name, ok := range map[string]bool{
		"ann": true, "_ann": true, "9": true, "Ann.B-c_d": true, "git": true, strings.Repeat("a", 255): true,
		"": false, "-ann": false, ".ann": false, "ann.": false, "ann.git": false, "ann.GIT": false, "ann.atom": false,
		"an n": false, "ann/b": false, "änn": false, "ann\n": false, strings.Repeat("a", 256): false,
	} {
		if validUsername(name) != ok {
			t.Errorf("the user name %q is taken: %v", name, !ok)
		}
	}
	for field, change := range map[string][]func(*User){
		"": {func(*User) {}, func(u *User) { u.Name = "Ännchen von Tharau" }, func(u *User) { u.Name = strings.Repeat("ä", 255) }},
		"email": {
			func(u *User) { u.Email = "" }, func(u *User) { u.Email = "ann" }, func(u *User) { u.Email = "Ann <ann@example.com>" },
			func(u *User) { u.Email = strings.Repeat("a", 250) + "@b.example" },
		},
		"name":           {func(u *User) { u.Name = " " }, func(u *User) { u.Name = "a\nb" }, func(u *User) { u.Name = strings.Repeat("ä", 256) }},
		"username":       {func(u *User) { u.Username = "ann." }},
		"projects_limit": {func(u *User) { u.ProjectsLimit = -1 }},
	} {
		for i, f := range change {
			u := good
			f(&u)
			err := checkUser(u)
			if e, ok := fault.As(err, fault.Rejected); (err == nil) != (field == "") || err != nil && (!ok || e.Fields[field] == nil) {
				t.Errorf("%s %d, %+v: %v", field, i, u, err)
			}
		}
	}
}

// TestUserEdit: a user who becomes external loses what external users may not have, and
// gets it back afterwards. There is an event for each attribute that changed.
func TestUserEdit(t *testing.T) {
	inside := User{ID: 7, Username: "ann", Name: "Ann", Email: "ann@example.com", CanCreateGroup: true, ProjectsLimit: 5}
	outside := inside
	outside.External, outside.CanCreateGroup, outside.ProjectsLimit = true, false, 0
	yes, no, three := true, false, 3
	const all = "user_external_updated external user_can_create_group_updated can_create_group user_projects_limit_updated projects_limit"
	for name, tt := range map[string]struct {
		before User
		edit   UserEdit
		want   string // of what an external user has not
		events string
	}{
		"nothing":            {inside, UserEdit{}, "false true 5", ""},
		"the same again":     {inside, UserEdit{Name: new("Ann"), External: &no}, "false true 5", ""},
		"a note and a name":  {inside, UserEdit{Note: new("n"), Name: new("A")}, "false true 5", "user_name_updated name user_note_updated note"},
		"admin":              {inside, UserEdit{Admin: &yes}, "false true 5", "user_admin_status_updated admin"},
		"out":                {inside, UserEdit{External: &yes}, "true false 0", all},
		"out, with projects": {inside, UserEdit{External: &yes, ProjectsLimit: &three}, "true false 0", all},
		"stays out":          {outside, UserEdit{CanCreateGroup: &yes}, "true false 0", ""},
		"in":                 {outside, UserEdit{External: &no}, "false true 100000", all},
		"in, with a limit":   {outside, UserEdit{External: &no, ProjectsLimit: &three, CanCreateGroup: &no}, "false false 3", "user_external_updated external user_projects_limit_updated projects_limit"},
	} {
		u := tt.before
		if err := tt.edit.apply(&u); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := fmt.Sprint(u.External, u.CanCreateGroup, u.ProjectsLimit); got != tt.want {
			t.Errorf("%s: external, groups, projects: %s, want %s", name, got, tt.want)
		}
		var events []string
		for _, e := range u.changes(access.Actor{Kind: access.User, UserID: 1}, time.Unix(1, 0), tt.before) {
			events = append(events, string(e.Name), e.Change.What)
			if e.Target.ID != 7 || e.Target.Details != "ann" || e.Author.UserID != 1 {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if got := strings.Join(events, " "); got != tt.events {
			t.Errorf("%s: events %q, want %q", name, got, tt.events)
		}
	}
	bot := User{Bot: true}
	if err := (UserEdit{Name: new("b")}).apply(&bot); !fault.Is(err, fault.Denied) || bot.Name != "" {
		t.Errorf("a bot: %+v, %v", bot, err)
	}
}
