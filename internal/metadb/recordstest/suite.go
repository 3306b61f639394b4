// Package recordstest holds the records of all rooms to their contracts: to what the
// comments of the rooms' interfaces promise.
package recordstest

import (
	"reflect"
	"testing"

	"granary/internal/auth"
	"granary/internal/gate"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/trail"
	"granary/internal/webhooks"
	"granary/internal/webhooks/deliver"
)

// Records is all that the rooms keep.
type Records interface {
	auth.Records
	projects.Records
	registry.Records
	webhooks.Records
	deliver.Outbox
	releases.Store
	trail.Store
}

// FormerPaths is the limit of former paths that the records under test have: a small
// one in the place of projects.FormerPaths.
const FormerPaths = 2

// promise is what a contract says of a method, and the test of that. It names each
// kind of fault that it is about, as the comment of the method does.
type promise struct {
	method string
	says   string
	test   func(*testing.T, *suite)
}

// contract is an interface and what it promises.
type contract struct {
	of       reflect.Type
	promises []promise
}

// contracts is the table of all promises.
func contracts() []contract {
	return []contract{
		{reflect.TypeFor[auth.Tokens](), tokens()},
		{reflect.TypeFor[auth.Users](), users()},
		{reflect.TypeFor[auth.PersonalTokens](), personalTokens()},
		{reflect.TypeFor[auth.Bots](), bots()},
		{reflect.TypeFor[auth.DeployTokens](), deployTokens()},
		{reflect.TypeFor[auth.Jobs](), jobs()},
		{reflect.TypeFor[auth.Sessions](), sessions()},
		{reflect.TypeFor[projects.Groups](), groups()},
		{reflect.TypeFor[projects.Projects](), projectsOf()},
		{reflect.TypeFor[projects.Namespaces](), namespaces()},
		{reflect.TypeFor[projects.Transfers](), transfers()},
		{reflect.TypeFor[projects.Members](), members()},
		{reflect.TypeFor[projects.Features](), features()},
		{reflect.TypeFor[projects.Variables](), variables()},
		{reflect.TypeFor[projects.Allowlists](), allowlists()},
		{reflect.TypeFor[registry.Projects](), places()},
		{reflect.TypeFor[registry.Packages](), packages()},
		{reflect.TypeFor[registry.NameLists](), nameLists()},
		{reflect.TypeFor[registry.Versions](), versionsOf()},
		{reflect.TypeFor[registry.Deletions](), deletions()},
		{reflect.TypeFor[registry.Search](), search()},
		{reflect.TypeFor[registry.Channels](), channels()},
		{reflect.TypeFor[registry.Drafts](), drafts()},
		{reflect.TypeFor[registry.Files](), files()},
		{reflect.TypeFor[registry.Settling](), settling()},
		{reflect.TypeFor[registry.Publishing](), publishing()},
		{reflect.TypeFor[registry.Counting](), counting()},
		{reflect.TypeFor[registry.Sizes](), sizes()},
		{reflect.TypeFor[registry.Sweeping](), sweeping()},
		{reflect.TypeFor[registry.Checking](), checking()},
		{reflect.TypeFor[registry.Leases](), leases()},
		{reflect.TypeFor[registry.Scrubbing](), scrubbing()},
		{reflect.TypeFor[registry.Protections](), protections()},
		{reflect.TypeFor[registry.Uploads](), uploads()},
		{reflect.TypeFor[webhooks.Store](), hooks()},
		{reflect.TypeFor[webhooks.Log](), attempts()},
		{reflect.TypeFor[deliver.Outbox](), outbox()},
		{reflect.TypeFor[releases.Store](), releasesOf()},
		{reflect.TypeFor[trail.Store](), events()},
		{reflect.TypeFor[gate.Places](), standings()},
	}
}

// Run executes the contracts. The records are empty, nobody else uses them, and their
// limit of former paths is FormerPaths. The tests of all contracts share them.
func Run(t *testing.T, empty Records) {
	s := &suite{Records: empty}
	for _, c := range contracts() {
		t.Run(c.of.String(), func(t *testing.T) {
			for _, p := range c.promises {
				t.Run(p.method+" "+p.says, func(t *testing.T) { p.test(t, s) })
			}
		})
	}
}
