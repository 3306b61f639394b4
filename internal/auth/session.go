package auth

import (
	"context"
	"net/netip"
	"strconv"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/page"
)

// Session is a person's sign-in in a browser, without its secret.
type Session struct {
	ID         int64
	UserID     int64
	TokenID    int64          // of the personal access token that it came from; 0 for an administrator's link
	Method     string         // MethodToken or MethodLink
	Scopes     []access.Scope // those of the token, or api
	SignedInAt time.Time
	SeenAt     time.Time // of the last request, within some seconds
	ExpiresAt  time.Time // at most SessionLife after SignedInAt, and not after the token's end
	Address    string    // of the client that signed in
	UserAgent  string    // of its browser, cut to 255 characters
}

// The ways to sign in.
const (
	MethodToken = "token" // a personal access token was pasted
	MethodLink  = "link"  // a link was used, of the person or of an administrator
)

// Limits of sessions and links.
const (
	SessionLife  = 30 * 24 * time.Hour
	SessionIdle  = 7 * 24 * time.Hour // without a request
	mostSessions = 50                 // of a user; a new one ends the oldest
	mostLinks    = 10                 // of a user; a new one replaces the oldest
	maxUserAgent = 255                // characters
)

// Active reports whether the session is neither over nor idle for too long.
func (s Session) Active(now time.Time) bool {
	return now.Before(s.ExpiresAt) && now.Sub(s.SeenAt) < SessionIdle
}

// Sessions keeps sessions and sign-in links. Each method is one transaction.
type Sessions interface {
	// FindSession returns the session with the digest, its user, and the token that it
	// came from, even if they have ended. It returns NotFound if there is none, or if
	// the user or the token was deleted.
	FindSession(ctx context.Context, d SecretDigest) (Token, error)
	// SessionByID is FindSession by id.
	SessionByID(ctx context.Context, id int64) (Token, error)
	// ListSessions returns a user's active sessions whose tokens are not revoked, the
	// newest first.
	ListSessions(ctx context.Context, userID int64, now time.Time, p page.Request) (page.Of[Session], error)
	// InsertSession makes a session and records the event with it. It ends the user's
	// oldest sessions if there are more than most, and records that. It returns NotFound
	// if the user is blocked or deleted.
	InsertSession(ctx context.Context, s Session, d SecretDigest, most int, e audit.Event) (Session, error)
	// UseSignInLink deletes the link with the digest and makes the session that open
	// returns as InsertSession does. It returns NotFound if there is no such link. If it
	// fails, the link stays.
	UseSignInLink(ctx context.Context, link, d SecretDigest, most int, open OpenSession) (Session, error)
	// InsertSignInLink makes a link, deletes the user's oldest links if there are more
	// than most, and records the event. It returns NotFound if the user is blocked or
	// deleted.
	InsertSignInLink(ctx context.Context, l SignInLink, d SecretDigest, most int, e audit.Event) error
	// EndSession deletes a session and records the event. It returns NotFound if there
	// is none.
	EndSession(ctx context.Context, id int64, e audit.Event) error
	// EndSessions deletes a user's sessions and links, and records the event of each
	// session.
	EndSessions(ctx context.Context, userID int64, e audit.Event) error
	// TouchSessions records when sessions, by id, were last seen.
	TouchSessions(ctx context.Context, at map[int64]time.Time) error
	// PurgeSessions deletes some sessions and links that are over, at most limit of
	// each, and returns how many it deleted.
	PurgeSessions(ctx context.Context, now time.Time, limit int) (int, error)
}

// activeSession reports whether the session of the token is valid now.
func (t Token) activeSession(now time.Time) bool {
	return t.Session.Active(now) && (t.Origin == nil || t.Origin.Active(now)) && !t.User.Blocked
}

func sessionActor(t Token, from netip.Addr) access.Actor {
	a := userActor(t.User, t.Session.Scopes)
	a.SessionID, a.Address = t.Session.ID, Credentials{From: from}.address()
	return a
}

// FindSession returns the session of a cookie's secret and its user as an actor. It returns
// Unauthenticated if there is none, or if the session, its token or its user may no longer
// act. A client that failed too often gets the error of throttle.Logins.
func (s *Service) FindSession(ctx context.Context, secret string, from netip.Addr) (access.Actor, Session, error) {
	t, err := s.find(ctx, secret, from, ofSession)
	if err != nil {
		return access.Actor{}, Session{}, err
	}
	now := s.Now()
	if t.Session == nil || !t.activeSession(now) {
		return access.Actor{}, Session{}, fault.New(fault.Unauthenticated, "")
	}
	s.seen.note(t.Session.ID, now)
	return sessionActor(t, from), *t.Session, nil
}

// ListSessions returns a user's active sessions, the newest first: to the user, and to
// administrators.
func (s *Service) ListSessions(ctx context.Context, a access.Actor, userID int64, p page.Request) (page.Of[Session], error) {
	if err := s.allow(a, owns(a, userID), access.ReadSessions); err != nil {
		return page.Of[Session]{}, err
	}
	return s.Records.ListSessions(ctx, userID, s.Now(), p)
}

// EndSession ends a session: the one in use, one's own, or as an administrator any. Others
// get the same error as for an unknown one.
func (s *Service) EndSession(ctx context.Context, a access.Actor, id int64) error {
	unknown := fault.New(fault.Hidden, "Session")
	userID := a.UserID
	if id != 0 && id == a.SessionID {
		if err := s.allow(a, true, access.UseOwnToken); err != nil {
			return err
		}
	} else {
		if err := gate.Token(a, access.EndSessions, ""); err != nil {
			return err
		}
		t, err := s.Records.SessionByID(ctx, id)
		switch {
		case fault.Is(err, fault.NotFound):
			return unknown
		case err != nil:
			return err
		case s.allow(a, owns(a, t.Session.UserID), access.EndSessions) != nil:
			return unknown
		}
		userID = t.Session.UserID
	}
	err := s.Records.EndSession(ctx, id, s.event(a, audit.SessionEnded, userEntity(userID)))
	if fault.Is(err, fault.NotFound) {
		return unknown
	}
	return err
}

// EndSessions signs a user out everywhere, and deletes the links that could sign the user
// in: one's own, or as an administrator anybody's.
func (s *Service) EndSessions(ctx context.Context, a access.Actor, userID int64) error {
	if err := s.allow(a, owns(a, userID), access.EndSessions); err != nil {
		return err
	}
	return s.Records.EndSessions(ctx, userID, s.event(a, audit.SessionEnded, userEntity(userID)))
}

// owns reports whether the actor is the user. A job is not: it ends no session.
func owns(a access.Actor, userID int64) bool { return a.Kind == access.User && a.UserID == userID }

const purgedAtOnce = 1000 // sessions and links in a transaction

// PurgeSessions deletes the sessions and links that are over, in steps, so that others can
// write in between. The server calls it at intervals.
func (s *Service) PurgeSessions(ctx context.Context) (total int, err error) {
	for {
		n, err := s.Records.PurgeSessions(ctx, s.Now(), purgedAtOnce)
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
}

// boundBySession refuses a token that the session of the actor may not make: one that came
// from a token makes none that may do more or lasts longer. A leaked token of a day would
// give access for ever otherwise.
func (s *Service) boundBySession(ctx context.Context, a access.Actor, scopes []access.Scope, expires *time.Time) error {
	t, err := s.ownSession(ctx, a)
	if err != nil || t.Origin == nil {
		return err
	}
	for _, scope := range scopes {
		if !covers(t.Session.Scopes, scope) {
			return fault.Field("scopes", "must be among those of the token that you signed in with, which does not have "+strconv.Quote(string(scope)))
		}
	}
	if end := t.Origin.ExpiresAt; end != nil && (expires == nil || expires.After(*end)) {
		return fault.Field("expires_at", "must not be after "+end.Format(time.DateOnly)+", the end of the token that you signed in with")
	}
	return nil
}

// LatestEnd is the latest end of a token that a person makes or renews from a session: that
// of the token which the session came from; nil for no limit.
func (s *Service) LatestEnd(ctx context.Context, a access.Actor) (*time.Time, error) {
	if err := s.allow(a, true, access.IssueTokenInPerson); err != nil {
		return nil, err
	}
	t, err := s.ownSession(ctx, a)
	if err != nil || t.Origin == nil {
		return nil, err
	}
	return t.Origin.ExpiresAt, nil
}

// ownSession is the session of the actor, with the token that it came from; the zero value
// without a session. Unauthenticated if the session has ended.
func (s *Service) ownSession(ctx context.Context, a access.Actor) (Token, error) {
	if a.SessionID == 0 {
		return Token{}, nil
	}
	t, err := s.Records.SessionByID(ctx, a.SessionID)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Unauthenticated, "")
	}
	return t, err
}

// covers reports whether a token with the scopes may do all that the scope allows.
func covers(scopes []access.Scope, scope access.Scope) bool {
	has := access.Actor{Scopes: scopes}.Has
	switch {
	case has(scope):
		return true
	case scope == access.ScopeReadUser && has(access.ScopeReadAPI):
		return true
	}
	return has(access.ScopeAPI) && !forAdministrators(scope)
}

// forAdministrators reports whether only administrators' tokens use the scope.
func forAdministrators(scope access.Scope) bool {
	return scope == access.ScopeSudo || scope == "admin_mode" || scope == "read_service_ping"
}
