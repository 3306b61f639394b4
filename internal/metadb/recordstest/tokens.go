package recordstest

import (
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/auth"
	"granary/internal/fault"
)

func tokens() []promise {
	return []promise{
		{"FindToken", "finds a token dead or alive, with its user", testFindToken},
		{"FindToken", "is NotFound if there is no such token", testFindNoToken},
		{"FindToken", "is NotFound if what it belongs to is gone", testFindTokenOfGone},
		{"TouchTokens", "records the last use", testTouchTokens},
	}
}

func testFindToken(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	made, d := s.token(t, u.ID)
	for _, dead := range []bool{false, true} {
		if dead {
			must(t, 0, s.RevokePersonalTokens(t.Context(), made.ID, false, quiet()))
		}
		found, err := s.FindToken(t.Context(), d)
		if must(t, found, err); found.Personal == nil || found.Deploy != nil || found.Job != nil {
			t.Fatalf("%+v, want a personal token only", found)
		}
		if found.Personal.ID != made.ID || found.Personal.Revoked != dead || found.User.ID != u.ID || found.Digest != d {
			t.Errorf("%+v of user %d, want token %d of %d, revoked: %v", *found.Personal, found.User.ID, made.ID, u.ID, dead)
		}
	}
	d = s.secret()
	deploy, err := s.InsertDeployToken(t.Context(), newDeployToken(inGroup(g.ID), u), d, roomy(), quiet())
	must(t, 0, err)
	found, err := s.FindToken(t.Context(), d)
	if must(t, found, err); found.Deploy == nil || found.Deploy.ID != deploy.ID || found.Personal != nil || found.Job != nil {
		t.Errorf("%+v, want deploy token %d only", found, deploy.ID)
	}
	job, d := s.job(t, p.ID, u)
	found, err = s.FindToken(t.Context(), d)
	if must(t, found, err); found.Job == nil || found.Job.ID != job.ID || found.User.ID != u.ID || found.Personal != nil || found.Deploy != nil {
		t.Errorf("%+v, want job %d of user %d only", found, job.ID, u.ID)
	}
}

func testFindNoToken(t *testing.T, s *suite) {
	_, err := s.FindToken(t.Context(), s.secret())
	wantKind(t, err, fault.NotFound)
	u := s.user(t)
	made, d := s.token(t, u.ID) // one that was found before it went
	_, err = s.FindToken(t.Context(), d)
	must(t, 0, err)
	_, err = s.InsertPersonalToken(t.Context(), newToken(u.ID), s.secret(), most(2), quiet())
	must(t, 0, err)
	must(t, 0, s.RevokePersonalTokens(t.Context(), made.ID, false, quiet()))
	_, err = s.InsertPersonalToken(t.Context(), newToken(u.ID), s.secret(), most(2), quiet()) // forgets it
	must(t, 0, err)
	_, err = s.FindToken(t.Context(), d)
	wantKind(t, err, fault.NotFound)
}

func testFindTokenOfGone(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	_, ofJob := s.job(t, p.ID, u)
	ofProject, ofGroup, ofBot := s.secret(), s.secret(), s.secret()
	_, err := s.InsertDeployToken(t.Context(), newDeployToken(inProject(p.ID), u), ofProject, roomy(), quiet())
	must(t, 0, err)
	_, err = s.InsertDeployToken(t.Context(), newDeployToken(inGroup(g.ID), u), ofGroup, roomy(), quiet())
	must(t, 0, err)
	s.bot(t, s.newBot(inGroup(g.ID)), ofBot, access.Developer)
	other := s.user(t)
	_, ofUser := s.token(t, other.ID)
	digests := map[string]auth.SecretDigest{"job": ofJob, "project": ofProject, "group": ofGroup, "bot": ofBot, "user": ofUser}
	for of, d := range digests { // so that they may be remembered
		if _, err := s.FindToken(t.Context(), d); err != nil {
			t.Fatalf("of a %s: %v", of, err)
		}
	}
	must(t, 0, s.DeleteGroup(t.Context(), g.ID, now(), quiet()))
	must(t, 0, s.DeleteUser(t.Context(), other.ID, false, quiet()))
	for of, d := range digests {
		if _, err := s.FindToken(t.Context(), d); !fault.Is(err, fault.NotFound) {
			t.Errorf("of a %s that is gone: %v, want NotFound", of, err)
		}
	}
}

func testTouchTokens(t *testing.T, s *suite) {
	u := s.user(t)
	one, _ := s.token(t, u.ID)
	two, _ := s.token(t, u.ID)
	late := now()
	early := late.Add(-time.Hour)
	must(t, 0, s.TouchTokens(t.Context(), map[int64]time.Time{one.ID: late}))
	must(t, 0, s.TouchTokens(t.Context(), map[int64]time.Time{one.ID: early, two.ID: early})) // as another server saw it
	for id, want := range map[int64]time.Time{one.ID: late, two.ID: early} {
		found, err := s.FindPersonalToken(t.Context(), id)
		must(t, 0, err)
		wantSame(t, "the last use", found.LastUsedAt, &want)
	}
}
