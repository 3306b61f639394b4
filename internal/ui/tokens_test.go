package ui_test

import (
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/auth"
)

// TestTokensOfShortSession: in a session of a token that ends soon, a new token ends with
// it unless its maker says otherwise, and so does a renewed one.
func TestTokensOfShortSession(t *testing.T) {
	s := newSite(t)
	end := time.Now().UTC().AddDate(0, 0, 10).Truncate(24 * time.Hour)
	const secret = "gnpat-short0000000000000000"
	short, err := s.users.NewPersonalToken(t.Context(), audit.Author{}, auth.PersonalToken{UserID: s.person("jo").ID, Name: "short", Scopes: []access.Scope{access.ScopeAPI}, ExpiresAt: &end}, secret)
	if err != nil {
		t.Fatal(err)
	}
	b := s.nobody()
	b.post("/-/sign_in", "token", secret).wants(t, 303)
	page := b.get("/-/user/tokens").wants(t, 200, `value="`+end.Format(time.DateOnly)+`"`)
	for _, f := range page.parse(t).forms("/-/user/tokens") {
		if f.method != "post" || f.action != "/-/user/tokens" {
			continue
		}
		f.fields.Set("name", "new")
		b.do("POST", f.action, "application/x-www-form-urlencoded", f.fields.Encode()).wants(t, 200, "“new” is made")
	}
	b.post("/-/user/tokens/"+itoa(short.ID)+"/rotate").wants(t, 200, "has a new secret")
}

// TestSelfRotate: a session of a token that renews itself shows no button to renew others.
func TestSelfRotate(t *testing.T) {
	s := newSite(t)
	s.token("jo", access.ScopeAPI)
	b := s.as("jo", access.ScopeReadAPI, access.ScopeSelfRotate)
	page := b.get("/-/user/tokens").wants(t, 200, "of jo").lacks(t, "/rotate")
	if strings.Contains(page.body, "Renew of jo") {
		t.Error("a button to renew is shown")
	}
	s.as("jo").get("/-/user/tokens").wants(t, 200, "Renew of jo")
}
