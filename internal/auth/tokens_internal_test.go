package auth

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/throttle"
)

// TestAlive is about the moments at which a token ends, and about its user.
func TestAlive(t *testing.T) {
	now := time.Date(2031, 1, 2, 0, 0, 0, 0, time.UTC)
	before, after := now.Add(-time.Second), now.Add(time.Second)
	blocked := User{Blocked: true}
	for name, tt := range map[string]struct {
		token Token
		want  bool
	}{
		"nothing":                       {Token{}, false},
		"personal":                      {Token{Personal: &PersonalToken{}}, true},
		"personal, its day is over now": {Token{Personal: &PersonalToken{ExpiresAt: &now}}, false},
		"personal, a second before":     {Token{Personal: &PersonalToken{ExpiresAt: &after}}, true},
		"personal, revoked":             {Token{Personal: &PersonalToken{Revoked: true, ExpiresAt: &after}}, false},
		"personal of a blocked user":    {Token{Personal: &PersonalToken{}, User: blocked}, false},
		"deploy":                        {Token{Deploy: &DeployToken{}}, true},
		"deploy, its end is now":        {Token{Deploy: &DeployToken{ExpiresAt: &now}}, false},
		"deploy, revoked":               {Token{Deploy: &DeployToken{Revoked: true}}, false},
		"job":                           {Token{Job: &Job{Status: JobRunning, ExpiresAt: after}}, true},
		"job, its time is over now":     {Token{Job: &Job{Status: JobRunning, ExpiresAt: now}}, false},
		"job, its time was over":        {Token{Job: &Job{Status: JobRunning, ExpiresAt: before}}, false},
		"job that has ended":            {Token{Job: &Job{Status: JobSuccess, ExpiresAt: after}}, false},
		"job of a blocked user":         {Token{Job: &Job{Status: JobRunning, ExpiresAt: after}, User: blocked}, false},
	} {
		if got := tt.token.alive(now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestCheckScopes: each kind of token has its own scopes, and needs at least one.
func TestCheckScopes(t *testing.T) {
	for _, tt := range []struct {
		scopes                []access.Scope
		personal, bot, deploy bool
	}{
		{nil, false, false, false},
		{[]access.Scope{""}, false, false, false},
		{[]access.Scope{"API"}, false, false, false},
		{[]access.Scope{access.ScopeAPI}, true, true, false},
		{[]access.Scope{access.ScopeReadAPI, access.ScopeSelfRotate}, true, true, false},
		{[]access.Scope{access.ScopeReadUser}, true, false, false},
		{[]access.Scope{access.ScopeSudo}, true, false, false},
		{[]access.Scope{access.ScopeAPI, "admin_mode"}, true, false, false},
		{[]access.Scope{"read_service_ping"}, true, false, false},
		{[]access.Scope{access.ScopeReadPackage, access.ScopeWritePackage}, false, false, true},
		{[]access.Scope{"read_registry"}, true, true, true},
		{[]access.Scope{"read_registry", "nonsense"}, false, false, false},
	} {
		for kind, c := range map[string]struct {
			allowed []access.Scope
			want    bool
		}{"personal": {personalScopes(), tt.personal}, "bot": {botScopes(), tt.bot}, "deploy": {deployScopes(), tt.deploy}} {
			err := checkScopes(tt.scopes, c.allowed)
			if (err == nil) != c.want || err != nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("%q of a %s token: %v", tt.scopes, kind, err)
			}
		}
	}
}

// TestSuccessor: the successor of a rotated token keeps its rights, and is valid for a
// week by default. An expired token has no successor.
func TestSuccessor(t *testing.T) {
	now := time.Date(2031, 1, 2, 23, 59, 59, 0, time.FixedZone("", 3600))
	s := &Service{Now: func() time.Time { return now }}
	day := func(d int) *time.Time { return new(time.Date(2031, 1, d, 0, 0, 0, 0, time.UTC)) }
	for _, tt := range []struct {
		name       string
		had, asked *time.Time
		want       *time.Time // nil: refused
	}{
		{name: "a week", want: day(9)},
		{name: "a week, whatever the old one had", had: day(30), want: day(9)},
		{name: "as asked", asked: day(20), want: day(20)},
		{name: "an expired one", had: day(2), asked: day(20)},
	} {
		old := PersonalToken{ID: 7, Scopes: []access.Scope{access.ScopeAPI}, Role: access.Developer, ExpiresAt: tt.had, LastUsedAt: &now}
		var kept SecretDigest
		got, secret, err := s.rotate(t.Context(), access.Actor{}, old, tt.asked, func(next PersonalToken, d SecretDigest) (PersonalToken, error) {
			kept = d
			return next, nil
		})
		switch {
		case tt.want == nil:
			if !fault.Is(err, fault.Unauthenticated) || secret != "" {
				t.Errorf("%s: %+v, %v", tt.name, got, err)
			}
		case err != nil || kept != DigestOf(secret):
			t.Errorf("%s: %v, or another secret was kept", tt.name, err)
		case !got.ExpiresAt.Equal(*tt.want) || !got.CreatedAt.Equal(now) || got.LastUsedAt != nil,
			!slices.Equal(got.Scopes, old.Scopes) || got.Role != old.Role:
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

// TestSecrets: 52 random letters and digits behind a prefix, never twice, and the
// limit of failed logins knows them as good from the start.
func TestSecrets(t *testing.T) {
	now := time.Unix(1, 0)
	s := &Service{Logins: throttle.NewLogins(func() time.Time { return now })}
	for prefix, job := range map[string]bool{personalPrefix: false, deployPrefix: false, jobPrefix: true} {
		shape := regexp.MustCompile(`\A` + prefix + `[A-Z2-7]{52}\z`)
		a, b := s.newSecret(prefix), s.newSecret(prefix)
		if !shape.MatchString(a) || a == b || isJobSecret(a) != job {
			t.Errorf("%q, then %q, of a job: %v", a, b, isJobSecret(a))
		}
		for range 1000 { // more failures and trials than an address has
			s.Logins.Bad(Credentials{}.From, SecretDigest{1, 8: 1})
			_ = s.Logins.Admit(Credentials{}.From, SecretDigest{1, 8: 1})
		}
		if err := s.Logins.Admit(Credentials{}.From, DigestOf(a)); err != nil {
			t.Errorf("a new secret is refused: %v", err)
		}
	}
	if !isJobSecret("glcbt-x") || isJobSecret("x-gnjt-") {
		t.Error("GitLab's job tokens are none, or anything is one")
	}
}
