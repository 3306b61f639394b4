package daemon

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/page"
	"granary/internal/projects"
	"granary/internal/registry"
)

// TestWordsOfDrafts: a project, the server's setting and the registry have the same words
// for when publishing makes a draft.
func TestWordsOfDrafts(t *testing.T) {
	var words []registry.DraftMode
	for _, word := range projects.DraftModes() {
		if _, err := settings(nil, "--drafts="+string(word)); err != nil {
			t.Error(err)
		}
		words = append(words, registry.DraftMode(word))
	}
	if want := []registry.DraftMode{registry.DraftsOnRequest, registry.DraftsAlways, registry.DraftsAtRelease, registry.DraftsAtJobEnd}; !slices.Equal(words, want) {
		t.Errorf("%q, want %q", words, want)
	}
}

// TestUpkeepOfDrafts: the upkeep discards drafts older than --draft-ttl, and settles those of
// jobs that have ended; --drafts says which publishes make one.
func TestUpkeepOfDrafts(t *testing.T) {
	cfg, err := settings(nil, "--data-dir="+t.TempDir(), "--drafts=job", "--draft-ttl=2h")
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(t.Context(), cfg, "test", nil, crashPoints{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, log := context.WithoutCancel(t.Context()), slog.New(slog.DiscardHandler)
	defer s.close(log)
	if err := s.firstStart(ctx, cfg, "http://test", nil, log); err != nil {
		t.Fatal(err)
	}
	root := access.Actor{Kind: access.User, UserID: 1, Admin: true, Scopes: []access.Scope{access.ScopeAPI}}
	j, _, err := s.auth.CreateJob(ctx, root, "root/demo", auth.Job{Name: "job", User: auth.User{ID: 1}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	job, err := s.auth.ActorOfJob(ctx, j.ProjectID, j.ID)
	if err != nil {
		t.Fatal(err)
	}
	publish := func(a access.Actor, name string, draft bool) {
		f, err := s.registry.Publish(ctx, a, "root/demo", registry.Raw{Name: name, Version: "1.0.0", File: "f"}, strings.NewReader("x"), registry.PublishOptions{Length: 1, Draft: draft})
		if err != nil || !f.Draft {
			t.Fatalf("%s: %+v, %v, want a draft", name, f, err)
		}
	}
	left := func(status registry.Status) int {
		found, err := s.registry.ListPackages(ctx, root, "root/demo", registry.PackageFilter{Status: status}, page.Request{Number: 1, Size: 10})
		if err != nil {
			t.Fatal(err)
		}
		return found.Total
	}
	publish(root, "old", true)
	publish(job, "built", false)
	_, err = s.auth.FinishJob(ctx, root, "root/demo", j.ID, auth.JobSuccess, func(auth.Job) error { return nil }) // its drafts are not settled
	if err != nil {
		t.Fatal(err)
	}
	s.settleDrafts(ctx, log)
	s.clean(ctx, log, 0)
	if final, drafts := left(""), left(registry.StatusDraft); final != 1 || drafts != 1 {
		t.Errorf("%d versions and %d drafts, want the job's final, and the young draft", final, drafts)
	}
	s.registry.Now = func() time.Time { return time.Now().Add(3 * time.Hour) }
	s.clean(ctx, log, 0)
	if drafts := left(registry.StatusDraft); drafts != 0 {
		t.Errorf("%d old drafts are left", drafts)
	}
}
