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
	text, from, err := keyText(cfg)
	if errors.Is(err, os.ErrNotExist) {
		text, err = s.makeKey(ctx, from)
	}
	if err != nil {
		return err
	}
	key, err := parseKey(text, from)
	if err != nil {
		return err
	}
	err = s.db.UseKey(ctx, key)
	if errors.Is(err, metadb.ErrWrongKey) {
		return fmt.Errorf("the encryption key %s is not the one that CI/CD variables and webhooks in the database were encrypted with; %s", from, restoreKey)
	}
	return err
}

// lookAtKey refuses a start that useKey would refuse, and makes nothing.
func (s *server) lookAtKey(ctx context.Context, cfg config.Config) error {
	_, from, err := keyText(cfg)
	if errors.Is(err, os.ErrNotExist) {
		return s.refuseMissingKey(ctx, from)
	}
	if err != nil {
		return err
	}
	return s.useKey(ctx, cfg)
}

// refuseMissingKey fails if there are secrets that a new key could not open.
func (s *server) refuseMissingKey(ctx context.Context, path string) error {
	needed, err := s.db.HasSecrets(ctx)
	if err == nil && needed {
		err = fmt.Errorf("the encryption key %s is missing, and without it nobody can read the CI/CD variables and webhooks in the database; %s", path, restoreKey)
	}
	return err
}

// keyText is the key as the setting or the file has it, and where it is from. It is
// os.ErrNotExist if neither is there.
func keyText(cfg config.Config) (text, from string, err error) {
	if text = cfg.EncryptionKey.Reveal(); text != "" {
		return text, "GRANARY_ENCRYPTION_KEY", nil
	}
	path := filepath.Join(cfg.DataDir, keyFile)
	read, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("cannot read the encryption key %s: %w", path, plain(err))
	}
	return strings.TrimSpace(string(read)), path, err
}

func parseKey(text, from string) (key [metadb.KeySize]byte, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != metadb.KeySize {
		return key, fmt.Errorf("the encryption key %s is damaged: it should be 64 hex digits; %s", from, restoreKey)
	}
	return [metadb.KeySize]byte(b), nil
}

// keyThere is the key; nil if there is none.
func keyThere(cfg config.Config) (*[metadb.KeySize]byte, error) {
	text, from, err := keyText(cfg)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	key, err := parseKey(text, from)
	return &key, err
}

const restoreKey = "put the right key back from a backup, or set GRANARY_ENCRYPTION_KEY to it; " +
	"docs/operations.md says what to do if it is lost for good"

func (s *server) makeKey(ctx context.Context, path string) (string, error) {
	if err := s.refuseMissingKey(ctx, path); err != nil {
		return "", err
	}
	key := make([]byte, metadb.KeySize)
	_, _ = rand.Read(key) // never fails
	text := hex.EncodeToString(key)
	// Whole or not at all: half a key would keep every later start from working.
	err := writeSecret(path+".new", text)
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
