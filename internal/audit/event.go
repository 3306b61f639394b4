// Package audit is the memory of who changed what: an event for each deed that
// changes something, written in the transaction that does it.
package audit

import (
	"strings"
	"time"

	"granary/internal/access"
)

// Event is what somebody did. A deed makes it with New; the record method that
// does the deed completes it, with the id of what it made and with the names
// that only the records know.
type Event struct {
	ID     int64     // microseconds since 1970 UTC of At, or the next that is free; 0 before it is kept
	At     time.Time // to the microsecond
	Name   Name
	Author Author
	Entity Entity
	Target Target
	Change Change
}

// Name says what was done. Where GitLab has an event for it, it is GitLab's.
type Name string

// Sentence is the name in words: "Project archived".
func (n Name) Sentence() string {
	words := strings.ReplaceAll(string(n), "_", " ")
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// Author is who did it, from where and with what credential, as it was then.
type Author struct {
	UserID       int64 // 0 for a deploy token, and where nobody was logged in
	Username     string
	Name         string
	Credential   Credential
	CredentialID int64  // of the token; of a job token, the job's
	Address      string // the client's, without a port; "" where there was no request
	SudoID       int64  // the administrator who acted as the user; 0 for none
	SudoUsername string
}

// Credential is a sort of credential.
type Credential string

// The sorts of credential. NoCredential is the server's own doing, such as the
// first start, or somebody who was not logged in.
const (
	NoCredential  Credential = ""
	PersonalToken Credential = "personal_access_token"
	BotToken      Credential = "resource_access_token" // a project or group access token
	DeployToken   Credential = "deploy_token"
	JobToken      Credential = "job_token"
	CommandLine   Credential = "command_line" // no token, but the server's machine: granary admin
)

// By is the author that an actor is.
func By(a access.Actor) Author {
	by := Author{
		UserID: a.UserID, Username: a.Username, Name: a.Name, Address: a.Address,
		CredentialID: a.TokenID, SudoID: a.SudoID, SudoUsername: a.SudoUsername,
	}
	switch a.Kind {
	case access.User:
		by.Credential = PersonalToken
		if a.Bot && a.SudoID == 0 {
			by.Credential = BotToken
		}
		if a.Console {
			by.Credential = CommandLine
		}
	case access.Job:
		by.Credential, by.CredentialID = JobToken, a.JobID
	case access.DeployToken:
		by.Credential, by.UserID = DeployToken, 0
	}
	return by
}

// EntityType is the sort of place that an event belongs to, in GitLab's words.
type EntityType string

// The sorts of place.
const (
	Project  EntityType = "Project"
	Group    EntityType = "Group"
	User     EntityType = "User"
	Instance EntityType = "Gitlab::Audit::InstanceScope"
)

// Entity is the place that an event belongs to: whoever may read the place's
// events reads it. It need not be there any more.
type Entity struct {
	Type EntityType
	ID   int64  // 1 for the instance
	Path string // full path of a project or group, user name of a user; "" lets the records fill it in
}

// WholeInstance is the entity of what belongs to no other.
func WholeInstance() Entity { return Entity{Type: Instance, ID: 1, Path: "gitlab_instance"} }

// Place is a project, or where that is 0 a group; the records fill in its path.
func Place(projectID, groupID int64) Entity {
	if projectID != 0 {
		return Entity{Type: Project, ID: projectID}
	}
	return Entity{Type: Group, ID: groupID}
}

// Target is what the deed was done to.
type Target struct {
	Type    string // "Package", "Member", ...
	ID      int64  // 0 where it has none
	Details string // its name
}

// Change is an attribute that got another value. Values of what is secret are
// never in it.
type Change struct {
	What     string // the attribute, as the API names it; "" for no change
	From, To string
}

// New is the event that the actor did something now in the entity.
func New(a access.Actor, name Name, now time.Time, in Entity) Event {
	return Event{Name: name, At: now, Author: By(a), Entity: in}
}

// To is the event with its target.
func (e Event) To(kind string, id int64, details string) Event {
	e.Target = Target{Type: kind, ID: id, Details: details}
	return e
}

// With is the event with a change.
func (e Event) With(what, from, to string) Event {
	e.Change = Change{What: what, From: from, To: to}
	return e
}
