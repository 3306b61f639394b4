package access

import (
	"strings"
	"testing"
)

// TestFinalisers is the table of docs/design/021: who makes a version final under each
// setting, of a private project. The last column is a word that this server does not know.
func TestFinalisers(t *testing.T) {
	user := Actor{Kind: User, UserID: 7, Scopes: []Scope{ScopeAPI}}
	narrow, bot, job, admin, console := user, user, user, user, user
	narrow.Scopes = []Scope{ScopeReadAPI}
	bot.Bot = true
	job.Kind, job.Scopes = Job, nil
	admin.Admin = true
	adminJob := job
	adminJob.Admin = true
	console.Admin, console.Console = true, true
	sudo := user
	sudo.SudoID = 1
	deploy := Actor{Kind: DeployToken, Scopes: []Scope{ScopeWritePackage}}
	reads := Actor{Kind: DeployToken, Scopes: []Scope{ScopeReadPackage}}
	for _, row := range []struct {
		name  string
		actor Actor
		role  Role
		want  string // publishers, maintainers, people, a word of the future
	}{
		{"anonymous", Actor{}, NoRole, "401 401 401 401"},
		{"stranger", user, NoRole, "404 404 404 404"},
		{"reporter", user, Reporter, "403 403 403 403"},
		{"developer", user, Developer, "y 403 403 403"},
		{"maintainer", user, Maintainer, "y y y y"},
		{"maintainer with read_api", narrow, Maintainer, "scope scope scope scope"},
		{"owner", user, Owner, "y y y y"},
		{"maintainer, by sudo", sudo, Maintainer, "y y y y"},
		{"developer's bot", bot, Developer, "y 403 403 403"},
		{"owner's bot", bot, Owner, "y y 403 403"},
		{"developer's job", job, Developer, "y 403 403 403"},
		{"maintainer's job", job, Maintainer, "y y 403 403"},
		{"administrator", admin, NoRole, "y y y y"},
		{"administrator's job", adminJob, NoRole, "y y 403 403"},
		{"console", console, NoRole, "y y y y"},
		{"deploy token", deploy, NoRole, "y 403 403 403"},
		{"deploy token that reads", reads, NoRole, "403 403 403 403"},
	} {
		var got []string
		for _, who := range []Finalisers{Publishers, Maintainers, People, "robots"} {
			r := Resource{Packages: PackagesEnabled, Role: row.role, Covered: true, Listed: true, Finalisers: who}
			got = append(got, word(Rules{}.Check(row.actor, r, FinalisePackage)))
		}
		if got := strings.Join(got, " "); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

// TestLawsOfFinalising: on every actor and project, nobody finalises who may not publish,
// no setting lets more in than the one before it, and none is publishers.
func TestLawsOfFinalising(t *testing.T) {
	for who, a := range everyActor() {
		everyResource(func(r Resource) {
			before := Rules{}.Check(a, r, PublishPackage)
			for _, setting := range []Finalisers{"", Publishers, Maintainers, People} {
				r.Finalisers = setting
				got := Rules{}.Check(a, r, FinalisePackage)
				switch {
				case got == Allowed && before != Allowed:
					t.Errorf("%s, %+v: %q lets in more than the one before", who, r, setting)
				case got != before && got != Denied:
					t.Errorf("%s, %+v: %q answers %s, the one before %s", who, r, setting, word(got), word(before))
				case (setting == "" || setting == Publishers) && got != before:
					t.Errorf("%s, %+v: %q answers %s, publishing %s", who, r, setting, word(got), word(before))
				}
				before = got
			}
		})
	}
}
