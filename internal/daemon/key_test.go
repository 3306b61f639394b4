package daemon

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/config"
	"granary/internal/projects"
)

// TestEncryptionKey: the key is made at the first start and used again; once
// something needs it, a start without it says what is missing and makes none.
func TestEncryptionKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, keyFile)
	cfg, err := settings(nil, "--data-dir", dir)
	if err != nil {
		t.Fatal(err)
	}
	// start opens the server and calls use with it.
	start := func(use func(*server)) error {
		s, err := open(t.Context(), cfg, "test", nil, crashPoints{})
		if err != nil {
			return err
		}
		if err := s.firstStart(t.Context(), cfg, "http://test", nil, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		use(s)
		return s.release()
	}
	root := access.Actor{Kind: access.User, UserID: 1, Username: "root", Admin: true, Scopes: []access.Scope{access.ScopeAPI}}
	err = start(func(s *server) {
		v := projects.Variable{Key: "V", Value: "kept", Type: projects.EnvVar, Scope: projects.AnyScope}
		if _, err := s.projects.ProjectVariables().Create(context.Background(), root, "root/demo", v); err != nil {
			t.Fatal(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(path)
	info, statErr := os.Stat(path)
	if err != nil || statErr != nil || info.Mode().Perm() != 0o600 || len(bytes.TrimSpace(key)) != 64 {
		t.Fatalf("%s: mode %v, %d bytes, %v", path, info.Mode(), len(key), err)
	}
	reads := func(s *server) {
		v, err := s.projects.ProjectVariables().Get(context.Background(), root, "root/demo", projects.VariableRef{Key: "V"})
		if err != nil || v.Value != "kept" {
			t.Errorf("%q, %v", v.Value, err)
		}
	}
	if err := start(reads); err != nil {
		t.Errorf("second start: %v", err)
	}

	refused := func(what, words string) {
		t.Helper()
		err := start(func(*server) {})
		if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refused("the key is lost", path+" is missing")
	if _, err := os.Stat(path); err == nil {
		t.Error("a new key took the place of the lost one")
	}
	for what, text := range map[string]string{
		"is not the one": strings.Repeat("ab", 32) + "\n",
		"is damaged":     "abc",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		refused("another key", path+" "+what)
	}

	cfg.EncryptionKey = config.Secret(bytes.TrimSpace(key))
	if err := start(reads); err != nil {
		t.Errorf("the right key in the settings: %v", err)
	}
	cfg.EncryptionKey = ""
	if err := os.WriteFile(path, key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(reads); err != nil {
		t.Errorf("with the key back: %v", err)
	}
}
