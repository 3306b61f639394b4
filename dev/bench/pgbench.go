package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"granary/dev/servers"
)

// script repeats the recording for pgbench, each time for a new version with new
// bytes. It returns the values of its variables too. now is a number that no other
// transaction has, and for one client it grows as a clock does. Ids that one
// statement took from another's answer stay as recorded.
func (r recording) script() (text string, variables []string) {
	text = "\\set n :n + 1\n\\set now :start + :n * 1000 + :client_id\n"
	parameter := regexp.MustCompile(`\$[0-9]+`)
	for i, s := range r.statements {
		var stands []string // for $1, $2...
		for n, v := range s.values {
			name := fmt.Sprintf("v%d_%d", i, n)
			stand := r.stand(v)
			if stand == "" {
				stand = ":" + name
				variables = append(variables, "--define="+name+"="+*v)
			}
			stands = append(stands, stand)
		}
		text += parameter.ReplaceAllStringFunc(s.text, func(p string) string {
			n, _ := strconv.Atoi(p[1:])
			return stands[n-1]
		}) + ";\n"
	}
	return text, variables
}

// stand is the replacement of a value that is never the same twice, or that cannot be
// a variable of pgbench; "" for the others.
func (r recording) stand(value *string) string {
	if value == nil {
		return "NULL"
	}
	digest := sha256.Sum256(r.content)
	us, err := strconv.ParseInt(*value, 10, 64)
	moment := err == nil && us >= r.at.UnixMicro() && us < r.at.Add(time.Minute).UnixMicro()
	switch {
	case moment || *value == r.version:
		return ":now"
	case *value == `\x`+hex.EncodeToString(digest[:]):
		return "sha256(int8send(:now))"
	case *value == "":
		return "''"
	}
	return ""
}

// pgbench publishes small files in the nodes' database without the nodes: it
// sends what they send to record one, prepared as they prepare, on a connection
// for each client. It leaves out what a node reads before, to check the credential
// and permission.
func (t *team) pgbench(ctx context.Context, d *driver, o options) (*server, error) {
	bin, err := servers.PostgresPrograms()
	if err != nil {
		return nil, err
	}
	r, err := t.record(ctx, d.bodies, o)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(d.dir, "publish.pgbench")
	text, variables := r.script()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return &server{name: "pgbench", parts: t.parts, work: func(ctx context.Context, sc scenario) sample {
		args := append(slices.Clip(variables), "--no-vacuum", "--protocol=prepared", "--file="+file,
			"--client="+strconv.Itoa(sc.clients), "--jobs="+strconv.Itoa(min(2, sc.clients)),
			"--time="+strconv.Itoa(int(math.Ceil(o.slice.Seconds()))),
			"--define=n=0", fmt.Sprintf("--define=start=%d", time.Now().UnixMicro()), t.DSN)
		out, err := exec.CommandContext(ctx, filepath.Join(bin, "pgbench"), args...).CombinedOutput()
		s, readErr := readPgbench(string(out))
		if err == nil {
			err = readErr
		}
		if err != nil {
			s.errors, s.first = 1, fmt.Errorf("pgbench: %w\n%s", err, out)
		}
		return s
	}}, nil
}

// readPgbench finds in pgbench's output how often it ran its transaction. pgbench does
// not print its time for connecting if that took all its time.
func readPgbench(out string) (s sample, err error) {
	done := regexp.MustCompile(`(?m)^number of transactions actually processed: (\d+)`).FindStringSubmatch(out)
	if done == nil {
		return s, errors.New("it did not say what it did")
	}
	if s.ops, err = strconv.Atoi(done[1]); err != nil {
		return s, err
	}
	s.bytes = int64(s.ops) * smallSize
	connecting := regexp.MustCompile(`(?m)^initial connection time = ([0-9.]+) ms$`).FindStringSubmatch(out)
	if connecting == nil {
		return s, nil
	}
	ms, err := strconv.ParseFloat(connecting[1], 64)
	s.apart = ms / 1000
	return s, err
}
