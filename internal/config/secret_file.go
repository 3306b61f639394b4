package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode"
)

// fileSuffix makes the variable of a setting one that names a file with the value.
const fileSuffix = "_FILE"

// maxSecretBytes bounds a file that holds the value of one setting.
const maxSecretBytes = 64 << 10

// hasFile reports whether a file may hold the setting's value: it is a secret, or may
// have one in it.
func (s setting) hasFile() bool { return s.secret || s.name == "database" }

// fileEnv is the variable that names the file: "GRANARY_ENCRYPTION_KEY_FILE".
func (s setting) fileEnv() string { return s.env() + fileSuffix }

// fromSecretFiles adds to env the values whose files the environment names, and returns
// for each such setting, by its variable, where the value is from.
func fromSecretFiles(env map[string]string, readFile FileReader) (map[string]string, []Fault) {
	from := map[string]string{}
	var faults []Fault
	for _, s := range settings() {
		path, named := env[s.fileEnv()]
		if !s.hasFile() || !named {
			continue
		}
		if _, both := env[s.env()]; both {
			faults = append(faults, Fault{Setting: s.name, From: s.fileEnv(), Want: "want it or " + s.env() + ", and both are set"})
			delete(env, s.env()) // one fault is enough
			continue
		}
		value, err := readSecret(path, readFile)
		if err != nil {
			faults = append(faults, Fault{Setting: s.name, From: s.fileEnv(), Want: err.Error()})
			continue
		}
		env[s.env()] = value
		from[s.env()] = s.fileEnv() + "=" + onOneLine(path)
	}
	return from, faults
}

// readSecret is the text of a file without the newlines at its end.
func readSecret(path string, readFile FileReader) (string, error) {
	if path == "" {
		return "", errors.New("want the path of a file")
	}
	text, err := readFile(path, maxSecretBytes+1)
	if err != nil {
		return "", fmt.Errorf("cannot read %q: %w", path, withoutPath(err))
	}
	if len(text) > maxSecretBytes {
		return "", fmt.Errorf("the file %q is larger than %s", path, formatSize(maxSecretBytes))
	}
	value := strings.TrimRight(string(text), "\r\n")
	if value == "" {
		return "", fmt.Errorf("the file %q is empty", path)
	}
	return value, nil
}

// onOneLine is a path as it is, or quoted if it would break the line it is shown on.
func onOneLine(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(path)
	}
	return path
}

// FileReader returns the beginning of a file, at most so many bytes.
type FileReader func(path string, most int64) ([]byte, error)

// ReadFile is the FileReader of real files. It reads pipes as well.
func ReadFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(f, most))
}

// withoutPath is an error without the operation and the path that os puts before it.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
