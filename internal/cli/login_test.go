package cli

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// waited is the standard input of one who is asked, and answers when all are.
type waited struct {
	all  *sync.WaitGroup
	once sync.Once
	text io.Reader
}

func (w *waited) Read(b []byte) (int, error) {
	w.once.Do(func() { w.all.Done(); w.all.Wait() })
	return w.text.Read(b)
}

// Those who log in at once all keep their tokens, and so do those who log out.
func TestLoginsAtOnce(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v4/user" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `{"username":"root"}`)
	}))
	defer s.Close()
	environ := []string{"XDG_CONFIG_HOME=" + t.TempDir()}
	const n = 8
	atOnce := func(args func(i int) []string, stdin func(i int) io.Reader) {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				var out bytes.Buffer
				env := Env{Args: args(i), Environ: environ, Stdin: stdin(i), Stdout: &out, Stderr: &out, Version: "v1.2.3"}
				if code := Main(t.Context(), env); code != 0 {
					t.Errorf("%q: exit %d: %s", env.Args, code, &out)
				}
			})
		}
		all.Wait()
	}
	var asked sync.WaitGroup
	asked.Add(n)
	name := func(i int) string { return fmt.Sprintf("p%d", i) }
	atOnce(func(i int) []string { return []string{"login", "--profile", name(i), s.URL} },
		func(i int) io.Reader { return &waited{all: &asked, text: strings.NewReader("token-" + name(i) + "\n")} })
	stored, err := readLogins(Env{Environ: environ})
	if err != nil || len(stored.Profiles) != n || stored.Profiles["p3"].Token != "token-p3" {
		t.Fatalf("%d of %d logins are kept: %v", len(stored.Profiles), n, err)
	}
	atOnce(func(i int) []string { return []string{"logout", "--profile", name(i)} },
		func(int) io.Reader { return strings.NewReader("") })
	if stored, err := readLogins(Env{Environ: environ}); err != nil || len(stored.Profiles) != 0 {
		t.Errorf("%d logins are left: %v", len(stored.Profiles), err)
	}
}
