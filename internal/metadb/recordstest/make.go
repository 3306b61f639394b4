package recordstest

import (
	"crypto/sha256"
	"strconv"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/registry"
)

// suite is records under test. What a test makes in them has names of its own.
type suite struct {
	Records
	names int
}

// name is one that nothing else has.
func (s *suite) name(kind string) string {
	s.names++
	return kind + "-" + strconv.Itoa(s.names)
}

// event is one with a name of its own, to find it by; see told.
func (s *suite) event() audit.Event {
	return audit.Event{Name: audit.Name(s.name("deed")), At: now(), Entity: audit.WholeInstance()}
}

// quiet is an event of what a test only prepares. It has a moment, since all events of
// one moment stand in each other's way.
func quiet() audit.Event { return audit.Event{At: now()} }

// now is a moment as records keep it: to the microsecond.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// most is a limit of so many rows; roomy is one that no test reaches.
func most(n int) fault.Limit { return fault.Limit{Most: n, Of: "rows of a test"} }
func roomy() fault.Limit     { return most(1000) }

func actorOf(u auth.User) access.Actor {
	return access.Actor{Kind: access.User, UserID: u.ID, Username: u.Username, External: u.External, Scopes: []access.Scope{access.ScopeAPI}}
}

func newUser(name string) auth.User {
	return auth.User{Username: name, Name: "Name of " + name, Email: name + "@example.com", CanCreateGroup: true, ProjectsLimit: 100, CreatedAt: now()}
}

func (s *suite) user(t *testing.T) auth.User {
	t.Helper()
	u, err := s.InsertUser(t.Context(), newUser(s.name("user")), quiet())
	return must(t, u, err)
}

func newGroup(path string, parentID int64) projects.Group {
	return projects.Group{Name: path, Path: path, ParentID: parentID, Visibility: access.Private, CreatedAt: now(), UpdatedAt: now()}
}

// group makes a private group, owned by the user; parentID 0 is the top.
func (s *suite) group(t *testing.T, parentID int64, owner auth.User) projects.Group {
	t.Helper()
	g, err := s.InsertGroup(t.Context(), newGroup(s.name("group"), parentID), owner.ID, roomy(), quiet())
	return must(t, g, err)
}

func newProject(path string, namespaceID, creatorID int64) projects.Project {
	return projects.Project{
		Namespace: projects.Group{ID: namespaceID}, Name: path, Path: path, Visibility: access.Private, DefaultBranch: "main",
		PackageAccess: access.PackagesEnabled, CreatorID: creatorID, CreatedAt: now(), UpdatedAt: now(),
	}
}

// project makes a private one.
func (s *suite) project(t *testing.T, namespaceID int64, creator auth.User) projects.Project {
	t.Helper()
	p, err := s.InsertProject(t.Context(), newProject(s.name("project"), namespaceID, creator.ID), access.NoRole, roomy(), quiet())
	must(t, p, err)
	p, err = s.FindProject(t.Context(), id(p.ID), access.Actor{})
	return must(t, p, err)
}

// home makes a user who owns a group with a project.
func (s *suite) home(t *testing.T) (auth.User, projects.Group, projects.Project) {
	t.Helper()
	u := s.user(t)
	g := s.group(t, 0, u)
	return u, g, s.project(t, g.ID, u)
}

func inGroup(id int64) projects.Place   { return projects.Place{GroupID: id} }
func inProject(id int64) projects.Place { return projects.Place{ProjectID: id} }

// member makes a user a member; expires nil is for good.
func (s *suite) member(t *testing.T, at projects.Place, u auth.User, role access.Role, expires *time.Time) {
	t.Helper()
	m := projects.Member{UserID: u.ID, Role: role, CreatedAt: now(), ExpiresAt: expires}
	_, err := s.InsertMember(t.Context(), at, access.Actor{}, m, roomy(), allow(quiet()))
	must(t, 0, err)
}

// allow decides that a change of a member may be.
func allow(e audit.Event) projects.Decide {
	return func(access.Resource, projects.Member) (audit.Event, error) { return e, nil }
}

func newToken(userID int64) auth.PersonalToken {
	return auth.PersonalToken{UserID: userID, Name: "token", Description: "of a test", Scopes: []access.Scope{access.ScopeAPI}, CreatedAt: now()}
}

func (s *suite) secret() auth.SecretDigest { return auth.DigestOf(s.name("secret")) }

func (s *suite) token(t *testing.T, userID int64) (auth.PersonalToken, auth.SecretDigest) {
	t.Helper()
	d := s.secret()
	made, err := s.InsertPersonalToken(t.Context(), newToken(userID), d, roomy(), quiet())
	return must(t, made, err), d
}

// publication is one of a small file; its bytes are the name of the file.
func publication(projectID int64, name, version, file string) registry.Publication {
	bytes := []byte(file)
	return registry.Publication{
		ProjectID:   projectID,
		Coordinates: registry.Coordinates{Name: registry.Name(name), Version: registry.Version(version), File: registry.FileName(file)},
		Size:        int64(len(bytes)), Digest: digest(bytes), Small: bytes, Now: now(), Event: quiet(),
	}
}

func digest(bytes []byte) blob.Digest { return sha256.Sum256(bytes) }

func (s *suite) publish(t *testing.T, p registry.Publication) registry.File {
	t.Helper()
	f, err := s.AddFile(t.Context(), p)
	return must(t, f, err)
}
