package recordstest

import (
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/webhooks"
)

func hooks() []promise {
	return []promise{
		{"FailingHooks", "returns those that fail, of a user's projects, up to the limit", testFailingHooks},
		{"ListHooks", "returns those of the project, as they were made", testListHooks},
		{"FindHook", "is NotFound if the project has no such hook", testFindNoHook},
		{"InsertHook", "keeps the hook, and tells", testInsertHook},
		{"InsertHook", "is Full if the project has as many as the limit", testInsertHookFull},
		{"UpdateHook", "keeps what change makes, and records what it returns", testUpdateHook},
		{"UpdateHook", "changes nothing if change refuses", testUpdateHookRefused},
		{"UpdateHook", "is NotFound if the project has no such hook", testFindNoHook},
		{"DeleteHook", "removes the hook, what waits for it, and its log", testDeleteHook},
		{"DeleteHook", "is NotFound if the project has no such hook", testFindNoHook},
	}
}

func newHook(projectID int64, name string) webhooks.Hook {
	return webhooks.Hook{
		ProjectID: projectID, Name: name, Description: "words", Packages: true, Others: []string{"push_events", "note_events"}, VerifyTLS: true, CreatedAt: now(),
		Target: webhooks.Target{URL: "https://example.com/" + name, Token: "token", SigningToken: "whsec_x", Headers: []webhooks.Header{{Key: "X-One", Value: "1"}}},
	}
}

func (s *suite) hook(t *testing.T, projectID int64) webhooks.Hook {
	t.Helper()
	made, err := s.InsertHook(t.Context(), newHook(projectID, s.name("hook")), roomy(), quiet())
	return must(t, made, err)
}

func (s *suite) wantHooks(t *testing.T, projectID int64, want ...webhooks.Hook) {
	t.Helper()
	found, err := s.ListHooks(t.Context(), projectID, all())
	wantSame(t, "hooks", rows(t, found, err), want)
}

func testListHooks(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	one, two := s.hook(t, p.ID), s.hook(t, p.ID)
	s.hook(t, s.project(t, g.ID, u).ID)
	s.wantHooks(t, p.ID, one, two)
}

// testFindNoHook finds, changes and deletes hooks that there are not.
func testFindNoHook(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	there, e := s.hook(t, p.ID), s.event()
	for _, at := range [][2]int64{{p.ID, 999999}, {s.project(t, g.ID, u).ID, there.ID}} {
		_, err := s.FindHook(t.Context(), at[0], at[1])
		wantKind(t, err, fault.NotFound)
		_, err = s.UpdateHook(t.Context(), at[0], at[1], func(*webhooks.Hook) (audit.Event, error) { return e, nil })
		wantKind(t, err, fault.NotFound)
		wantKind(t, s.DeleteHook(t.Context(), at[0], at[1], e), fault.NotFound)
	}
	s.wantTold(t, e, 0)
	s.wantHooks(t, p.ID, there)
}

func testInsertHook(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	want, e := newHook(p.ID, s.name("hook")), s.event()
	made, err := s.InsertHook(t.Context(), want, roomy(), e)
	must(t, 0, err)
	want.ID = made.ID
	wantSame(t, "what is returned", made, want)
	found, err := s.FindHook(t.Context(), p.ID, made.ID)
	wantSame(t, "what is kept", must(t, found, err), want)
	wantSame(t, "the target's id", s.wantTold(t, e, 1).Target.ID, made.ID)
}

func testInsertHookFull(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	there, e := s.hook(t, p.ID), s.event()
	_, err := s.InsertHook(t.Context(), newHook(p.ID, "another"), most(1), e)
	wantFull(t, err, 1)
	s.wantTold(t, e, 0)
	s.wantHooks(t, p.ID, there)
}

func testUpdateHook(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	before, e := s.hook(t, p.ID), s.event()
	want := before
	want.Target, want.Name, want.Description = webhooks.Target{URL: "https://example.org"}, "another", ""
	want.Packages, want.VerifyTLS, want.Others, want.Failures, want.Disabled = false, false, nil, 7, new(now().Add(time.Hour))
	changed, err := s.UpdateHook(t.Context(), p.ID, before.ID, func(h *webhooks.Hook) (audit.Event, error) {
		wantSame(t, "what change gets", *h, before)
		*h = want
		return e, nil
	})
	wantSame(t, "what is returned", must(t, changed, err), want)
	s.wantHooks(t, p.ID, want)
	s.wantTold(t, e, 1)
}

func testUpdateHookRefused(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	before := s.hook(t, p.ID)
	_, err := s.UpdateHook(t.Context(), p.ID, before.ID, func(h *webhooks.Hook) (audit.Event, error) {
		h.Target.URL = "https://example.org"
		return audit.Event{}, errRefused
	})
	wantRefused(t, err)
	s.wantHooks(t, p.ID, before)
}

func testDeleteHook(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	h, e := s.hook(t, p.ID), s.event()
	s.version(t, p.ID, "tool", "1", registry.StatusDefault) // of which the hook is told
	a := s.attempt(t, h, 200)
	due, err := s.NextDelivery(t.Context(), [4]int64{})
	if must(t, due, err); due.IsZero() {
		t.Fatal("nothing waits")
	}
	must(t, 0, s.DeleteHook(t.Context(), p.ID, h.ID, e))
	_, err = s.FindHook(t.Context(), p.ID, h.ID)
	wantKind(t, err, fault.NotFound)
	_, err = s.FindAttempt(t.Context(), h.ID, a.ID)
	wantKind(t, err, fault.NotFound)
	due, err = s.NextDelivery(t.Context(), [4]int64{})
	wantSame(t, "the next delivery", must(t, due, err), time.Time{})
	s.wantTold(t, e, 1)
}

func testFailingHooks(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	stranger := s.user(t)
	fails := func(h webhooks.Hook, times int) {
		for range times {
			s.attempt(t, h, 500)
		}
	}
	first, second, third := s.hook(t, p.ID), s.hook(t, p.ID), s.hook(t, p.ID)
	fails(first, 4)
	fails(second, 3)
	fails(third, 5)
	of := func(u auth.User, limit int) (ids []int64) {
		found, err := s.FailingHooks(t.Context(), access.Actor{Kind: access.User, UserID: u.ID}, limit)
		for _, h := range must(t, found, err) {
			if h.ProjectPath != p.FullPath || h.Standing.Role != access.Owner || h.Failures < 4 || h.Disabled == nil {
				t.Errorf("%+v", h)
			}
			ids = append(ids, h.ID)
		}
		return ids
	}
	wantSame(t, "the owner's", of(u, 10), []int64{first.ID, third.ID})
	wantSame(t, "up to the limit", of(u, 1), []int64{first.ID})
	wantSame(t, "a stranger's", len(of(stranger, 10)), 0)
}
