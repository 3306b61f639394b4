package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// loadReal is load with the real file system.
func loadReal(t *testing.T, args []string, environ ...string) (Config, []string) {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	c, faults := Load(flags, environ, ReadFile)
	var lines []string
	for _, f := range faults {
		lines = append(lines, f.String())
	}
	return c, lines
}

func fileWith(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each secret, and the database, can be in a file; newlines at its end are no part of it.
func TestSecretsFromFiles(t *testing.T) {
	const key, token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "abcdefghijklmnopqrstuvwxyz"
	const dsn = "postgres://u:s3cret@h:5432/db"
	keyFile := fileWith(t, key+"\r\n\n")
	c, faults := loadReal(t, nil,
		"GRANARY_ENCRYPTION_KEY_FILE="+keyFile, "GRANARY_ROOT_TOKEN_FILE="+fileWith(t, token),
		"GRANARY_S3_ACCESS_KEY_ID_FILE="+fileWith(t, "id\n"), "GRANARY_S3_SECRET_ACCESS_KEY_FILE="+fileWith(t, "hush\n"),
		"GRANARY_DATABASE_FILE="+fileWith(t, dsn+"\n"))
	if faults != nil {
		t.Fatal(faults)
	}
	got := []string{c.EncryptionKey.Reveal(), c.RootToken.Reveal(), c.S3AccessKeyID.Reveal(), c.S3SecretAccessKey.Reveal(), c.Database.URL.Reveal()}
	if diff := cmp.Diff([]string{key, token, "id", "hush", dsn}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if from := c.Source("encryption-key"); from != "GRANARY_ENCRYPTION_KEY_FILE="+keyFile {
		t.Errorf("the key came from %q", from)
	}
	var printed strings.Builder
	if err := c.Print(&printed); err != nil {
		t.Fatal(err)
	}
	for _, secret := range got[:4] {
		if secret != "id" && strings.Contains(printed.String(), secret) {
			t.Errorf("printed:\n%s", printed.String())
		}
	}
	for _, line := range []string{"# encryption_key is set and hidden  # GRANARY_ENCRYPTION_KEY_FILE=" + keyFile + "\n", "# database is set: postgres://u:(hidden)@h:5432/db  # GRANARY_DATABASE_FILE=/"} {
		if !strings.Contains(printed.String(), line) {
			t.Errorf("no %q in\n%s", line, printed.String())
		}
	}
	// A flag comes before the environment.
	if c, faults := loadReal(t, []string{"--database=sqlite:/x"}, "GRANARY_DATABASE_FILE="+fileWith(t, dsn)); faults != nil || c.Database.String() != "sqlite:/x" {
		t.Errorf("%v %v", c.Database, faults)
	}
}

// Each fault is one line, with the path, and without what is in the file. No other line
// follows from it: with PostgreSQL a missing key is a fault of its own.
func TestSecretFileFaults(t *testing.T) {
	dir, empty, full, large := t.TempDir(), fileWith(t, "\n\n"), fileWith(t, "not hex"), fileWith(t, strings.Repeat("a", maxSecretBytes+1))
	const v = "GRANARY_ENCRYPTION_KEY_FILE="
	tests := []struct {
		environ []string
		want    string
	}{
		{[]string{v + dir + "/none"}, "encryption-key (GRANARY_ENCRYPTION_KEY_FILE): cannot read \"" + dir + "/none\": no such file or directory"},
		{[]string{v + dir}, "encryption-key (GRANARY_ENCRYPTION_KEY_FILE): cannot read \"" + dir + "\": is a directory"},
		{[]string{v + empty}, "encryption-key (GRANARY_ENCRYPTION_KEY_FILE): the file \"" + empty + "\" is empty"},
		{[]string{v + large}, "encryption-key (GRANARY_ENCRYPTION_KEY_FILE): the file \"" + large + "\" is larger than 64KiB"},
		{[]string{v + "/dev/zero"}, "encryption-key (GRANARY_ENCRYPTION_KEY_FILE): the file \"/dev/zero\" is larger than 64KiB"},
		{[]string{v}, "encryption-key (GRANARY_ENCRYPTION_KEY_FILE): want the path of a file"},
		{[]string{v + full}, "encryption-key is hidden (GRANARY_ENCRYPTION_KEY_FILE=" + full + "): want 64 hex digits"},
		{[]string{v + full, "GRANARY_ENCRYPTION_KEY="}, "encryption-key (GRANARY_ENCRYPTION_KEY_FILE): want it or GRANARY_ENCRYPTION_KEY, and both are set"},
		{[]string{"GRANARY_DATABASE_FILE=" + full}, "database is hidden (GRANARY_DATABASE_FILE=" + full + "): want sqlite:PATH"},
		{[]string{"GRANARY_S3_ACCESS_KEY_ID_FILE=/none"}, `s3-access-key-id (GRANARY_S3_ACCESS_KEY_ID_FILE): cannot read "/none": no such file or directory`},
		{[]string{"GRANARY_NAMING_FILE=" + full}, "GRANARY_NAMING_FILE (environment): there is no such setting"},
		{[]string{"GRANARY_ENCRYPTIONKEY_FILE=" + full}, "GRANARY_ENCRYPTIONKEY_FILE (environment): there is no such setting; did you mean GRANARY_ENCRYPTION_KEY_FILE?"},
	}
	for _, test := range tests {
		for _, database := range []string{"", "postgres://u@h/db"} {
			environ := test.environ
			if database != "" {
				if !strings.Contains(test.want, "encryption-key (") {
					continue
				}
				environ = append(environ, "GRANARY_DATABASE="+database)
			}
			_, faults := loadReal(t, nil, environ...)
			if len(faults) != 1 || !strings.HasPrefix(faults[0], test.want) {
				t.Errorf("%v:\n got %q\nwant %s", environ, faults, test.want)
			}
		}
	}
}
