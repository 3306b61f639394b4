package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"granary/internal/config"
	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

func openAdmin(t *testing.T, cfg config.Config) *Admin {
	t.Helper()
	a, err := OpenAdmin(t.Context(), cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func closeAdmin(t *testing.T, a *Admin) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// administer is one command of granary admin: it opens the database, calls the
// API once and closes it.
func administer(t *testing.T, cfg config.Config, method, path string, form url.Values) (status int, body string) {
	t.Helper()
	a := openAdmin(t, cfg)
	defer closeAdmin(t, a)
	if err := a.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://localhost/api/v4"+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := a.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if a.Cause() != nil {
		t.Errorf("%s %s: %v", method, path, a.Cause())
	}
	return resp.StatusCode, string(text)
}

// granary admin beside a server that is publishing all the time: each gets its
// turn, nobody's work is lost, and the server follows.
func TestAdminBesideALoadedServer(t *testing.T) {
	data := t.TempDir()
	p, url := start(t, "--data-dir="+data)
	cfg, err := settings(nil, "--data-dir="+data)
	if err != nil {
		t.Fatal(err)
	}
	user := newcomer(t, cfg)

	var enough atomic.Bool
	var publishers sync.WaitGroup
	var published [6]int
	for i := range published {
		publishers.Go(func() {
			for ; !enough.Load(); published[i]++ {
				path := fmt.Sprintf("load/%d.%d.0/f", i, published[i])
				if resp, body := ask(t, "PUT", url+demoFiles+path, strings.NewReader(path)); resp.StatusCode != http.StatusCreated {
					t.Errorf("%s: %s %s", path, resp.Status, body)
					return
				}
			}
		})
	}
	const turns = 6
	for i := range turns {
		deed, want := "/block", http.StatusForbidden
		if i%2 == 1 {
			deed, want = "/unblock", http.StatusOK
		}
		if status, body := administer(t, cfg, "POST", "/users/"+user.id+deed, nil); status != http.StatusCreated {
			t.Errorf("%s: %d %s", deed, status, body)
		}
		eventually.HoldsWithin(t, lifeOfAnEntry, deed+" counts in the server", func() bool {
			resp, _ := ask(t, "GET", url+"/api/v4/user", nil, "Private-Token", user.token)
			return resp.StatusCode == want
		})
	}
	enough.Store(true)
	publishers.Wait()
	total := 0
	for i, n := range published {
		total += n
		for version := range n {
			path := fmt.Sprintf("load/%d.%d.0/f", i, version)
			if resp, body := ask(t, "GET", url+demoFiles+path, nil); resp.StatusCode != http.StatusOK || body != path {
				t.Errorf("%s: %s %s", path, resp.Status, body)
			}
		}
	}
	if total < turns {
		t.Errorf("only %d were published meanwhile", total)
	}
	p.terminate(t, 20*time.Second)
	if p.logged() != "" {
		t.Errorf("the server complained:\n%s", p.logged())
	}
	if status, body := administer(t, cfg, "GET", "/users/"+user.id, nil); status != http.StatusOK {
		t.Errorf("without a server: %d %s", status, body)
	}
}

// lifeOfAnEntry is how long the server remembers a token without being told.
const lifeOfAnEntry = 10 * time.Second

type account struct{ id, token string }

// newcomer is a user that granary admin made, and a token.
func newcomer(t *testing.T, cfg config.Config) account {
	t.Helper()
	status, body := administer(t, cfg, "POST", "/users", url.Values{
		"username": {"jo"}, "name": {"Jo"}, "email": {"jo@example.com"}, "force_random_password": {"true"},
	})
	var made struct {
		ID    int64
		Token string
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	jo := account{id: fmt.Sprint(made.ID)}
	status, body = administer(t, cfg, "POST", "/users/"+jo.id+"/personal_access_tokens", url.Values{"name": {"t"}, "scopes[]": {"api"}})
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	jo.token = made.Token
	return jo
}

// On PostgreSQL a node follows at once. Neither an empty database nor a missing
// data directory is filled.
func TestAdminOnPostgres(t *testing.T) {
	server := metadbtest.NewServer(t)
	data := filepath.Join(t.TempDir(), "data")
	environ := []string{"GRANARY_DATABASE=" + server.DSN("granary"), "GRANARY_ENCRYPTION_KEY=" + strings.Repeat("0a", 32), asRoot}
	cfg, err := settings(environ, "--data-dir="+data)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := OpenAdmin(t.Context(), cfg, "test"); err == nil || !strings.Contains(err.Error(), "it has no records of granary") {
		t.Fatalf("an empty database: %v, %v", a, err)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("the data directory was made: %v", err)
	}
	nodeURL, stop := serveHere(t, environ, "--data-dir="+data)
	defer stop()
	user := newcomer(t, cfg)
	for _, tt := range []struct {
		deed string
		want int
	}{{"/block", http.StatusForbidden}, {"/unblock", http.StatusOK}, {"/block", http.StatusForbidden}} {
		if status, body := administer(t, cfg, "POST", "/users/"+user.id+tt.deed, nil); status != http.StatusCreated {
			t.Errorf("%s: %d %s", tt.deed, status, body)
		}
		if resp, body := ask(t, "GET", nodeURL+"/api/v4/user", nil, "Private-Token", user.token); resp.StatusCode != tt.want {
			t.Errorf("right after %s: %s %s", tt.deed, resp.Status, body)
		}
	}
	nowhere, err := settings(environ, "--data-dir="+filepath.Join(data, "nowhere"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resetRoot(t, nowhere); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("without a data directory: %v", err)
	}
	if resp, _ := ask(t, "GET", nodeURL+"/api/v4/user", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the token after that: %s", resp.Status)
	}
	secret, err := resetRoot(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]int{rootToken: http.StatusUnauthorized, secret: http.StatusOK} {
		if resp, _ := ask(t, "GET", nodeURL+"/api/v4/user", nil, "Private-Token", token); resp.StatusCode != want {
			t.Errorf("after the reset: %s, want %d", resp.Status, want)
		}
	}
}

func resetRoot(t *testing.T, cfg config.Config) (secret string, err error) {
	t.Helper()
	a := openAdmin(t, cfg)
	defer closeAdmin(t, a)
	secret, _, err = a.ResetRoot(t.Context())
	return secret, err
}

// granary admin obeys the rules of members, too: a bot stays in its one place.
func TestAdminLeavesBotsWhereTheyAre(t *testing.T) {
	data := t.TempDir()
	start(t, "--data-dir="+data)
	cfg, err := settings(nil, "--data-dir="+data)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string, form url.Values, status int) (made struct {
		ID     int64 `json:"id"`
		UserID int64 `json:"user_id"`
	}) {
		t.Helper()
		got, body := administer(t, cfg, method, path, form)
		if got != status {
			t.Fatalf("%s %s: %d %s, want %d", method, path, got, body, status)
		}
		if body != "" {
			if err := json.Unmarshal([]byte(body), &made); err != nil {
				t.Fatal(err)
			}
		}
		return made
	}
	for _, name := range []string{"home", "away"} {
		ask("POST", "/groups", url.Values{"name": {name}, "path": {name}}, 201)
	}
	token := ask("POST", "/groups/home/access_tokens", url.Values{"name": {"ci"}, "scopes[]": {"api"}, "access_level": {"30"}}, 201)
	bot := fmt.Sprint(token.UserID)
	ask("POST", "/groups/away/members", url.Values{"user_id": {bot}, "access_level": {"10"}}, 400)
	ask("PUT", "/groups/home/members/"+bot, url.Values{"access_level": {"50"}}, 403)
	ask("DELETE", "/groups/home/members/"+bot, nil, 403)
	ask("DELETE", "/groups/home/access_tokens/"+fmt.Sprint(token.ID), nil, 204)
	ask("GET", "/groups/home/members/"+bot, nil, 404)
}
