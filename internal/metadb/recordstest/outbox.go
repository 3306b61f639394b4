package recordstest

import (
	"testing"
	"time"

	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/registry"
	"granary/internal/trace"
	"granary/internal/webhooks"
)

func outbox() []promise {
	return []promise{
		{"Waiting", "carries a token after something was put in", testWaiting},
		{"NextDelivery", "is when the next is due, and passes over busy hooks", testNextDelivery},
		{"ClaimDelivery", "takes what has been due for the longest, for a lease", testClaimDelivery},
		{"ClaimDelivery", "is NotFound if none is due", testClaimNoDelivery},
		{"ClaimDelivery", "continues the trace of the write that put it in, with a span for each attempt", testClaimOfATrace},
		{"FinishDelivery", "logs the attempt, and removes the delivery or puts it off", testFinishDelivery},
	}
}

// publishTo publishes a file, of which the hooks of the project are told.
func (s *suite) publishTo(t *testing.T, p projects.Project, at time.Time) registry.File {
	t.Helper()
	pub := publication(p.ID, "tool", "1", s.name("file"))
	pub.Now = at
	return s.publish(t, pub)
}

func (s *suite) claim(t *testing.T, at time.Time) webhooks.Delivery {
	t.Helper()
	d, err := s.ClaimDelivery(t.Context(), [4]int64{}, at)
	return must(t, d, err)
}

func testWaiting(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	h := s.hook(t, p.ID)
	select { // of what others of these tests put in
	case <-s.Waiting():
	default:
	}
	s.publishTo(t, p, now())
	select {
	case <-s.Waiting():
	case <-t.Context().Done():
	case <-time.After(time.Minute):
		t.Error("no token came")
	}
	must(t, 0, s.DeleteHook(t.Context(), p.ID, h.ID, s.event()))
}

func testNextDelivery(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	u := s.user(t)
	other := s.project(t, g.ID, u)
	first, second := s.hook(t, p.ID), s.hook(t, other.ID)
	at := now()
	s.publishTo(t, other, at.Add(time.Hour))
	s.publishTo(t, p, at)
	for busy, want := range map[[4]int64]time.Time{{}: at, {first.ID}: at.Add(time.Hour), {0, second.ID, 0, first.ID}: {}} {
		due, err := s.NextDelivery(t.Context(), busy)
		wantSame(t, "the next", must(t, due, err), want)
	}
	must(t, 0, s.DeleteHook(t.Context(), p.ID, first.ID, s.event()))
	must(t, 0, s.DeleteHook(t.Context(), other.ID, second.ID, s.event()))
}

func testClaimDelivery(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	h, at := s.hook(t, p.ID), now()
	later, early := s.publishTo(t, p, at), s.publishTo(t, p, at.Add(-time.Hour))
	for i, f := range []registry.File{early, later} {
		d := s.claim(t, at)
		if d.Hook.ID != h.ID || d.Hook.Target.URL != h.Target.URL || d.Attempts != 1 || d.Key == "" {
			t.Errorf("%+v, want the first attempt for hook %d", d, h.ID)
		}
		if d.Event.Action != webhooks.FilePublished || d.Event.File == nil || d.Event.File.ID != f.ID || d.Event.Project.ID != p.ID {
			t.Errorf("delivery %d is of %+v, want file %d", i, d.Event, f.ID)
		}
	}
	_, err := s.ClaimDelivery(t.Context(), [4]int64{}, at.Add(webhooks.Lease-time.Second)) // both are in hand
	wantKind(t, err, fault.NotFound)
	wantSame(t, "the attempt after the lease", s.claim(t, at.Add(webhooks.Lease)).Attempts, 2)
	must(t, 0, s.DeleteHook(t.Context(), p.ID, h.ID, s.event()))
}

func testClaimNoDelivery(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	h, at := s.hook(t, p.ID), now()
	s.publishTo(t, p, at)
	_, err := s.ClaimDelivery(t.Context(), [4]int64{}, at.Add(-time.Second))
	wantKind(t, err, fault.NotFound)
	_, err = s.ClaimDelivery(t.Context(), [4]int64{h.ID}, at)
	wantKind(t, err, fault.NotFound)
	s.claim(t, at)
	must(t, 0, s.DeleteHook(t.Context(), p.ID, h.ID, s.event()))
}

func testClaimOfATrace(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	h, at := s.hook(t, p.ID), now()
	request := trace.Context{ID: "4bf92f3577b34da6a3ce929d0e0e4736", Span: "00f067aa0ba902b7", Parent: "b7ad6b7169203331", Flags: 1, State: "rojo=1,congo=t61"}
	pub := publication(p.ID, "tool", "1", s.name("file"))
	pub.Now = at.Add(-time.Hour)
	f, err := s.AddFile(trace.With(t.Context(), request), pub)
	must(t, f, err)
	s.publishTo(t, p, at)
	first, none, again := s.claim(t, at), s.claim(t, at), s.claim(t, at.Add(webhooks.Lease))
	if none.Trace.Valid() {
		t.Errorf("a write without a trace has %+v", none.Trace)
	}
	for _, d := range []webhooks.Delivery{first, again} {
		want := trace.Context{ID: request.ID, Span: d.Trace.Span, Parent: request.Span, Flags: 1, State: request.State}
		if d.Trace != want || len(d.Trace.Span) != 16 || d.Trace.Span == request.Span {
			t.Errorf("attempt %d: %+v", d.Attempts, d.Trace)
		}
	}
	if again.Key != first.Key || again.Trace.Span == first.Trace.Span {
		t.Errorf("two attempts are %+v and %+v", first.Trace, again.Trace)
	}
	must(t, 0, s.DeleteHook(t.Context(), p.ID, h.ID, s.event()))
}

func testFinishDelivery(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	h, at := s.hook(t, p.ID), now()
	s.publishTo(t, p, at)
	bad := s.claim(t, at)
	must(t, 0, s.FinishDelivery(t.Context(), bad, newAttempt(h.ID, 500), at))
	due, err := s.NextDelivery(t.Context(), [4]int64{})
	if must(t, due, err); !due.After(at) {
		t.Errorf("a delivery that failed is due at %v, want later than %v", due, at)
	}
	again := s.claim(t, due)
	if again.ID != bad.ID || again.Key != bad.Key || again.Attempts != 2 {
		t.Errorf("%+v, want the second attempt of delivery %d", again, bad.ID)
	}
	must(t, 0, s.FinishDelivery(t.Context(), again, newAttempt(h.ID, 200), due))
	due, err = s.NextDelivery(t.Context(), [4]int64{})
	wantSame(t, "the next", must(t, due, err), time.Time{})
	logged := s.attemptsOf(t, h.ID)
	if len(logged) != 2 || logged[0].Status != 200 || logged[1].Status != 500 {
		t.Errorf("%+v, want both attempts", logged)
	}
}
