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
	"granary/internal/page"
)

// User is a person or a machine that has an account.
type User struct {
	ID             int64
	Username       string
	Name           string
	Email          string
	Admin          bool
	External       bool
	Blocked        bool
	Bot            bool  // a project or group access token acts as it
	Home           int64 // of a bot: its project's id, or its group's below 0
	CanCreateGroup bool
	ProjectsLimit  int
	Note           string
	NamespaceID    int64 // of the user's own namespace
	CreatedAt      time.Time
}

// Bounded is the user with what an external user has not: groups and projects
// of its own. It holds when the user is made, and for what was kept before.
func (u User) Bounded() User {
	if u.External {
		u.CanCreateGroup, u.ProjectsLimit = false, 0
	}
	return u
}

// UserFilter chooses users for a list.
type UserFilter struct {
	Username string // this one, of any case
	Search   string // part of name or user name, case folded
	ByEmail  bool   // Search may be a whole email, too
	Active   bool
	Blocked  bool
}

// Users keeps users. Each method is one transaction.
type Users interface {
	// FindUser takes a decimal id or a user name. NotFound where there is none.
	FindUser(ctx context.Context, ref string) (User, error)
	ListUsers(ctx context.Context, f UserFilter, p page.Request) (page.Of[User], error)
	// InsertUser makes the user's own namespace too. Conflict, with the field "Email" or
	// "Username", if one of them is taken.
	InsertUser(ctx context.Context, u User, e audit.Event) (User, error)
	// SetBlocked reports whether it changed something, and records the event if it
	// did. LastAdministrator if nobody would be left to undo it.
	SetBlocked(ctx context.Context, id int64, blocked bool, e audit.Event) (changed bool, err error)
	// UpdateUser calls edit with the user as it is, keeps what it makes of it but for
	// Blocked, and records what it returns. A new user name moves the user's own
	// namespace, and old paths lead on. Conflict as of InsertUser, LastAdministrator
	// as above.
	UpdateUser(ctx context.Context, id int64, edit func(*User) ([]audit.Event, error)) (User, error)
	// DeleteUser takes everything from a user that lets in, and the user's own
	// namespace. What the user made stays, by a user without a name. Conflict, in
	// words, if the user is the only owner of a group, or has projects of its own
	// and withProjects is not set; LastAdministrator as above.
	DeleteUser(ctx context.Context, id int64, withProjects bool, e audit.Event) error
}

// CurrentUser is the user that the actor is.
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
	f.ByEmail = a.Admin // to others an email is not public
	return s.Records.ListUsers(ctx, f, p)
}

// CreateUser makes a user, for an administrator.
func (s *Service) CreateUser(ctx context.Context, a access.Actor, u User) (User, error) {
	if err := s.allow(a, false, access.AdminUsers); err != nil {
		return User{}, err
	}
	return s.NewUser(ctx, audit.By(a), u)
}

// NewUser makes a user without asking who wants it: the first start does, and
// CreateUser once it has asked. by is only told of.
func (s *Service) NewUser(ctx context.Context, by audit.Author, u User) (User, error) {
	if err := checkUser(u); err != nil {
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
