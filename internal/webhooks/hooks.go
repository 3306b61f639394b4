// Package webhooks decides what is sent about packages: to which hooks, which events,
// how often, and to which addresses. It sends nothing itself.
package webhooks

import (
	"context"
	"slices"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/gate"
	"granary/internal/page"
	"granary/internal/trace"
)

// Service is the deeds of this room. Every one asks the permission table
// before it acts.
type Service struct {
	Records Records
	Sender  Sender
	Places  gate.Places
	Rules   access.Rules
	Guard   Guard
	Limits  Limits // the zero value: DefaultLimits
	Now     func() time.Time
}

// Records is all that this room keeps in a database.
type Records interface {
	Store
	Log
}

// Store keeps hooks. Each method is one transaction, and returns NotFound if the
// project has no such hook.
type Store interface {
	// FailingHooks returns up to limit hooks that have failed more than three times since
	// their last success, of projects in which a user has a role, in them or above them.
	// Targets are not filled in.
	FailingHooks(ctx context.Context, a access.Actor, limit int) ([]FailingHook, error)
	ListHooks(ctx context.Context, projectID int64, p page.Request) (page.Of[Hook], error)
	FindHook(ctx context.Context, projectID, id int64) (Hook, error)
	// InsertHook returns Full if the project has reached the limit.
	InsertHook(ctx context.Context, h Hook, most fault.Limit, e audit.Event) (Hook, error)
	// UpdateHook calls change with the hook as it is, keeps what it makes of it,
	// and records what it returns.
	UpdateHook(ctx context.Context, projectID, id int64, change func(*Hook) (audit.Event, error)) (Hook, error)
	// DeleteHook removes a hook, what waits for it, and its log.
	DeleteHook(ctx context.Context, projectID, id int64, e audit.Event) error
}

// Log keeps what was sent to hooks.
type Log interface {
	// ListAttempts returns a page, newest first.
	ListAttempts(ctx context.Context, hookID int64, f AttemptFilter, p page.Request) (page.Of[Attempt], error)
	FindAttempt(ctx context.Context, hookID, id int64) (Attempt, error)
	// LastAttempts returns the newest attempt of each hook of a project, by hook. A hook
	// without attempts is left out.
	LastAttempts(ctx context.Context, projectID int64) (map[int64]Attempt, error)
	// RecordAttempt logs an attempt outside of the outbox and has it count for
	// the hook.
	RecordAttempt(ctx context.Context, a Attempt) error
	// PruneAttempts removes up to limit attempts from before the time, and
	// reports how many there were.
	PruneAttempts(ctx context.Context, before time.Time, limit int) (int, error)
	// NewEvent returns an event with its project and its user (0 for none)
	// filled in.
	NewEvent(ctx context.Context, projectID, userID int64) (Event, error)
}

// AttemptFilter chooses attempts by the status of their answer, any of the
// ranges; none given, all. An attempt without an answer has status 0.
type AttemptFilter struct{ Statuses [][2]int }

// Sender tries a delivery once. The Attempt holds any fault.
type Sender interface {
	Send(ctx context.Context, d Delivery) Attempt
}

// allow is the gate of every deed. It returns the project's id.
func (s *Service) allow(ctx context.Context, a access.Actor, project string, action access.Action) (int64, error) {
	projectID, _, err := s.Places.ProjectStanding(ctx, a, project, action)
	return projectID, err
}

// event names a hook by its name: its URL may be a secret.
func (s *Service) event(a access.Actor, name audit.Name, h Hook) audit.Event {
	return audit.New(a, name, s.Now(), audit.Entity{Type: audit.Project, ID: h.ProjectID}).To("ProjectHook", h.ID, h.Name)
}

// changes names the attributes that an edit changed, and no value.
func (h Hook) changes(before Hook) string {
	var names []string
	for _, attribute := range []struct {
		name    string
		changed bool
	}{
		{"url", h.Target.URL != before.Target.URL},
		{"token", h.Target.Token != before.Target.Token},
		{"signing_token", h.Target.SigningToken != before.Target.SigningToken},
		{"custom_headers", !slices.Equal(h.Target.Headers, before.Target.Headers)},
		{"name", h.Name != before.Name},
		{"description", h.Description != before.Description},
		{"package_events", h.Packages != before.Packages},
		{"enable_ssl_verification", h.VerifyTLS != before.VerifyTLS},
		{"other events", !slices.Equal(h.Others, before.Others)},
	} {
		if attribute.changed {
			names = append(names, attribute.name)
		}
	}
	return strings.Join(names, ", ")
}

// List returns a project's hooks in the order in which they were made.
func (s *Service) List(ctx context.Context, a access.Actor, project string, p page.Request) (page.Of[Hook], error) {
	projectID, err := s.allow(ctx, a, project, access.ReadHooks)
	if err != nil {
		return page.Of[Hook]{}, err
	}
	return s.Records.ListHooks(ctx, projectID, p)
}

// Get returns one hook.
func (s *Service) Get(ctx context.Context, a access.Actor, project string, id int64) (Hook, error) {
	projectID, err := s.allow(ctx, a, project, access.ReadHooks)
	if err != nil {
		return Hook{}, err
	}
	return s.Records.FindHook(ctx, projectID, id)
}

// Create makes a hook, which receives events of packages unless the edit says
// otherwise.
func (s *Service) Create(ctx context.Context, a access.Actor, project string, e Edit) (Hook, error) {
	projectID, err := s.allow(ctx, a, project, access.AdminHooks)
	if err != nil {
		return Hook{}, err
	}
	h := Hook{ProjectID: projectID, Packages: true, VerifyTLS: true, CreatedAt: s.Now()}
	e.apply(&h)
	if err := h.check(s.Guard); err != nil {
		return Hook{}, err
	}
	return s.Records.InsertHook(ctx, h, s.limits().Hooks, s.event(a, audit.WebhookCreated, h))
}

// Edit changes a hook.
func (s *Service) Edit(ctx context.Context, a access.Actor, project string, id int64, e Edit) (Hook, error) {
	projectID, err := s.allow(ctx, a, project, access.AdminHooks)
	if err != nil {
		return Hook{}, err
	}
	return s.Records.UpdateHook(ctx, projectID, id, func(h *Hook) (audit.Event, error) {
		before := *h
		e.apply(h)
		return s.event(a, audit.WebhookUpdated, *h).With(h.changes(before), "", ""), h.check(s.Guard)
	})
}

// Delete removes a hook.
func (s *Service) Delete(ctx context.Context, a access.Actor, project string, id int64) error {
	projectID, err := s.allow(ctx, a, project, access.AdminHooks)
	if err != nil {
		return err
	}
	return s.Records.DeleteHook(ctx, projectID, id, s.event(a, audit.WebhookDestroyed, Hook{ID: id, ProjectID: projectID}))
}

// SetHeader adds a header to a hook's deliveries, or changes it.
func (s *Service) SetHeader(ctx context.Context, a access.Actor, project string, id int64, header Header) error {
	projectID, err := s.allow(ctx, a, project, access.AdminHooks)
	if err != nil {
		return err
	}
	_, err = s.Records.UpdateHook(ctx, projectID, id, func(h *Hook) (audit.Event, error) {
		h.setHeader(header)
		return s.event(a, audit.WebhookUpdated, *h).With("custom_headers", "", ""), h.check(s.Guard)
	})
	return err
}

// DropHeader removes a header. It returns NotFound if there is none with that key.
func (s *Service) DropHeader(ctx context.Context, a access.Actor, project string, id int64, key string) error {
	projectID, err := s.allow(ctx, a, project, access.AdminHooks)
	if err != nil {
		return err
	}
	_, err = s.Records.UpdateHook(ctx, projectID, id, func(h *Hook) (audit.Event, error) {
		rest := slices.DeleteFunc(slices.Clone(h.Target.Headers), func(old Header) bool { return strings.EqualFold(old.Key, key) })
		if len(rest) == len(h.Target.Headers) {
			return audit.Event{}, fault.New(fault.NotFound, "")
		}
		h.Target.Headers = rest
		return s.event(a, audit.WebhookUpdated, *h).With("custom_headers", "", ""), nil
	})
	return err
}

// Test sends a sample event, also to a disabled hook. It returns Unprocessable if the
// receiver does not accept it.
func (s *Service) Test(ctx context.Context, a access.Actor, project string, id int64) error {
	projectID, err := s.allow(ctx, a, project, access.AdminHooks)
	if err != nil {
		return err
	}
	h, err := s.Records.FindHook(ctx, projectID, id)
	if err != nil {
		return err
	}
	event, err := s.Records.NewEvent(ctx, projectID, a.UserID)
	if err != nil {
		return err
	}
	tried, err := s.send(ctx, Delivery{Hook: h, Key: NewKey(), Event: event.sample(s.Now())})
	if err == nil && !tried.OK() {
		err = fault.New(fault.Unprocessable, "the receiver answered "+tried.Outcome())
	}
	return err
}

// Attempts returns a page of a hook's log, newest first.
func (s *Service) Attempts(ctx context.Context, a access.Actor, project string, id int64, f AttemptFilter, p page.Request) (page.Of[Attempt], error) {
	projectID, err := s.allow(ctx, a, project, access.ReadHooks)
	if err != nil {
		return page.Of[Attempt]{}, err
	}
	h, err := s.Records.FindHook(ctx, projectID, id)
	if err != nil {
		return page.Of[Attempt]{}, err
	}
	return s.Records.ListAttempts(ctx, h.ID, f, p)
}

// Attempt returns one attempt of a hook's log.
func (s *Service) Attempt(ctx context.Context, a access.Actor, project string, id, attemptID int64) (Attempt, error) {
	projectID, err := s.allow(ctx, a, project, access.ReadHooks)
	if err != nil {
		return Attempt{}, err
	}
	h, err := s.Records.FindHook(ctx, projectID, id)
	if err != nil {
		return Attempt{}, err
	}
	return s.Records.FindAttempt(ctx, h.ID, attemptID)
}

// LastAttempts returns the newest attempt of each of a project's hooks, by hook. A hook
// without attempts is left out.
func (s *Service) LastAttempts(ctx context.Context, a access.Actor, project string) (map[int64]Attempt, error) {
	projectID, err := s.allow(ctx, a, project, access.ReadHooks)
	if err != nil {
		return nil, err
	}
	return s.Records.LastAttempts(ctx, projectID)
}

// Resend sends once more what a hook was sent, with the same key, and returns
// the status of the answer.
func (s *Service) Resend(ctx context.Context, a access.Actor, project string, id, attemptID int64) (int, error) {
	projectID, err := s.allow(ctx, a, project, access.AdminHooks)
	if err != nil {
		return 0, err
	}
	h, err := s.Records.FindHook(ctx, projectID, id)
	if err != nil {
		return 0, err
	}
	before, err := s.Records.FindAttempt(ctx, h.ID, attemptID)
	if err != nil {
		return 0, err
	}
	tried, err := s.send(ctx, Delivery{Hook: h, Key: before.Key, Body: before.RequestBody})
	return tried.Status, err
}

// send tries a delivery now. It returns Unprocessable if there was no answer.
func (s *Service) send(ctx context.Context, d Delivery) (Attempt, error) {
	d.Trace = trace.Of(ctx).Child()
	tried := s.Sender.Send(ctx, d)
	if err := s.Records.RecordAttempt(ctx, tried); err != nil {
		return tried, err
	}
	if tried.Status == 0 {
		return tried, fault.New(fault.Unprocessable, tried.Fault)
	}
	return tried, nil
}

const (
	keepLog   = 7 * 24 * time.Hour
	pruneStep = 500 // attempts removed in one transaction
)

// Prune removes what is old from the logs, and reports how many attempts that
// were.
func (s *Service) Prune(ctx context.Context) (removed int, err error) {
	for {
		n, err := s.Records.PruneAttempts(ctx, s.Now().Add(-keepLog), pruneStep)
		removed += n
		if err != nil || n < pruneStep {
			return removed, err
		}
	}
}
