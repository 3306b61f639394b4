package recordstest

import (
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/webhooks"
)

func attempts() []promise {
	return []promise{
		{"ListAttempts", "returns those that the filter chooses, newest first", testListAttempts},
		{"FindAttempt", "finds an attempt of the hook, and is NotFound without", testRecordAttempt},
		{"LastAttempts", "returns the newest of each hook that has any", testLastAttempts},
		{"RecordAttempt", "logs the attempt", testRecordAttempt},
		{"RecordAttempt", "has it count for the hook", testRecordAttemptCounts},
		{"PruneAttempts", "removes up to limit from before the time", testPruneAttempts},
		{"NewEvent", "fills in the project, and the user unless that is 0", testNewEvent},
	}
}

func newAttempt(hookID int64, status int) webhooks.Attempt {
	return webhooks.Attempt{
		HookID: hookID, Key: webhooks.NewKey(), URL: "https://example.com", RequestHeaders: map[string]string{"A": "b"}, RequestBody: "{}",
		Status: status, ResponseHeaders: map[string]string{"C": "d"}, ResponseBody: "answer", Fault: "none", Took: 1234 * time.Microsecond, CreatedAt: now(),
	}
}

func (s *suite) attemptsOf(t *testing.T, hookID int64, statuses ...[2]int) []webhooks.Attempt {
	t.Helper()
	found, err := s.ListAttempts(t.Context(), hookID, webhooks.AttemptFilter{Statuses: statuses}, all())
	return rows(t, found, err)
}

// attempt logs one, and returns it as it is kept.
func (s *suite) attempt(t *testing.T, h webhooks.Hook, status int) webhooks.Attempt {
	t.Helper()
	must(t, 0, s.RecordAttempt(t.Context(), newAttempt(h.ID, status)))
	return s.attemptsOf(t, h.ID)[0]
}

func testListAttempts(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	h := s.hook(t, p.ID)
	good, bad, none := s.attempt(t, h, 204), s.attempt(t, h, 500), s.attempt(t, h, 0)
	s.attempt(t, s.hook(t, p.ID), 200)
	wantSame(t, "all", s.attemptsOf(t, h.ID), []webhooks.Attempt{none, bad, good})
	wantSame(t, "by status", s.attemptsOf(t, h.ID, [2]int{200, 299}, [2]int{0, 0}), []webhooks.Attempt{none, good})
}

func testRecordAttempt(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	h, other := s.hook(t, p.ID), s.hook(t, p.ID)
	want := newAttempt(h.ID, 200)
	must(t, 0, s.RecordAttempt(t.Context(), want))
	want.ID = s.attemptsOf(t, h.ID)[0].ID
	found, err := s.FindAttempt(t.Context(), h.ID, want.ID)
	wantSame(t, "the attempt", must(t, found, err), want)
	for _, at := range [][2]int64{{h.ID, 999999}, {other.ID, want.ID}} {
		_, err = s.FindAttempt(t.Context(), at[0], at[1])
		wantKind(t, err, fault.NotFound)
	}
}

func testRecordAttemptCounts(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	want := s.hook(t, p.ID)
	for _, status := range []int{500, 0, 404, 500, 200, 301} {
		a := newAttempt(want.ID, status)
		must(t, 0, s.RecordAttempt(t.Context(), a))
		want.Note(a, a.CreatedAt.Add(a.Took))
		found, err := s.FindHook(t.Context(), p.ID, want.ID)
		wantSame(t, "the hook", must(t, found, err), want)
	}
}

func testPruneAttempts(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	h, at := s.hook(t, p.ID), now().Add(-24*time.Hour)
	for i := range 4 {
		a := newAttempt(h.ID, 200)
		a.CreatedAt = at.Add(time.Duration(i) * time.Hour)
		must(t, 0, s.RecordAttempt(t.Context(), a))
	}
	want := s.attemptsOf(t, h.ID)[:1]
	for _, removed := range []int{2, 1, 0} {
		n, err := s.PruneAttempts(t.Context(), at.Add(3*time.Hour), 2)
		wantSame(t, "removed", must(t, n, err), removed)
	}
	wantSame(t, "what is left", s.attemptsOf(t, h.ID), want)
}

func testNewEvent(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	_, err := s.UpdateProject(t.Context(), p.ID, func(p *projects.Project) ([]audit.Event, error) {
		p.Description, p.Visibility = "words", access.Internal
		return nil, nil
	})
	must(t, 0, err)
	for userID, user := range map[int64]*webhooks.User{0: nil, u.ID: {ID: u.ID, Username: u.Username, Name: u.Name}} {
		e, err := s.NewEvent(t.Context(), p.ID, userID)
		if must(t, e, err); e.UUID == "" {
			t.Error("the event has no UUID")
		}
		wantSame(t, "the user", e.User, user)
		wantSame(t, "the project", e.Project, webhooks.Project{
			ID: p.ID, Name: p.Name, Description: "words", Namespace: g.Name, FullPath: p.FullPath, Visibility: int(access.Internal), DefaultBranch: "main",
		})
	}
}

func testLastAttempts(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	one, two := s.hook(t, p.ID), s.hook(t, p.ID)
	s.hook(t, p.ID) // nothing was sent to it
	s.attempt(t, s.hook(t, s.project(t, g.ID, u).ID), 200)
	s.attempt(t, one, 500)
	want := map[int64]webhooks.Attempt{two.ID: s.attempt(t, two, 404), one.ID: s.attempt(t, one, 204)}
	found, err := s.LastAttempts(t.Context(), p.ID)
	wantSame(t, "the newest", must(t, found, err), want)
}
