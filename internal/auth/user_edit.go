package auth

import (
	"context"
	"strconv"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
)

// DefaultProjectsLimit is how many projects a user may have in the own namespace if no
// number is set.
const DefaultProjectsLimit = 100_000

// UserEdit is an edit; nil fields stay.
type UserEdit struct {
	Name, Username, Email, Note     *string
	Admin, External, CanCreateGroup *bool
	ProjectsLimit                   *int
}

// LastAdministrator is the refusal of a change that would leave the instance without an
// administrator.
func LastAdministrator() error {
	return fault.New(fault.Denied, "The last administrator cannot be blocked, deleted or made an ordinary user: make another user an administrator first.")
}

// BlockUser blocks or unblocks a user; only administrators may, and not themselves. It
// reports whether that changed something.
func (s *Service) BlockUser(ctx context.Context, a access.Actor, id int64, blocked bool) (changed bool, err error) {
	if err := s.allow(a, false, access.AdminUsers); err != nil {
		return false, err
	}
	u, err := s.findUser(ctx, id)
	if err != nil {
		return false, err
	}
	if blocked && id == a.UserID {
		return false, fault.New(fault.Denied, "You cannot block yourself.")
	}
	name := audit.UserUnblocked
	if blocked {
		name = audit.UserBlocked
	}
	return s.Records.SetBlocked(ctx, id, blocked, s.event(a, name, userEntity(id)).To("User", id, u.Username))
}

// MakeAdministrator makes a user an administrator; only administrators may.
func (s *Service) MakeAdministrator(ctx context.Context, a access.Actor, id int64) error {
	_, err := s.EditUser(ctx, a, id, UserEdit{Admin: new(true)})
	return err
}

// EditUser changes a user; only administrators may.
func (s *Service) EditUser(ctx context.Context, a access.Actor, id int64, e UserEdit) (User, error) {
	if err := s.allow(a, false, access.AdminUsers); err != nil {
		return User{}, err
	}
	u, err := s.Records.UpdateUser(ctx, id, func(u *User) ([]audit.Event, error) {
		before := *u
		if err := e.apply(u); err != nil {
			return nil, err
		}
		if err := checkReserved(u.Username, before.Username); err != nil {
			return nil, err
		}
		return u.changes(a, s.Now(), before), nil
	})
	return u, userFault(err)
}

// DeleteUser deletes a user; only administrators may. What the user published in groups
// stays. withProjects deletes the projects in the user's own namespace, too; without it
// DeleteUser returns Conflict if there are any.
func (s *Service) DeleteUser(ctx context.Context, a access.Actor, id int64, withProjects bool) error {
	if err := s.allow(a, false, access.AdminUsers); err != nil {
		return err
	}
	u, err := s.findUser(ctx, id)
	if err != nil {
		return err
	}
	if u.Bot {
		return botOfToken()
	}
	return userFault(s.Records.DeleteUser(ctx, id, withProjects, s.event(a, audit.UserDestroyed, userEntity(id)).To("User", id, u.Username)))
}

func botOfToken() error {
	return fault.New(fault.Denied, "This user is the bot of a project or group access token: revoke the token.")
}

// userFault puts the records' errors about a user into GitLab's words.
func userFault(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Hidden, "User")
	}
	if e, ok := fault.As(err, fault.Conflict); ok && e.Field != "" {
		return fault.New(fault.Conflict, e.Field+" has already been taken")
	}
	return err
}

// apply makes the edit. A user who is no longer external gets a new user's values in the
// fields that the edit does not set.
func (e UserEdit) apply(u *User) error {
	if u.Bot {
		return botOfToken()
	}
	set(&u.Name, e.Name)
	set(&u.Username, e.Username)
	set(&u.Email, e.Email)
	set(&u.Note, e.Note)
	set(&u.Admin, e.Admin)
	if e.External != nil && u.External && !*e.External {
		u.CanCreateGroup, u.ProjectsLimit = true, DefaultProjectsLimit
	}
	set(&u.External, e.External)
	set(&u.CanCreateGroup, e.CanCreateGroup)
	set(&u.ProjectsLimit, e.ProjectsLimit)
	*u = u.Bounded()
	return checkUser(*u)
}

func set[T any](field *T, v *T) {
	if v != nil {
		*field = *v
	}
}

// changes returns the events of an edit of a user.
func (u User) changes(a access.Actor, now time.Time, before User) (done []audit.Event) {
	for _, c := range []struct{ name, attribute, from, to string }{
		{"name", "name", before.Name, u.Name},
		{"username", "username", before.Username, u.Username},
		{"email", "email", before.Email, u.Email},
		{"note", "note", before.Note, u.Note},
		{"admin_status", "admin", strconv.FormatBool(before.Admin), strconv.FormatBool(u.Admin)},
		{"external", "external", strconv.FormatBool(before.External), strconv.FormatBool(u.External)},
		{"can_create_group", "can_create_group", strconv.FormatBool(before.CanCreateGroup), strconv.FormatBool(u.CanCreateGroup)},
		{"projects_limit", "projects_limit", strconv.Itoa(before.ProjectsLimit), strconv.Itoa(u.ProjectsLimit)},
	} {
		if c.from != c.to {
			e := audit.New(a, audit.UserUpdated(c.name), now, userEntity(u.ID)).To("User", u.ID, before.Username)
			done = append(done, e.With(c.attribute, c.from, c.to))
		}
	}
	return done
}
