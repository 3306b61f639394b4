package recordstest

import (
	"testing"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/projects"
)

func bots() []promise {
	return []promise{
		{"InsertBotToken", "makes the bot, a member with the role, and its token", testInsertBotToken},
		{"InsertBotToken", "does nothing if check refuses", testInsertBotTokenRefused},
		{"InsertBotToken", "is Full with as many bots as the limit, blocked ones too", testInsertBotTokenFull},
		{"RotateBotToken", "revokes the token and inserts its successor", testRotateBotToken},
		{"RotateBotToken", "is a Conflict if it was revoked already", testRotateRevokedBotToken},
		{"RotateBotToken", "does nothing if check refuses", testRotateBotTokenRefused},
	}
}

// newBot is one of the place that is not made yet.
func (s *suite) newBot(at projects.Place) auth.Bot {
	name := s.name("bot")
	return auth.Bot{ProjectID: at.ProjectID, GroupID: at.GroupID, Username: name, Email: name + "@noreply.localhost"}
}

func (s *suite) bot(t *testing.T, b auth.Bot, d auth.SecretDigest, role access.Role) auth.PersonalToken {
	t.Helper()
	token := newToken(0)
	token.Role = role
	made, err := s.InsertBotToken(t.Context(), access.Actor{}, b, token, d, roomy(), standingAllowed(quiet()))
	return must(t, made, err)
}

// standingAllowed lets a deed be done, whatever the actor is to the place.
func standingAllowed(e audit.Event) auth.CheckStanding {
	return func(access.Resource) (audit.Event, error) { return e, nil }
}

func testInsertBotToken(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	for _, at := range []projects.Place{inGroup(g.ID), inProject(p.ID)} {
		b, e, d := s.newBot(at), s.event(), s.secret()
		token := newToken(0)
		token.Role = access.Maintainer
		var got access.Resource
		made, err := s.InsertBotToken(t.Context(), actorOf(u), b, token, d, roomy(), func(r access.Resource) (audit.Event, error) {
			got = r
			return e, nil
		})
		must(t, 0, err)
		wantSame(t, "the role that check gets", got.Role, access.Owner)
		s.wantTold(t, e, 1)
		bot, err := s.FindUser(t.Context(), b.Username)
		must(t, 0, err)
		if home := map[bool]int64{true: p.ID, false: -g.ID}[at.ProjectID != 0]; !bot.Bot || bot.Home != home || bot.ID != made.UserID {
			t.Errorf("%+v, want the bot %d of %d", bot, made.UserID, home)
		}
		found, err := s.ListMembers(t.Context(), projects.MemberFilter{Place: at, UserID: bot.ID}, all())
		if m := rows(t, found, err); len(m) != 1 || m[0].Role != access.Maintainer || !m[0].Bot || !m[0].Home {
			t.Errorf("%+v, want a maintainer at home", m)
		}
		opened, err := s.FindToken(t.Context(), d)
		if must(t, opened, err); opened.Personal == nil || opened.Personal.ID != made.ID || opened.Personal.Role != access.Maintainer {
			t.Errorf("%+v, want token %d with the role", opened.Personal, made.ID)
		}
	}
}

func testInsertBotTokenRefused(t *testing.T, s *suite) {
	_, g, _ := s.home(t)
	b, d := s.newBot(inGroup(g.ID)), s.secret()
	_, err := s.InsertBotToken(t.Context(), access.Actor{}, b, newToken(0), d, roomy(), refuseStanding)
	wantRefused(t, err)
	_, err = s.FindUser(t.Context(), b.Username)
	wantKind(t, err, fault.NotFound)
	_, err = s.FindToken(t.Context(), d)
	wantKind(t, err, fault.NotFound)
}

func refuseStanding(access.Resource) (audit.Event, error) { return audit.Event{}, errRefused }

func testInsertBotTokenFull(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.bot(t, s.newBot(inProject(p.ID)), s.secret(), access.Reporter)
	revoked := s.bot(t, s.newBot(inProject(p.ID)), s.secret(), access.Reporter)
	must(t, 0, s.RevokePersonalTokens(t.Context(), revoked.ID, false, quiet()))
	blocked, err := s.FindUser(t.Context(), id(revoked.UserID))
	if must(t, blocked, err); !blocked.Blocked {
		t.Error("the bot of a revoked token is not blocked")
	}
	b, e := s.newBot(inProject(p.ID)), s.event()
	_, err = s.InsertBotToken(t.Context(), access.Actor{}, b, newToken(0), s.secret(), most(2), standingAllowed(e))
	wantFull(t, err, 2)
	_, err = s.FindUser(t.Context(), b.Username)
	wantKind(t, err, fault.NotFound)
	s.wantTold(t, e, 0)
}

func testRotateBotToken(t *testing.T, s *suite) {
	_, g, _ := s.home(t)
	b := s.newBot(inGroup(g.ID))
	first := s.bot(t, b, s.secret(), access.Reporter)
	for _, external := range []bool{true, false} {
		e, d := s.event(), s.secret()
		next, err := s.RotateBotToken(t.Context(), access.Actor{External: external}, b, first.ID, first, d, roomy(), standingAllowed(e))
		must(t, 0, err)
		before, err := s.FindPersonalToken(t.Context(), first.ID)
		must(t, 0, err)
		opened, err := s.FindToken(t.Context(), d)
		if must(t, opened, err); opened.Personal == nil || opened.Personal.ID != next.ID || !before.Revoked || next.Family != first.Family {
			t.Errorf("%+v in the place of %+v", opened.Personal, before)
		}
		if opened.User.External != external || opened.User.Blocked {
			t.Errorf("the bot is external: %v, blocked: %v, want %v, false", opened.User.External, opened.User.Blocked, external)
		}
		s.wantTold(t, e, 1)
		first = next
	}
}

func testRotateRevokedBotToken(t *testing.T, s *suite) {
	_, g, _ := s.home(t)
	b, e := s.newBot(inGroup(g.ID)), s.event()
	first := s.bot(t, b, s.secret(), access.Reporter)
	must(t, 0, s.RevokePersonalTokens(t.Context(), first.ID, false, quiet()))
	_, err := s.RotateBotToken(t.Context(), access.Actor{External: true}, b, first.ID, first, s.secret(), roomy(), standingAllowed(e))
	wantKind(t, err, fault.Conflict)
	s.wantTold(t, e, 0)
	bot, err := s.FindUser(t.Context(), b.Username)
	if must(t, bot, err); bot.External {
		t.Error("the bot became external")
	}
}

func testRotateBotTokenRefused(t *testing.T, s *suite) {
	_, g, _ := s.home(t)
	b := s.newBot(inGroup(g.ID))
	first := s.bot(t, b, s.secret(), access.Reporter)
	_, err := s.RotateBotToken(t.Context(), access.Actor{}, b, first.ID, first, s.secret(), roomy(), refuseStanding)
	wantRefused(t, err)
	found, err := s.FindPersonalToken(t.Context(), first.ID)
	if must(t, found, err); found.Revoked {
		t.Error("the token is revoked")
	}
}
