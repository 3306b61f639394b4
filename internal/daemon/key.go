package daemon

import (
	"cmp"
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

// useKey gives the database the key for secrets: the setting's, else the file's, else a new
// one.
func (s *server) useKey(ctx context.Context, cfg config.Config) error {
	there, err := s.useKeyThere(ctx, cfg)
	if err != nil || there {
		return err
	}
	return s.useNewKey(ctx, cfg)
}

// useKeyThere gives the database the setting's key, else the file's. If neither is there it
// returns false, or fails if there are secrets that a new key could not open.
func (s *server) useKeyThere(ctx context.Context, cfg config.Config) (there bool, err error) {
	text, from, err := keyText(cfg)
	if errors.Is(err, os.ErrNotExist) {
		return false, s.refuseMissingKey(ctx, from)
	}
	if err != nil {
		return false, err
	}
	key, err := parseKey(text, from)
	if err != nil {
		return false, err
	}
	err = s.db.UseKey(ctx, key)
	if errors.Is(err, metadb.ErrWrongKey) {
		return false, fmt.Errorf("the encryption key %s is not the one that CI/CD variables and webhooks in the database were encrypted with; %s", keyName(cfg, from), restoreKey)
	}
	return true, err
}

// keyName names a key, and the file that is not read because of it.
func keyName(cfg config.Config, from string) string {
	file := filepath.Join(cfg.DataDir, keyFile)
	if _, err := os.Stat(file); err != nil || from == file {
		return from
	}
	return fmt.Sprintf("%s (the file %s is there, too, and is not read while that is set)", from, file)
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
		return text, cmp.Or(cfg.Source("encryption-key"), "GRANARY_ENCRYPTION_KEY"), nil
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

// keyThere is the key, and where it is from, or would be; nil if there is none.
func keyThere(cfg config.Config) (key *[metadb.KeySize]byte, from string, err error) {
	text, from, err := keyText(cfg)
	if errors.Is(err, os.ErrNotExist) {
		return nil, from, nil
	}
	if err != nil {
		return nil, from, err
	}
	parsed, err := parseKey(text, from)
	return &parsed, from, err
}

// keyAdvice says what is wrong with the key for a database that was restored; "" if it is there
// and right.
func (s *server) keyAdvice(ctx context.Context, cfg config.Config) string {
	key, from, err := keyThere(cfg)
	if err != nil {
		return err.Error()
	}
	if key == nil {
		return fmt.Sprintf("put the encryption key back, as %s in %s, or in GRANARY_ENCRYPTION_KEY or the file that GRANARY_ENCRYPTION_KEY_FILE names", keyFile, cfg.DataDir)
	}
	fits, err := s.db.FitsKey(ctx, *key)
	if err != nil {
		return fmt.Sprintf("see whether the encryption key %s is the right one, for the database did not tell: %v", keyName(cfg, from), err)
	}
	if !fits {
		return fmt.Sprintf("put the right encryption key back: %s is not the one that the CI/CD variables and webhooks of the backup were encrypted with", keyName(cfg, from))
	}
	return ""
}

const restoreKey = "put the right key back from a backup, or set GRANARY_ENCRYPTION_KEY (or GRANARY_ENCRYPTION_KEY_FILE, to a file with it) to it; " +
	"docs/operations.md says what to do if it is lost for good"

// useNewKey gives the database a new key, which is on disk before anything is sealed with it.
// No secrets are there: useKeyThere has looked.
func (s *server) useNewKey(ctx context.Context, cfg config.Config) error {
	var key [metadb.KeySize]byte
	_, _ = rand.Read(key[:]) // never fails
	path := filepath.Join(cfg.DataDir, keyFile)
	// Whole or not at all: half a key would keep every later start from working.
	err := writeSecret(path+".new", hex.EncodeToString(key[:]))
	if err == nil {
		err = errors.Join(os.Rename(path+".new", path), syncDir(filepath.Dir(path)))
	}
	if err != nil {
		return fmt.Errorf("cannot write the encryption key: %w", err)
	}
	return s.db.UseKey(ctx, key)
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
