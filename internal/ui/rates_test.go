package ui_test

import (
	"testing"

	"granary/internal/auth"
	"granary/internal/throttle"
)

// TestRatesOfPages: requests are counted for the address of nobody, and for a user; those
// that write count a second time, but for administrators.
func TestRatesOfPages(t *testing.T) {
	s := newSite(t)
	s.acme()
	most := func(n int64) *throttle.Throttle {
		return throttle.New("test", throttle.Rate{Requests: n, Seconds: 1 << 32}, s.now)
	}
	guest, admin, nobody := s.as("guest"), s.as("admin"), s.nobody()
	s.pages.Rates = auth.Rates{Anonymous: most(2), Authenticated: most(8), Writes: most(3)}
	for i := range 4 {
		nobody.get("/-/sign_in").wants(t, map[bool]int{true: 200, false: 429}[i < 2])
	}
	for i := range 5 {
		guest.post("/-/user/profile/theme", "theme", "dark").wants(t, map[bool]int{true: 303, false: 429}[i < 3])
		admin.post("/-/user/profile/theme", "theme", "dark").wants(t, 303)
	}
	for i := range 5 {
		guest.get("/acme").wants(t, map[bool]int{true: 200, false: 429}[i < 3])
	}
}
