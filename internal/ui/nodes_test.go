package ui_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"granary/internal/access"
	"granary/internal/metadb"
	"granary/internal/metadb/metadbtest"
	"granary/internal/metadb/metadbtest/fresh"
	"granary/internal/sqldb"
)

// TestNodes: of three servers on one database, one signs in, the second acts, and the third
// signs out. What ends a session at one ends it at the others with the next request.
func TestNodes(t *testing.T) {
	if !metadbtest.Wanted() {
		t.Skip("SQLite has one server")
	}
	_, dsn := fresh.Database(t)
	store := filepath.Join(metadbtest.Memory(t), "blobs")
	var nodes []*site
	for range 3 {
		db, err := metadb.OpenPostgres(t.Context(), dsn, sqldb.Options{MaxConnections: 4})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		nodes = append(nodes, siteOn(t, db, store))
	}
	first := nodes[0]
	first.acme()
	b := first.as("maintainer")
	second, third := b.at(nodes[1]), b.at(nodes[2])
	second.post("/acme/tools/-/settings", "name", "Better tools").leads(t, "/acme/tools/-/settings?done=saved")
	third.get("/acme/tools").wants(t, 200, "Better tools", "Maintainer Person")
	third.post("/-/sign_out").leads(t, "/-/sign_in?done=signed-out")
	for _, at := range []*browser{b, second, third} {
		at.get("/-/user/profile").wants(t, http.StatusSeeOther)
		at.post("/acme/tools/-/settings", "name", "Worse").wants(t, http.StatusSeeOther)
	}

	b = first.as("maintainer")
	other := b.at(nodes[1])
	other.get("/acme/tools").wants(t, 200)
	b.post(b.get("/-/user/tokens").found(t, `action="([^"]+/revoke)"`)).wants(t, http.StatusSeeOther)
	other.get("/acme/tools").leads(t, "/-/sign_in?to=%2Facme%2Ftools")

	b = first.as("developer", access.ScopeAPI)
	other = b.at(nodes[2])
	other.get("/acme/tools").wants(t, 200)
	id := itoa(first.person("developer").ID)
	first.as("owner").post("/acme/-/members/"+id+"/remove").wants(t, http.StatusSeeOther)
	other.get("/acme/tools").wants(t, http.StatusNotFound)
	first.as("admin").post("/-/admin/users/"+id, "do", "block").wants(t, http.StatusSeeOther)
	other.get("/-/user/profile").wants(t, http.StatusSeeOther)
}

// at is the same browser at another server: the cookies go along, as behind one address.
func (b *browser) at(s *site) *browser {
	s.t.Helper()
	other := s.nobody()
	from, err := url.Parse(b.s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	to, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	other.Jar.SetCookies(to, b.Jar.Cookies(from))
	return other
}
