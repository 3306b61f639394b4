package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// maxFileBytes bounds a settings file; a real one has a few hundred bytes.
const maxFileBytes = 1 << 20

// readSettingsFile reads the file that --config or GRANARY_CONFIG names, if any.
func readSettingsFile(flags *pflag.FlagSet, env map[string]string, readFile FileReader) (map[string]given, []Fault) {
	name, ok := env[configEnv]
	from := configEnv
	if f := flags.Lookup(configFlag); f != nil && f.Changed {
		name, ok, from = f.Value.String(), true, "--"+configFlag
	}
	if !ok {
		return nil, nil
	}
	text, err := readFile(name, maxFileBytes+1)
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("larger than %s", formatSize(maxFileBytes))
	}
	if err != nil {
		return nil, []Fault{{configFlag, strconv.Quote(name), from, fmt.Sprintf("cannot read it: %v", withoutPath(err))}}
	}
	return parseFile(name, text)
}

// parseFile reads one YAML mapping of settings to scalars. It walks the nodes
// rather than decoding into a struct, because nodes know their lines.
func parseFile(name string, text []byte) (map[string]given, []Fault) {
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err == nil && !errors.Is(dec.Decode(&second), io.EOF) {
		err = errors.New("want one document")
	}
	if err != nil {
		return nil, []Fault{{Setting: configFlag, From: name, Want: oneLine(err)}}
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, []Fault{{Setting: configFlag, From: at(name, root), Want: "want lines of the form `setting: value`"}}
	}
	return parseMapping(name, root)
}

func parseMapping(name string, root *yaml.Node) (map[string]given, []Fault) {
	var known []string
	for _, s := range settings() {
		known = append(known, s.key())
	}
	values := map[string]given{}
	var faults []Fault
	for pair := range slices.Chunk(root.Content, 2) {
		key, node := pair[0], pair[1]
		fault := func(want string) {
			faults = append(faults, Fault{Setting: printable(key.Value), From: at(name, key), Want: want})
		}
		value, ok := scalar(node)
		first, twice := values[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			fault(unknown(key.Value, known))
		case twice:
			fault("it is set twice, first at " + first.from)
		case !ok:
			fault("want one value on the line")
		default:
			values[key.Value] = given{value, at(name, node)}
		}
	}
	return values, faults
}

// scalar is a node's text. A list of scalars is joined by commas, for settings
// that hold several values. An empty node (`naming:`) is not a value.
func scalar(n *yaml.Node) (string, bool) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		return n.Value, true
	case n.Kind == yaml.SequenceNode:
		var words []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return "", false
			}
			words = append(words, item.Value)
		}
		return strings.Join(words, ","), true
	}
	return "", false
}

func at(name string, n *yaml.Node) string { return fmt.Sprintf("%s:%d", name, n.Line) }

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// printable keeps a word from a file from breaking the line it is shown on.
func printable(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == "" {
		return word
	}
	if len(word) > 50 {
		word = word[:50] + "..."
	}
	return strconv.Quote(word)
}

// yamlScalar writes text so that YAML reads the same text back.
func yamlScalar(s string) string {
	if regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:./_-]*$`).MatchString(s) && !strings.HasSuffix(s, ":") {
		return s
	}
	return strconv.Quote(s)
}
