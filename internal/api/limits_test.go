package api_test

import (
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/httpd"
	"granary/internal/throttle"
)

// limited is a server behind the chain that reads addresses, with small limits
// on a clock that stands still.
func limited(t *testing.T) (s *server, clock *time.Time) {
	s = newServer(t)
	now := time.Unix(1_800_000_000, 0)
	clock = &now
	at := func() time.Time { return *clock }
	s.api.ClientIP = httpd.ClientIP
	s.api.Rates.Anonymous = throttle.New("throttle_unauthenticated_packages_api", throttle.Rate{Requests: 3, Seconds: 15}, at)
	s.users.Logins = throttle.NewLogins(at)
	chain := httpd.Chain(watch(t, s.api), httpd.Options{
		Log: slog.New(slog.DiscardHandler), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	web := httptest.NewServer(chain)
	t.Cleanup(web.Close)
	s.url = web.URL
	return s, clock
}

// TestRateLimits is contract rest-api H.
func TestRateLimits(t *testing.T) {
	s, clock := limited(t)
	project := s.project("public", "public")
	file := generic(project, "tool/1.0.0/f")
	s.root("PUT", file, "x").must(t, 201)
	_, ann := s.user("ann")
	_, ben := s.user("ben")
	_, deploy := s.deployToken("projects/"+project, "read_package_registry")
	at := func() time.Time { return *clock }
	s.api.Rates.Authenticated = throttle.New("throttle_authenticated_packages_api", throttle.Rate{Requests: 2, Seconds: 7}, at)

	s.do("GET", file, nil).is(t, 200, "x")
	s.do("HEAD", file, nil).is(t, 200, "")
	s.do("GET", file, nil, "Range: bytes=0-0").is(t, 206, "x")
	for i, method := range []string{"GET", "HEAD"} {
		got := s.do(method, file, nil, "Range: bytes=0-0").header(t, "Content-Type: text/plain",
			"RateLimit-Name: throttle_unauthenticated_packages_api", "RateLimit-Limit: 12",
			"RateLimit-Observed: "+strconv.Itoa(4+i), "RateLimit-Remaining: 0", "RateLimit-Reset: 1800000015",
			"RateLimit-ResetTime: Fri, 15 Jan 2027 08:00:15 GMT", "Retry-After: 15")
		got.is(t, 429, strings.Repeat("Retry later\n", 1-i))
	}
	s.do("GET", file, nil, "X-Forwarded-For: 203.0.113.9").is(t, 200, "x")
	for range 3 {
		s.do("GET", file, nil, "X-Forwarded-For: 2001:db8::1").is(t, 200, "x")
	}
	s.do("GET", file, nil, "X-Forwarded-For: 2001:db8::2").is(t, 429, "Retry later\n")
	s.do("GET", file, nil, "X-Forwarded-For: 2001:db8:0:1::2").is(t, 200, "x")

	// A body that is refused is not read: it is never sent here.
	upload := "PUT " + file + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
	if got := s.raw(upload); got.StatusCode != 429 {
		t.Errorf("a refused upload: %d %s", got.StatusCode, got.body)
	}

	for _, credential := range []string{"PRIVATE-TOKEN: " + ann, "DEPLOY-TOKEN: " + deploy, "PRIVATE-TOKEN: " + ben} {
		s.do("GET", file, nil, credential).is(t, 200, "x")
		s.do("GET", file, nil, credential).is(t, 200, "x")
		s.do("GET", file, nil, credential).header(t, "RateLimit-Limit: 18",
			"RateLimit-Name: throttle_authenticated_packages_api").is(t, 429, "Retry later\n")
	}
	*clock = clock.Add(15 * time.Second)
	s.do("GET", file, nil).is(t, 200, "x")
	s.do("GET", file, nil, "PRIVATE-TOKEN: "+ann).is(t, 200, "x")
}

// TestSudoCountsForItsAdministrator, not for whom he acts as; one that is refused, too.
func TestSudoCountsForItsAdministrator(t *testing.T) {
	s, clock := limited(t)
	_, ann := s.user("ann")
	s.api.Rates.Authenticated = throttle.New("throttle_authenticated_packages_api", throttle.Rate{Requests: 2, Seconds: 7}, func() time.Time { return *clock })
	s.root("GET", "/api/v4/user?sudo=ann", nil).must(t, 200)
	s.root("GET", "/api/v4/user?sudo=nobody", nil).must(t, 404)
	s.root("GET", "/api/v4/user?sudo=ann", nil).must(t, 429)
	s.root("GET", "/api/v4/user", nil).must(t, 429)
	s.as(ann, "GET", "/api/v4/user", nil).must(t, 200)
}

// TestFailedLogins: who fails too often is refused, and good tokens of the same
// address work.
func TestFailedLogins(t *testing.T) {
	s, clock := limited(t)
	s.api.Rates.Anonymous = nil
	project := s.project("private", "private")
	file := generic(project, "tool/1.0.0/f")
	s.root("PUT", file, "x").must(t, 201)
	_, seen := s.user("seen")
	_, fresh := s.user("fresh")
	const unseen = "made-by-another-node"
	if _, err := s.users.NewPersonalToken(t.Context(), audit.Author{}, auth.PersonalToken{UserID: 1, Name: "t", Scopes: []access.Scope{access.ScopeAPI}}, unseen); err != nil {
		t.Fatal(err)
	}
	s.as(seen, "GET", "/api/v4/user", nil).must(t, 200)
	_, job := s.job(rootToken, project)
	bad := func(i int) answer { return s.do("GET", file, nil, "PRIVATE-TOKEN: bad"+strconv.Itoa(i)) }
	refused := 0
	for i := range 330 {
		got := bad(i)
		if got.StatusCode == 429 {
			refused++
			got.header(t, "RateLimit-Name: throttle_failed_logins", "RateLimit-Limit: 300", "Retry-After: 60")
		} else {
			got.is(t, 401, unauthorized)
		}
	}
	if refused == 0 {
		t.Fatal("no failed login is refused")
	}
	s.as(seen, "GET", "/api/v4/user", nil).must(t, 200)
	s.as(fresh, "GET", "/api/v4/user", nil).must(t, 200) // used for the first time, and so the next
	s.do("GET", file, nil, "JOB-TOKEN: "+job).is(t, 200, "x")
	s.as(unseen, "GET", "/api/v4/user", nil).must(t, 429)
	s.do("GET", file, nil, "PRIVATE-TOKEN: bad", "X-Forwarded-For: 203.0.113.9").is(t, 401, unauthorized)
	*clock = clock.Add(time.Second)
	s.as(unseen, "GET", "/api/v4/user", nil).must(t, 200)
	s.as(seen, "DELETE", "/api/v4/personal_access_tokens/self", nil).must(t, 204)
	for i := range 10 {
		bad(i)
	}
	s.as(seen, "GET", "/api/v4/user", nil).must(t, 401)
	s.as(seen, "GET", "/api/v4/user", nil).must(t, 429)
	*clock = clock.Add(time.Minute)
	bad(0).is(t, 401, unauthorized)
}
