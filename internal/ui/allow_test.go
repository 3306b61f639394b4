package ui_test

import "testing"

// TestAllow: 405 names the methods that an address takes, HEAD among them if it can be read.
func TestAllow(t *testing.T) {
	s := newSite(t)
	s.acme()
	b := s.as("owner")
	for at, want := range map[string]string{"/-/help": "GET, HEAD", "/acme/tools/-/packages/new": "GET, POST, HEAD"} {
		got := b.do("DELETE", at, "", "")
		if got.StatusCode != 405 || got.Header.Get("Allow") != want {
			t.Errorf("%s: %d, Allow %q, want %q", at, got.StatusCode, got.Header.Get("Allow"), want)
		}
	}
}
