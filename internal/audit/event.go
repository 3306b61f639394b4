// Package audit has the events of all changes: each deed that changes something writes
// one, in the same transaction.
package audit

import (
	"strings"
	"time"

	"granary/internal/access"
)

// Event is the record of a deed. The deed makes it with New; the record method adds the
// id of what it made, and the names that only the records know.
type Event struct {
	ID     int64     // At in microseconds since 1970 UTC, or the next free number; 0 before it is stored
	At     time.Time // to the microsecond
	Name   Name
	Author Author
	Entity Entity
	Target Target
	Change Change
}

// Name names the deed. It is GitLab's if GitLab has an event for it.
type Name string

// Sentence is the name in words: "Project archived".
func (n Name) Sentence() string {
	words := strings.ReplaceAll(string(n), "_", " ")
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// Author is the actor of a deed, with address and credential, as they were then.
type Author struct {
	UserID       int64 // 0 for a deploy token, and without a login
	Username     string
	Name         string
	Credential   Credential
	CredentialID int64  // of the token or session; of a job token, the job's
	Address      string // the client's, without a port; "" without a request
	SudoID       int64  // the administrator who acted as the user; 0 for none
	SudoUsername string
}

// Credential is a kind of credential.
type Credential string

// The kinds of credential. NoCredential is the server itself, such as at the first start,
// or an anonymous actor.
const (
	NoCredential  Credential = ""
	PersonalToken Credential = "personal_access_token"
	BotToken      Credential = "resource_access_token" // a project or group access token
	DeployToken   Credential = "deploy_token"
	JobToken      Credential = "job_token"
	WebSession    Credential = "web_session"  // a person in a browser
	CommandLine   Credential = "command_line" // a command on the server's machine, without a token
)

// By returns an actor as an author.
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
		if a.SessionID != 0 {
			by.Credential, by.CredentialID = WebSession, a.SessionID
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

// EntityType is the kind of entity that an event belongs to, in GitLab's words.
type EntityType string

// The kinds of entity.
const (
	Project  EntityType = "Project"
	Group    EntityType = "Group"
	User     EntityType = "User"
	Instance EntityType = "Gitlab::Audit::InstanceScope"
)

// Entity is the project, group, user or instance that an event belongs to: actors that
// may read its events can read this one. It may have been deleted.
type Entity struct {
	Type EntityType
	ID   int64  // 1 for the instance
	Path string // full path of a project or group, user name of a user; "" lets the records fill it in
}

// WholeInstance is the entity of events that belong to no other.
func WholeInstance() Entity { return Entity{Type: Instance, ID: 1, Path: "gitlab_instance"} }

// Place is a project or, if that is 0, a group; the records fill in its path.
func Place(projectID, groupID int64) Entity {
	if projectID != 0 {
		return Entity{Type: Project, ID: projectID}
	}
	return Entity{Type: Group, ID: groupID}
}

// Target is the object of the deed.
type Target struct {
	Type    string // "Package", "Member", ...
	ID      int64  // 0 if it has none
	Details string // its name
}

// Change is an attribute that got another value. It never has the value of a secret.
type Change struct {
	What     string // the attribute, as the API names it; "" for no change
	From, To string
}

// New returns the event of a deed that the actor does now in the entity.
func New(a access.Actor, name Name, now time.Time, in Entity) Event {
	return Event{Name: name, At: now, Author: By(a), Entity: in}
}

// To returns the event with its target.
func (e Event) To(kind string, id int64, details string) Event {
	e.Target = Target{Type: kind, ID: id, Details: details}
	return e
}

// With returns the event with a change.
func (e Event) With(what, from, to string) Event {
	e.Change = Change{What: what, From: from, To: to}
	return e
}
