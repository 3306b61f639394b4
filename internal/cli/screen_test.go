package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// spiteful is a server whose words move cursors, begin lines and turn text round.
const spite = "a\x1b[2J\x07b\u009b1A\r\n\tc\u202ed\x7f"

func spiteful(t *testing.T) *httptest.Server {
	answers := map[string]any{
		"/api/v4/projects/p/packages/1":                 nil, // what is deleted
		"/api/v4/projects/p/packages/1/package_files/1": nil,
		"/api/v4/projects":                              []any{map[string]any{"id": 1, "path_with_namespace": spite, "visibility": spite}},
		"/api/v4/projects/p":                            map[string]any{"id": 1, "web_url": "https://elsewhere.example/" + spite},
		"/api/v4/projects/p/packages":                   []any{map[string]any{"id": 1, "name": spite, "package_type": "generic", "version": "1.0.0", "status": spite}},
		"/api/v4/projects/p/packages/1/package_files":   []any{map[string]any{"id": 1, "file_name": spite, "size": 1, "file_sha256": strings.Repeat("0", 64)}},
		"/api/v4/user":                                  map[string]any{"username": spite},
		"/api/v4/projects/p/variables/V":                map[string]any{"key": "V", "value": spite},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if !ok {
			w.Header().Set("X-Request-Id", "req"+strings.Map(onlyShown, spite))
			w.WriteHeader(http.StatusInternalServerError)
			answer = map[string]string{"message": spite}
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// A question is one line, whatever it names.
func TestAskOnOneLine(t *testing.T) {
	var shown bytes.Buffer
	agreed, err := ask(t.Context(), Env{Stdin: strings.NewReader("y\n"), Stderr: &shown}, "Delete "+spite+"?")
	if err != nil || !agreed || strings.ContainsAny(shown.String(), "\r\n\t\x1b") {
		t.Errorf("%v %v %q", agreed, err, &shown)
	}
}

func onlyShown(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

// Nothing that a server says reaches a terminal as an order, or makes a line or
// a cell of its own; as JSON it is what it was.
func TestServersCannotSteerTheTerminal(t *testing.T) {
	t.Chdir(t.TempDir())
	environ := []string{"GRANARY_SERVER=" + spiteful(t).URL, "GRANARY_TOKEN=t"}
	for args, lines := range map[string]int{
		"ls":                                   1,
		"ls p":                                 1,
		"show p NAME":                          6,
		"show p NAME --sums":                   1,
		"show p NAME --json":                   15,
		"whoami":                               3,
		"open p":                               2, // the address, and why it was not opened
		"open p --print":                       1,
		"pull p NAME":                          2, // each line of an error says whose it is
		"pull p NAME --json":                   1,
		"rm p NAME@1.0.0 --json f":             1,
		"rm p NAME@1.0.0":                      1,
		"rm p NAME@1.0.0 *":                    1,
		"rm p NAME@1.0.0 --dry-run":            1,
		"verify p NAME .":                      2,
		"version get --project p --variable V": 2,
		"ls nope":                              1,
		"ls nope --json":                       1,
		"frobnicate\x1b[2J":                    1,
	} {
		words := strings.Split(args, " ")
		for i := range words {
			words[i] = strings.Replace(words[i], "NAME", spite, 1)
		}
		_, stdout, stderr := run(t, environ, words...)
		got := stdout + stderr
		for _, r := range got {
			if isControl(r) && r != '\n' && r != '\t' {
				t.Errorf("granary %q prints %q", args, got)
				break
			}
		}
		if n := strings.Count(got, "\n"); n != lines || got == "" {
			t.Errorf("granary %q prints %d lines, want %d:\n%s", args, n, lines, got)
		}
	}
	_, stdout, _ := run(t, environ, "ls", "p", "--json")
	var rows []struct{ Name string }
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || len(rows) != 1 || rows[0].Name != spite {
		t.Errorf("%v %q", err, stdout)
	}
	_, _, stderr := run(t, environ, "ls", "nope", "--json")
	var told failure
	if err := json.Unmarshal([]byte(stderr), &told); err != nil || told.ExitCode != 1 || told.Status != 500 || told.RequestID == "" ||
		!strings.HasPrefix(told.Message, "the server answered 500") {
		t.Errorf("%v %q", err, stderr)
	}
	if _, _, stderr := run(t, environ, "ls", "nope"); !strings.Contains(stderr, "(request "+told.RequestID+")") {
		t.Errorf("no request id in %q", stderr)
	}
}

func TestScreen(t *testing.T) {
	for text, want := range map[string]string{
		"plain\n\ttext": "plain\n\ttext",
		"größer ✓":      "größer ✓",
		"a\x1b[1mb\r":   "a?[1mb?",
		"\u0085\u2066x": "??x",
		"\x9bx":         "?x",
	} {
		var out bytes.Buffer
		if n, err := (screen{&out}).Write([]byte(text)); n != len(text) || err != nil || out.String() != want {
			t.Errorf("%q: %q %d %v, want %q", text, out.String(), n, err, want)
		}
	}
	if got := onOneLine("a\nb\tc"); got != "a?b?c" {
		t.Error(got)
	}
}
