package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"aead.dev/minisign"
)

const sumsName = "SHA256SUMS"

// writeSums writes the digests of all files, as sha256sum does, and signs them if there is a
// key.
func (r *release) writeSums() error {
	made, err := os.ReadDir(r.out) // sorted by name
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, e := range made {
		digest, err := digestOf(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", digest, e.Name())
	}
	if err := os.WriteFile(filepath.Join(r.out, sumsName), []byte(sums.String()), 0o644); err != nil {
		return err
	}
	if r.keyFile == "" {
		r.say("%s is not signed: MINISIGN_KEY_FILE is not set", sumsName)
		return nil
	}
	key, err := readKey(r.keyFile)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, sumsName+".minisig"), r.sign(key, []byte(sums.String())), 0o644)
}

// sign makes the prehashed kind of signature, as minisign itself does. Its comment is part of
// what is signed, and has the commit's time: a signature, too, is the same twice.
func (r *release) sign(key minisign.PrivateKey, text []byte) []byte {
	reader := minisign.NewReader(bytes.NewReader(text))
	_, _ = io.Copy(io.Discard, reader) // reading bytes in memory does not fail
	comment := fmt.Sprintf("timestamp:%d\tfile:%s\tgranary %s", r.date.Unix(), sumsName, r.version)
	return reader.SignWithComments(key, comment, "signature of granary "+r.version)
}

// readKey reads a secret key that `minisign -G -W` made. A key with a password would need
// somebody who types it.
func readKey(file string) (key minisign.PrivateKey, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return key, fmt.Errorf("MINISIGN_KEY_FILE: %w", err)
	}
	if minisign.IsEncrypted(text) {
		return key, fmt.Errorf("MINISIGN_KEY_FILE %s is encrypted: want a key without a password, as minisign -G -W makes", file)
	}
	if err := key.UnmarshalText(text); err != nil {
		return key, fmt.Errorf("MINISIGN_KEY_FILE %s: %w", file, err)
	}
	return key, nil
}
