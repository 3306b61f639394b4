package config

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

const (
	envPrefix  = "GRANARY_"
	configFlag = "config"
	configEnv  = "GRANARY_CONFIG"
)

// Fault is one thing wrong with the settings.
type Fault struct {
	Setting string // the flag's name, or an unknown word as it was written
	Value   string // as given, quoted or hidden; "" where there is none to show
	From    string // --flag, VARIABLE or file:line
	Want    string // what would be right
}

// String is the fault on one line.
func (f Fault) String() string {
	if f.Value == "" {
		return fmt.Sprintf("%s (%s): %s", f.Setting, f.From, f.Want)
	}
	return fmt.Sprintf("%s is %s (%s): %s", f.Setting, f.Value, f.From, f.Want)
}

// given is a value that a flag, a variable or the file gives to a setting.
type given struct {
	value string
	from  string
}

// Load settles every setting: flag, then environment ("KEY=value" lines, as
// os.Environ has them), then file, then default. flags must have come from
// AddFlags and be parsed; readFile is ReadFile or its like. An empty value is a value: it
// is checked like any other. GRANARY_..._FILE, of a secret or of the database, names a file
// with the value of that variable.
//
// All faults are returned at once, in the order of the table; with any, the Config must
// not be used. Load reads only the settings file and those files, and writes nothing.
func Load(flags *pflag.FlagSet, environ []string, readFile FileReader) (Config, []Fault) {
	fromEnv, faults := readEnviron(environ)
	secretFiles, unread := fromSecretFiles(fromEnv, readFile)
	faults = append(faults, unread...)
	fromFile, more := readSettingsFile(flags, fromEnv, readFile)
	faults = append(faults, more...)

	c := Config{from: map[string]string{}}
	for _, s := range settings() {
		g := given{s.defaultValue(&c), "default"}
		if v, ok := fromFile[s.key()]; ok {
			g = v
		}
		if v, ok := fromEnv[s.env()]; ok {
			g = given{v, cmp.Or(secretFiles[s.env()], s.env())}
		}
		if f := flagOf(flags, s); f != nil && f.Changed {
			g = given{f.Value.String(), "--" + s.name}
		}
		c.from[s.name] = g.from
		if g.from == "default" && g.value == "" {
			continue // the zero value is the default
		}
		if err := s.set(&c, g.value); err != nil {
			value := shown(s, g.value)
			if g.from == secretFiles[s.env()] {
				value = "hidden" // whatever is in the file
			}
			faults = append(faults, Fault{s.name, value, g.from, err.Error()})
		}
	}
	if len(unread) > 0 { // whether a value that could not be read goes with others cannot be said
		return c, faults
	}
	return c, append(faults, together(c)...)
}

// together checks what only shows when two settings meet.
func together(c Config) (faults []Fault) {
	_, port, _ := net.SplitHostPort(c.Listen)
	if c.PprofListen != "" && port != "0" && c.PprofListen == c.Listen {
		faults = append(faults, Fault{"pprof-listen", strconv.Quote(c.PprofListen), c.from["pprof-listen"],
			"want another address than that of listen"})
	}
	_, port, _ = net.SplitHostPort(c.MetricsListen)
	if c.MetricsListen != "" && port != "0" && (c.MetricsListen == c.Listen || c.MetricsListen == c.PprofListen) {
		faults = append(faults, Fault{"metrics-listen", strconv.Quote(c.MetricsListen), c.from["metrics-listen"],
			"want another address than those of listen and pprof-listen; metrics=on serves them on listen"})
	}
	faults = append(faults, tlsTogether(c)...)
	if c.BlobsRedirect != "off" && c.Blobs.Scheme == "file" {
		faults = append(faults, Fault{"blobs-redirect", strconv.Quote(c.BlobsRedirect), c.from["blobs-redirect"],
			"want off, or an S3 store in blobs: a directory has no links"})
	}
	if at, ok := c.RepairPlace(); ok && at.Blobs == c.Blobs {
		faults = append(faults, Fault{"repair-from", strconv.Quote(c.RepairFrom), c.from["repair-from"],
			"want another place than that of blobs"})
	}
	if (c.S3AccessKeyID == "") != (c.S3SecretAccessKey == "") {
		faults = append(faults, Fault{Setting: "s3-secret-access-key", From: c.from["s3-secret-access-key"],
			Want: "want it and s3-access-key-id, or neither"})
	}
	if c.Database.Scheme == "postgres" && c.EncryptionKey == "" {
		faults = append(faults, Fault{"encryption-key", "", c.from["encryption-key"],
			"want a key, because the database is PostgreSQL, the same for every node: set GRANARY_ENCRYPTION_KEY, or a file that GRANARY_ENCRYPTION_KEY_FILE names, to the key of this server, or for a new one to what `openssl rand -hex 32` prints, and keep it"})
	}
	if c.Database.hidden() && c.from["database"] == "--database" {
		faults = append(faults, Fault{"database", "hidden", c.from["database"],
			"want a password in GRANARY_DATABASE, the file that GRANARY_DATABASE_FILE names, the settings file or PGPASSWORD: other users can see command lines"})
	}
	return faults
}

// readEnviron picks granary's variables and refuses those that no setting has:
// a misspelt one would otherwise be ignored in silence.
func readEnviron(environ []string) (map[string]string, []Fault) {
	known := []string{configEnv,
		// Words of the client, which are no settings of the server.
		"GRANARY_TOKEN", "GRANARY_SERVER", "GRANARY_CA_CERT", "GRANARY_PROFILE"}
	for _, s := range settings() {
		known = append(known, s.env())
		if s.hasFile() {
			known = append(known, s.fileEnv())
		}
	}
	values := map[string]string{}
	var faults []Fault
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		if !slices.Contains(known, name) {
			faults = append(faults, Fault{Setting: name, From: "environment", Want: unknown(name, known)})
			continue
		}
		values[name] = value
	}
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.Setting, b.Setting) })
	return values, faults
}

// unknown says that word is not known, and which known one may be meant.
func unknown(word string, known []string) string {
	fold := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)) }
	for _, k := range known {
		if fold(k) == fold(word) {
			return fmt.Sprintf("there is no such setting; did you mean %s?", k)
		}
	}
	return "there is no such setting; `granary serve --help` lists them"
}

// shown is how a fault shows a value: quoted on one line, not too long, never
// a secret nor what may hold one (a URL's user, password and parameters).
func shown(s setting, value string) string {
	const most = 200
	if s.secret {
		return "hidden"
	}
	if scheme, rest, ok := strings.Cut(value, "://"); ok && strings.ContainsAny(rest, "@?") {
		value = scheme + "://(hidden)"
	}
	if len(value) > most {
		value = value[:most] + "..."
	}
	return strconv.Quote(value)
}
