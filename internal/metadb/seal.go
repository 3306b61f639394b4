package metadb

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"database/sql"
	"errors"

	"granary/internal/fault"
	"granary/internal/sqldb"
)

// KeySize is the length of the key that secrets are sealed with, in bytes.
const KeySize = 32

// ErrWrongKey is returned by UseKey if the secrets in the database were sealed with
// another key.
var ErrWrongKey = errors.New("the secrets in the database were sealed with another key")

// sealer encrypts secrets: AES-256-GCM with a random nonce before each. The binding
// says to which record a secret belongs. It is the associated data, so that a secret
// copied to another record cannot be opened there.
type sealer struct{ aead cipher.AEAD }

// proofText is the binding of the proof of the key.
const proofText = "proof of the key"

// errNoKey is a fault of this program: the server must set a key before it serves.
var errNoKey = errors.New("the database has no key for secrets")

func newSealer(key [KeySize]byte) (sealer, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

func (s sealer) seal(plain, binding string) ([]byte, error) {
	if s.aead == nil {
		return nil, fault.Wrap(fault.Internal, "", errNoKey)
	}
	return s.aead.Seal(nil, nil, []byte(plain), []byte(binding)), nil
}

func (s sealer) open(sealed []byte, binding string) (string, error) {
	if s.aead == nil {
		return "", fault.Wrap(fault.Internal, "", errNoKey)
	}
	plain, err := s.aead.Open(nil, nil, sealed, []byte(binding))
	if err != nil {
		return "", fault.Wrap(fault.Internal, "", errors.New("a sealed value cannot be opened: it was changed outside of granary"))
	}
	return string(plain), nil
}

// UseKey gives the database the key for what it must keep secret; it is called
// once, before anything else is done. ErrWrongKey where something is sealed
// with another key. Where nothing is, any key will do; but of nodes that share a
// database none may have another key than the first had.
func (db *DB) UseKey(ctx context.Context, key [KeySize]byte) error {
	s, err := newSealer(key)
	if err != nil {
		return err
	}
	_, err = writeInTurn(ctx, db, func(t tx) (struct{}, error) { return struct{}{}, t.proveKey(ctx, s, db.Shared()) })
	if err == nil {
		db.seals = s
	}
	return err
}

func (t tx) proveKey(ctx context.Context, s sealer, shared bool) error {
	var proof []byte
	err := t.Row(ctx, `SELECT proof FROM sealing WHERE id = 1`).Scan(&proof)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return sqldb.Classify(err)
	}
	if _, err := s.open(proof, proofText); err == nil {
		return nil
	}
	sealed, err := hasSecrets(ctx, t)
	if err != nil {
		return err
	}
	if sealed || shared && proof != nil {
		return ErrWrongKey
	}
	if proof, err = s.seal("", proofText); err != nil {
		return err
	}
	return t.Exec(`INSERT INTO sealing (id, proof) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET proof = excluded.proof`, proof)
}

// FitsKey reports whether UseKey would take a key: secrets were sealed with it, or none was.
func (db *DB) FitsKey(ctx context.Context, key [KeySize]byte) (bool, error) {
	proof, opens, err := proven(ctx, db, key)
	return !proof || opens, err
}

// proven reports whether there is a proof of a key, and whether it is this one's.
func proven(ctx context.Context, q sqldb.Queries, key [KeySize]byte) (there, opens bool, err error) {
	var proof []byte
	err = q.Row(ctx, `SELECT proof FROM sealing WHERE id = 1`).Scan(&proof)
	if errors.Is(err, sql.ErrNoRows) {
		return false, false, nil
	}
	if err != nil {
		return false, false, sqldb.Classify(err)
	}
	s, err := newSealer(key)
	if err != nil {
		return true, false, err
	}
	_, err = s.open(proof, proofText)
	return true, err == nil, nil // an error says that it is another key
}

// HasSecrets reports whether anything is sealed, and would be lost with the key.
func (db *DB) HasSecrets(ctx context.Context) (bool, error) { return hasSecrets(ctx, db) }

func hasSecrets(ctx context.Context, q sqldb.Queries) (bool, error) {
	var found bool
	err := q.Row(ctx, `SELECT EXISTS (SELECT 1 FROM variables) OR EXISTS (SELECT 1 FROM hooks)`).Scan(&found)
	return found, sqldb.Classify(err)
}
