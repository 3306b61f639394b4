package cli

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"granary/internal/client"
)

// What was there when a pull made its plan, and a prune of another package removed
// meanwhile, is fetched: whether that is seen before the file is noted or only after.
func TestPullBesideAPrune(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "shared") }))
	defer s.Close()
	for name, prune := range map[string]func(t *testing.T, p *pull, root *os.Root){
		"before": func(t *testing.T, p *pull, root *os.Root) { pruneShared(t, p, root) },
		"at the same time": func(t *testing.T, p *pull, root *os.Root) {
			unlock, err := client.LockPullLists(t.Context(), root)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				time.Sleep(50 * time.Millisecond) // by then the pull waits, or it sees what the other case does
				if err := root.Remove("shared"); err != nil {
					t.Error(err)
				}
				unlock()
			}()
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, root := pulling(t, "shared", "own")
			var err error
			if p.client, err = client.New(client.Config{Server: s.URL}); err != nil {
				t.Fatal(err)
			}
			p.quiet, p.env = true, Env{Stderr: io.Discard}
			other := pullList{Name: "other"}.with([]listedFile{{"shared", 6, sumOfText(t, "shared")}})
			if err := other.write(root); err != nil {
				t.Fatal(err)
			}
			files := []pulled{newPulled(client.File{Path: "shared", Size: 6, SHA256: sumOfText(t, "shared")}),
				newPulled(client.File{Path: "own", Size: 3, SHA256: sumOfText(t, "own")})}
			if err := p.plan(t.Context(), root, files); err != nil || files[0].Action != "unchanged" {
				t.Fatalf("%+v %v", files, err)
			}
			list, err := p.readPullList(root)
			if err != nil {
				t.Fatal(err)
			}
			prune(t, p, root)
			list, err = p.installListed(t.Context(), root, files, list)
			if err != nil || files[0].Action != "download" || files[1].Action != "unchanged" || len(list.Files) != 1 {
				t.Errorf("%+v %v %v", files, list.Files, err)
			}
			if got, err := root.ReadFile("shared"); err != nil || string(got) != "shared" {
				t.Errorf("%q %v", got, err)
			}
		})
	}
}

// pruneShared is a whole pull of the other package, whose new version is without the
// file.
func pruneShared(t *testing.T, p *pull, root *os.Root) {
	t.Helper()
	other := *p
	other.at.Name, other.owner, other.yes = "other", "", true
	list := pullList{Name: "other"}.with([]listedFile{{"shared", 6, sumOfText(t, "shared")}})
	done, left, err := other.prune(t.Context(), root, list)
	if err != nil || len(done.removed) != 1 {
		t.Fatalf("%+v %v", done, err)
	}
	if err := left.write(root); err != nil {
		t.Fatal(err)
	}
}
