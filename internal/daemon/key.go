package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"granary/internal/config"
	"granary/internal/metadb"
)

// keyFile holds the key for secrets if the settings give none.
const keyFile = "encryption_key"

// useKey gives the database the key for secrets: the setting's, else the
// file's, else a new one. A new one is on disk before anything is sealed with
// it, and none is made while there are secrets that it could not open.
func (s *server) useKey(ctx context.Context, cfg config.Config) error {
	path, from := filepath.Join(cfg.DataDir, keyFile), "GRANARY_ENCRYPTION_KEY"
	text := cfg.EncryptionKey.Reveal()
	if text == "" {
		from = path
		read, err := os.ReadFile(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			if text, err = s.makeKey(ctx, path); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("cannot read the encryption key %s: %w", path, plain(err))
		default:
			text = strings.TrimSpace(string(read))
		}
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != metadb.KeySize {
		return fmt.Errorf("the encryption key %s is damaged: it should be 64 hex digits; %s", from, restoreKey)
	}
	err = s.db.UseKey(ctx, [metadb.KeySize]byte(key))
	if errors.Is(err, metadb.ErrWrongKey) {
		return fmt.Errorf("the encryption key %s is not the one that CI/CD variables and webhooks in the database were encrypted with; %s", from, restoreKey)
	}
	return err
}

const restoreKey = "put the right key back from a backup, or set GRANARY_ENCRYPTION_KEY to it; " +
	"docs/operations.md says what to do if it is lost for good"

func (s *server) makeKey(ctx context.Context, path string) (string, error) {
	needed, err := s.db.HasSecrets(ctx)
	if err != nil {
		return "", err
	}
	if needed {
		return "", fmt.Errorf("the encryption key %s is missing, and without it nobody can read the CI/CD variables and webhooks in the database; %s", path, restoreKey)
	}
	key := make([]byte, metadb.KeySize)
	_, _ = rand.Read(key) // never fails
	text := hex.EncodeToString(key)
	// Whole or not at all: half a key would keep every later start from working.
	err = writeSecret(path+".new", text)
	if err == nil {
		err = errors.Join(os.Rename(path+".new", path), syncDir(filepath.Dir(path)))
	}
	if err != nil {
		return "", fmt.Errorf("cannot write the encryption key: %w", err)
	}
	return text, nil
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
