package api_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// expire does what the upkeep does every hour, and returns how many drafts were discarded.
func (s *server) expire() int {
	s.t.Helper()
	n, err := s.registry.ExpireDrafts(s.t.Context())
	if err != nil {
		s.t.Error(err)
	}
	return n
}

// TestDraftsExpire: a draft that nobody puts a file into for the time of the setting is
// discarded, and its number is as free as before. The author of the event is the server.
func TestDraftsExpire(t *testing.T) {
	for name, ttl := range map[string]time.Duration{"7 days": 0, "an hour": time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.registry.DraftTTL = ttl
			if ttl == 0 {
				ttl = 7 * 24 * time.Hour
			}
			p := s.project("app", "private")
			s.drafts(rootToken, p, "1.0.0", "old", "touched", "final")
			s.root("PUT", generic(p, "open/1.0.0/f"), "x").must(t, 201)
			s.root("POST", generic(p, "final/1.0.0"), nil).must(t, 201)
			at := s.root("GET", generic(p, "old/1.0.0?status=draft"), nil).must(t, 200)["expires_at"].(string)
			if expires, err := time.Parse(time.RFC3339, at); err != nil || expires.Sub(s.now()).Round(time.Minute) != ttl {
				t.Errorf("it expires at %s, %v; want in %v", at, err, ttl)
			}
			s.skew = ttl - time.Minute
			s.drafts(rootToken, p, "1.0.0", "touched")
			if n := s.expire(); n != 0 {
				t.Errorf("%d were discarded before their time", n)
			}
			s.skew = ttl + time.Minute
			before := s.newest()
			if n := s.expire(); n != 1 {
				t.Errorf("%d were discarded, want 1", n)
			}
			events := s.since(before)
			if len(events) != 1 || events[0].Name != "package_registry_draft_expired" || events[0].Target.Details != "old/1.0.0" ||
				events[0].Entity.Path != "root/app" || events[0].Author.UserID != 0 {
				t.Errorf("events %+v", events)
			}
			if got := s.state(p, "old/1.0.0") + s.state(p, "touched/1.0.0") + s.state(p, "final/1.0.0") + s.state(p, "open/1.0.0"); got != "-dfo" {
				t.Errorf("states %s", got)
			}
			s.root("PUT", generic(p, "old/1.0.0/f"), "other").must(t, 201)
		})
	}
}

// TestManyDraftsExpire: they are discarded in steps, all of them.
func TestManyDraftsExpire(t *testing.T) {
	s := newServer(t)
	p := s.project("app", "private")
	s.drafts(rootToken, p, "1.0.0", "app")
	s.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)
		INSERT INTO packages (project_id, name, version, status, created_at, updated_at)
		SELECT k.project_id, k.name, '2.0.' || n.i, k.status, k.created_at, k.updated_at FROM n, packages k`)
	s.skew = 8 * 24 * time.Hour
	if n := s.expire(); n != 251 {
		t.Errorf("%d were discarded, want 251", n)
	}
}

// TestExpiryAmongOthers: a draft expires while somebody puts a file into it, or makes it final.
// One of both happens, as if one had come after the other.
func TestExpiryAmongOthers(t *testing.T) {
	s := newServer(t)
	p := s.project("app", "private")
	for round := range 10 {
		put, post := fmt.Sprintf("put/1.0.%d", round), fmt.Sprintf("post/1.0.%d", round)
		for _, version := range []string{put, post} {
			s.root("PUT", generic(p, version+"/old?status=draft"), "x").must(t, 201)
		}
		s.skew += 8 * 24 * time.Hour
		var all sync.WaitGroup
		var putAnswer, postAnswer answer
		var expired int
		all.Go(func() { expired = s.expire() })
		all.Go(func() { putAnswer = s.root("PUT", generic(p, put+"/new?status=draft"), "x") })
		all.Go(func() { postAnswer = s.root("POST", generic(p, post), nil) })
		all.Wait()
		putAnswer.must(t, 201)
		files := int(s.root("GET", generic(p, put+"?status=draft"), nil).must(t, 200)["files_count"].(float64))
		state, want := s.state(p, post), map[int]string{201: "f", 404: "-"}[postAnswer.StatusCode]
		if state != want {
			t.Errorf("a POST that was answered %d left %s", postAnswer.StatusCode, state)
		}
		gone := 2 - files // the draft with the old file
		if state == "-" {
			gone++
		}
		if files < 1 || files > 2 || gone != expired {
			t.Errorf("%d expired; the draft has %d files, the other version is %s", expired, files, state)
		}
		s.root("POST", generic(p, put), nil).must(t, 201)
	}
}
