package auth

import (
	"context"
	"net/mail"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/page"
)

// User is an account of a person or a machine.
type User struct {
	ID             int64
	Username       string
	Name           string
	Email          string
	Admin          bool
	External       bool
	Blocked        bool
	Bot            bool  // the user of a project or group access token
	Home           int64 // of a bot: its project's id, or its group's below 0
	CanCreateGroup bool
	ProjectsLimit  int
	Note           string
	NamespaceID    int64 // of the user's own namespace
	CreatedAt      time.Time
}

// Bounded is the user with the limits of external users, who have no groups and projects
// of their own. It applies to new users and to stored ones.
func (u User) Bounded() User {
	if u.External {
		u.CanCreateGroup, u.ProjectsLimit = false, 0
	}
	return u
}

// UserFilter chooses users for a list.
type UserFilter struct {
	Username string // this one, of any case
	Search   string // part of name or user name, in lower case
	ByEmail  bool   // Search also matches a whole email
	Active   bool
	Blocked  bool
}

// Users keeps users. Each method is one transaction.
type Users interface {
	// FindUser takes a decimal id or a user name. It returns NotFound if there is none.
	FindUser(ctx context.Context, ref string) (User, error)
	ListUsers(ctx context.Context, f UserFilter, p page.Request) (page.Of[User], error)
	// InsertUser also makes the user's own namespace. It returns Conflict with the
	// field "Email" or "Username" if that is taken.
	InsertUser(ctx context.Context, u User, e audit.Event) (User, error)
	// SetBlocked reports whether it changed something, and records the event if it
	// did. It returns LastAdministrator if no administrator would be left.
	SetBlocked(ctx context.Context, id int64, blocked bool, e audit.Event) (changed bool, err error)
	// UpdateUser calls edit with the user as it is, stores the changed user except
	// Blocked, and records the events that edit returns. A new user name moves the
	// user's own namespace; former paths redirect. It returns Conflict as InsertUser
	// does, and LastAdministrator as SetBlocked does.
	UpdateUser(ctx context.Context, id int64, edit func(*User) ([]audit.Event, error)) (User, error)
	// DeleteUser deletes a user's credentials, memberships and own namespace. What the
	// user made stays, with a nameless user as its author. It returns Conflict, with
	// the reason, if the user is the only owner of a group, or has projects in the own
	// namespace and withProjects is not set; LastAdministrator as SetBlocked does.
	DeleteUser(ctx context.Context, id int64, withProjects bool, e audit.Event) error
}

// CurrentUser returns the actor's user.
func (s *Service) CurrentUser(ctx context.Context, a access.Actor) (User, error) {
	if err := s.allow(a, true, access.ReadSelf); err != nil {
		return User{}, err
	}
	return s.Records.FindUser(ctx, strconv.FormatInt(a.UserID, 10))
}

// User returns a user by id.
func (s *Service) User(ctx context.Context, a access.Actor, id int64) (User, error) {
	if err := s.allow(a, false, access.ReadUsers); err != nil {
		return User{}, err
	}
	return s.findUser(ctx, id)
}

func (s *Service) findUser(ctx context.Context, id int64) (User, error) {
	u, err := s.Records.FindUser(ctx, strconv.FormatInt(id, 10))
	if fault.Is(err, fault.NotFound) {
		return User{}, fault.New(fault.Hidden, "User")
	}
	return u, err
}

// ListUsers returns the users that the filter chooses.
func (s *Service) ListUsers(ctx context.Context, a access.Actor, f UserFilter, p page.Request) (page.Of[User], error) {
	if err := s.allow(a, false, access.ReadUsers); err != nil {
		return page.Of[User]{}, err
	}
	f.ByEmail = a.Admin // emails are not public
	return s.Records.ListUsers(ctx, f, p)
}

// CreateUser makes a user; only administrators may.
func (s *Service) CreateUser(ctx context.Context, a access.Actor, u User) (User, error) {
	if err := s.allow(a, false, access.AdminUsers); err != nil {
		return User{}, err
	}
	return s.NewUser(ctx, audit.By(a), u)
}

// NewUser makes a user and checks no permission: the first start calls it, and CreateUser
// after its check. by is only the event's author.
func (s *Service) NewUser(ctx context.Context, by audit.Author, u User) (User, error) {
	if err := checkUser(u); err != nil {
		return User{}, err
	}
	if err := checkReserved(u.Username, ""); err != nil {
		return User{}, err
	}
	u = u.Bounded()
	u.CreatedAt = s.Now()
	u, err := s.Records.InsertUser(ctx, u, audit.Event{Name: audit.UserCreated, At: u.CreatedAt, Author: by, Entity: userEntity(0)})
	if e, ok := fault.As(err, fault.Conflict); ok {
		return User{}, fault.New(fault.Conflict, e.Field+" has already been taken")
	}
	return u, err
}

func checkUser(u User) error {
	const rule = "can contain only letters, digits, '_', '-' and '.', must start with a letter, digit or '_', and must not end in '.', '.git' or '.atom'"
	address, err := mail.ParseAddress(u.Email)
	switch {
	case err != nil || address.Address != u.Email || len(u.Email) > 255:
		return fault.Field("email", "is invalid")
	case strings.TrimSpace(u.Name) == "" || utf8.RuneCountInString(u.Name) > 255 || hasControl(u.Name):
		return fault.Field("name", "can't be blank, longer than 255 characters, or more than one line")
	case !validUsername(u.Username):
		return fault.Field("username", rule)
	case u.ProjectsLimit < 0:
		return fault.Field("projects_limit", "must be greater than or equal to 0")
	}
	return nil
}

// checkReserved refuses a new user name that is the program's own. Users of older servers
// keep theirs.
func checkReserved(name, before string) error {
	if naming.Reserved(name) && !strings.EqualFold(name, before) {
		return fault.Field("username", name+" is a reserved name")
	}
	return nil
}

func validUsername(name string) bool {
	lower := strings.ToLower(name)
	if name == "" || len(name) > 255 || strings.ContainsAny(name[:1], "-.") ||
		strings.HasSuffix(lower, ".") || strings.HasSuffix(lower, ".git") || strings.HasSuffix(lower, ".atom") {
		return false
	}
	return strings.Trim(lower, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == ""
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
