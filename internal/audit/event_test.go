package audit

import (
	"testing"

	"granary/internal/access"
)

// TestBy: an event names the credential, and the id in it is the credential's.
func TestBy(t *testing.T) {
	ann := access.Actor{Kind: access.User, UserID: 7, Username: "ann", Name: "Ann", TokenID: 3, Address: "192.0.2.1"}
	with := func(change func(*access.Actor)) access.Actor {
		a := ann
		change(&a)
		return a
	}
	of := func(c Credential, id int64) Author {
		return Author{UserID: 7, Username: "ann", Name: "Ann", Address: "192.0.2.1", Credential: c, CredentialID: id}
	}
	sudo := of(PersonalToken, 3)
	sudo.SudoID, sudo.SudoUsername = 1, "root"
	for name, tt := range map[string]struct {
		actor access.Actor
		want  Author
	}{
		"a person":       {ann, of(PersonalToken, 3)},
		"a bot":          {with(func(a *access.Actor) { a.Bot = true }), of(BotToken, 3)},
		"a job":          {with(func(a *access.Actor) { a.Kind, a.JobID, a.TokenID = access.Job, 9, 0 }), of(JobToken, 9)},
		"a bot's job":    {with(func(a *access.Actor) { a.Kind, a.JobID, a.Bot = access.Job, 9, true }), of(JobToken, 9)},
		"the console":    {with(func(a *access.Actor) { a.Console, a.TokenID = true, 0 }), of(CommandLine, 0)},
		"somebody's hat": {with(func(a *access.Actor) { a.SudoID, a.SudoUsername = 1, "root" }), sudo},
		// The token is the administrator's, whatever the administrator acts as.
		"a bot's hat": {with(func(a *access.Actor) { a.SudoID, a.SudoUsername, a.Bot = 1, "root", true }), sudo},
		"a deploy token": {access.Actor{Kind: access.DeployToken, TokenID: 4, UserID: 7, Username: "d", Name: "deploy"},
			Author{Username: "d", Name: "deploy", Credential: DeployToken, CredentialID: 4}},
		"nobody": {access.Actor{Address: "192.0.2.1"}, Author{Address: "192.0.2.1"}},
	} {
		if got := By(tt.actor); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestWordsOfEvents(t *testing.T) {
	for name, want := range map[Name]string{
		ProjectArchived: "Project archived", UserUpdated("admin_status"): "User admin status updated", GroupUpdated("name"): "Group name updated",
		ProjectUpdated("visibility_level"): "Project visibility level updated", "": "",
	} {
		if got := name.Sentence(); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	for _, tt := range []struct {
		project, group int64
		want           Entity
	}{
		{5, 0, Entity{Type: Project, ID: 5}},
		{0, 6, Entity{Type: Group, ID: 6}},
		{5, 6, Entity{Type: Project, ID: 5}},
	} {
		if got := Place(tt.project, tt.group); got != tt.want {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
}
