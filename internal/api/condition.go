package api

import (
	"net/http"
	"strings"

	"granary/internal/fault"
	"granary/internal/registry"
)

// condition reads If-Match and If-None-Match, by which a publisher says which file it
// wants to replace. It returns nil if neither was sent.
func condition(h http.Header) (*registry.Condition, error) {
	match, noneMatch := h["If-Match"], h["If-None-Match"]
	if match == nil && noneMatch == nil {
		return nil, nil
	}
	var c registry.Condition
	var err error
	if c.Match, err = entityTags("If-Match", match, false); err != nil {
		return nil, err
	}
	c.NoneMatch, err = entityTags("If-None-Match", noneMatch, true)
	return &c, err
}

// entityTags reads "*" or a list of entity tags (RFC 9110 8.8.3). It returns nil if no
// line was sent. Our tags are strong, so a weak tag matches one only if the comparison
// is weak.
func entityTags(name string, lines []string, weak bool) (*registry.Tags, error) {
	if lines == nil {
		return nil, nil
	}
	rest := strings.Trim(strings.Join(lines, ","), " \t")
	if rest == "*" {
		return &registry.Tags{Any: true}, nil
	}
	tags, n := &registry.Tags{}, 0
	for rest = strings.TrimLeft(rest, ", \t"); rest != ""; n++ {
		tag, after, ok := cutTag(rest)
		if !ok {
			return nil, badTags(name)
		}
		opaque, isWeak := strings.CutPrefix(tag, "W/")
		if d, err := registry.ParseDigest(strings.Trim(opaque, `"`)); err == nil && `"`+d.String()+`"` == opaque && (weak || !isWeak) {
			tags.Digests = append(tags.Digests, d)
		}
		rest = strings.TrimLeft(after, ", \t")
	}
	if n == 0 {
		return nil, badTags(name)
	}
	return tags, nil
}

// cutTag cuts the first entity tag off a list.
func cutTag(list string) (tag, rest string, ok bool) {
	start := 0
	if strings.HasPrefix(list, "W/") {
		start = 2
	}
	if start == len(list) || list[start] != '"' {
		return "", "", false
	}
	end := start + 1
	for end < len(list) && list[end] > ' ' && list[end] != '"' && list[end] != 0x7f {
		end++
	}
	if end == len(list) || list[end] != '"' {
		return "", "", false
	}
	tag, rest = list[:end+1], strings.TrimLeft(list[end+1:], " \t")
	return tag, rest, rest == "" || rest[0] == ','
}

func badTags(name string) error {
	return fault.New(fault.Refused, name+` is invalid: want * or entity tags, each in quotes, such as "<SHA-256 of the file>"`)
}
