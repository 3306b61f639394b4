package auth

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
)

// SignInLink signs a user in, once.
type SignInLink struct {
	UserID    int64
	TokenID   int64 // of the personal access token that asked for it; 0: an administrator did
	ExpiresAt time.Time
}

// OpenSession decides whether a link may be used, and returns the session that it makes and
// the event of that. from is the token that asked for the link: nil if none did.
type OpenSession func(l SignInLink, u User, from *PersonalToken) (Session, audit.Event, error)

// How long links work.
const (
	ownLinkLife     = time.Minute
	othersLinkLife  = 24 * time.Hour
	consoleLinkLife = time.Hour
)

// The words for what signs nobody in.
const (
	badTokenText   = "That token is unknown, expired or revoked."
	otherTokenText = "Only a person's personal access token signs in. That token belongs to a project, a group, a deployment or a job."
	badLinkText    = "That link was used already, is too old, or is not whole. Ask for another one."
)

// SignIn starts a session by a personal access token of a person. It returns the secret for
// the cookie. Unauthenticated says why not. A client that failed too often gets the error of
// throttle.Logins.
func (s *Service) SignIn(ctx context.Context, secret string, from netip.Addr, userAgent string) (Session, string, error) {
	t, err := s.find(ctx, strings.TrimSpace(secret), from, ofToken)
	if err != nil {
		return Session{}, "", err
	}
	now := s.Now()
	switch {
	case t.Deploy != nil, t.Job != nil, t.User.Bot:
		return Session{}, "", fault.New(fault.Unauthenticated, otherTokenText)
	case t.Personal == nil, !t.Personal.Active(now):
		return Session{}, "", fault.New(fault.Unauthenticated, badTokenText)
	case t.User.Blocked:
		return Session{}, "", fault.New(fault.Unauthenticated, blockedText)
	}
	s.used.note(t.Personal.ID, now)
	made := newSession(t.User, t.Personal, MethodToken, now)
	made.Address, made.UserAgent = Credentials{From: from}.address(), cutText(userAgent)
	cookie := s.newSecret(sessionPrefix)
	made, err = s.Records.InsertSession(ctx, made, DigestOf(cookie), mostSessions, started(made, t.User))
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Unauthenticated, badTokenText)
	}
	return made, cookie, err
}

// SignInByLink starts a session by the code of a sign-in link, which works once. It returns
// the secret for the cookie. Unauthenticated says the same of a code that was used, is too
// old or unknown. A client that failed too often gets the error of throttle.Logins.
func (s *Service) SignInByLink(ctx context.Context, code string, from netip.Addr, userAgent string) (Session, string, error) {
	bad := fault.New(fault.Unauthenticated, badLinkText)
	code = strings.TrimSpace(code)
	if code == "" || len(code) > maxSecret {
		return Session{}, "", bad
	}
	digest, now := DigestOf(code), s.Now()
	if err := s.Logins.Admit(from, digest); err != nil {
		return Session{}, "", err
	}
	cookie := s.newSecret(sessionPrefix)
	made, err := s.Records.UseSignInLink(ctx, digest, DigestOf(cookie), mostSessions,
		func(l SignInLink, u User, by *PersonalToken) (Session, audit.Event, error) {
			if !now.Before(l.ExpiresAt) || l.TokenID != 0 && (by == nil || !by.Active(now)) {
				return Session{}, audit.Event{}, bad
			}
			made := newSession(u, by, MethodLink, now)
			made.Address, made.UserAgent = Credentials{From: from}.address(), cutText(userAgent)
			return made, started(made, u), nil
		})
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Unauthenticated) {
		s.Logins.Bad(from, digest)
		return Session{}, "", bad
	}
	return made, cookie, err
}

// newSession is a session of the user that is no more than the token; nil for none.
func newSession(u User, from *PersonalToken, method string, now time.Time) Session {
	made := Session{
		UserID: u.ID, Method: method, Scopes: []access.Scope{access.ScopeAPI},
		SignedInAt: now, SeenAt: now, ExpiresAt: now.Add(SessionLife),
	}
	if from == nil {
		return made
	}
	made.TokenID, made.Scopes = from.ID, from.Scopes
	if from.ExpiresAt != nil && from.ExpiresAt.Before(made.ExpiresAt) {
		made.ExpiresAt = *from.ExpiresAt
	}
	return made
}

// started is the event of a sign-in, by the token that it came from. Without one the records
// fill in the session.
func started(made Session, u User) audit.Event {
	a := userActor(u, made.Scopes)
	a.TokenID, a.Address = made.TokenID, made.Address
	e := audit.New(a, audit.SessionStarted, made.SignedInAt, userEntity(u.ID))
	if made.TokenID == 0 {
		e.Author.Credential = audit.WebSession
	}
	return e.With("method", "", made.Method)
}

// MakeSignInLink makes the code of a link that signs a user in, once. With a personal access
// token people make it for themselves: it works for a minute, and the session is no more
// than the token. Administrators make it for others, for a day, and the command line of the
// server's machine for anybody, for an hour: the session has the scope api.
func (s *Service) MakeSignInLink(ctx context.Context, a access.Actor, userID int64) (code string, expires time.Time, err error) {
	l := SignInLink{UserID: userID}
	life, action := othersLinkLife, access.MakeSignInLink
	switch {
	case a.Console:
		life = consoleLinkLife
	case a.UserID == userID:
		life, action, l.TokenID = ownLinkLife, access.MakeOwnSignInLink, a.TokenID
	}
	if err := s.allow(a, false, action); err != nil {
		return "", time.Time{}, err
	}
	if action == access.MakeOwnSignInLink && (a.Kind != access.User || a.TokenID == 0 || a.SudoID != 0) {
		return "", time.Time{}, fault.New(fault.Denied, "Only a person's own personal access token makes a link that signs the person in.")
	}
	u, err := s.findUser(ctx, userID)
	switch {
	case err != nil:
		return "", time.Time{}, err
	case u.Bot:
		return "", time.Time{}, botOfToken()
	case u.Blocked:
		return "", time.Time{}, blockedUser(u)
	}
	now := s.Now()
	l.ExpiresAt = now.Add(life)
	code = s.newSecret(linkPrefix)
	done := s.event(a, audit.SignInLinkCreated, userEntity(userID)).To("User", userID, u.Username).
		With("expires_in", "", strconv.Itoa(int(life/time.Second)))
	err = s.Records.InsertSignInLink(ctx, l, DigestOf(code), mostLinks, done)
	if fault.Is(err, fault.NotFound) {
		err = blockedUser(u)
	}
	return code, l.ExpiresAt, err
}

func blockedUser(u User) error {
	return fault.New(fault.Denied, "The user "+u.Username+" is blocked and cannot sign in: unblock the user first.")
}

// cutText is a header of a browser as one text that can be stored.
func cutText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s[:min(len(s), 4*maxUserAgent)], ""))
	if runes := []rune(s); len(runes) > maxUserAgent {
		return string(runes[:maxUserAgent])
	}
	return s
}
