package api

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"granary/internal/fault"
	"granary/internal/projects"
	"granary/internal/wire"
)

// seek reports that a parameter is read, if anybody listens.
func (p params) seek(name string) {
	if p.asked != nil {
		p.asked(name)
	}
}

// fail notes what is wrong with a parameter, in GitLab's words.
func (p params) fail(text string) {
	if !slices.Contains(*p.faults, text) {
		*p.faults = append(*p.faults, text)
	}
}

// err is an Invalid fault of everything noted so far, nil for nothing.
func (p params) err() error {
	if len(*p.faults) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, strings.Join(*p.faults, ", "))
}

// has reports whether the parameter was sent. null and an empty list count.
func (p params) has(name string) bool {
	p.seek(name)
	_, sent := p.values[name]
	return sent || p.null[name]
}

// sends reports whether the parameter has a value that is not empty. Some clients send
// every parameter that they know.
func (p params) sends(name string) bool {
	p.seek(name)
	return slices.ContainsFunc(p.values[name], func(v string) bool { return v != "" })
}

// str is a parameter, "" if it was not sent. The last of several in a query counts; a
// list is invalid.
func (p params) str(name string) string {
	p.seek(name)
	v := p.values[name]
	if p.array[name] {
		p.fail(name + " is invalid")
		return ""
	}
	if len(v) == 0 {
		return ""
	}
	return p.bounded(name, v[len(v)-1])
}

// upTo is the same parameters with another limit for values.
func (p params) upTo(characters int) params {
	p.most = characters
	return p
}

// record is the same parameters, without a limit of their own: the room that keeps the
// record limits each field, in GitLab's words for that field.
func (p params) record() params { return p.upTo(maxBody) }

// bounded is a value, "" if it is too long, which it notes.
func (p params) bounded(name, value string) string {
	most := cmp.Or(p.most, maxText)
	if tooLong(value, most) {
		p.fail(tooLongText(name, most))
		return ""
	}
	return value
}

func tooLongText(name string, most int) string {
	return name + " is too long (maximum is " + strconv.Itoa(most) + " characters)"
}

func tooLong(text string, most int) bool {
	return len(text) > most && utf8.RuneCountInString(text) > most
}

// required is a parameter that must be sent; it notes if it was not.
func (p params) required(name string) string {
	if _, sent := p.values[name]; !sent {
		p.fail(name + " is missing")
	}
	return p.str(name)
}

// optional is a parameter, nil if it was not sent. null becomes "".
func (p params) optional(name string) *string {
	if !p.has(name) {
		return nil
	}
	v := p.str(name)
	return &v
}

// given is optional for clients that send null for unchanged parameters.
func (p params) given(name string) *string {
	if p.null[name] {
		return nil
	}
	return p.optional(name)
}

// integer is a number, 0 if it was not sent or is empty.
func (p params) integer(name string) int64 {
	if v := p.optionalInteger(name); v != nil {
		return *v
	}
	return 0
}

func (p params) optionalInteger(name string) *int64 {
	text := p.str(name)
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.fail(name + " is invalid")
		return nil
	}
	return &n
}

// integers is a list of numbers, repeated or separated by commas.
func (p params) integers(name string) []int64 {
	var list []int64
	for _, text := range p.list(name) {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			p.fail(name + " is invalid")
			return nil
		}
		list = append(list, n)
	}
	return list
}

// boolean is a truth value, false if it was not sent.
func (p params) boolean(name string) bool {
	v := p.optionalBoolean(name)
	return v != nil && *v
}

func (p params) optionalBoolean(name string) *bool {
	text := strings.ToLower(p.str(name))
	if text == "" {
		return nil
	}
	yes := slices.Contains([]string{"true", "t", "1", "on", "yes"}, text)
	if !yes && !slices.Contains([]string{"false", "f", "0", "off", "no"}, text) {
		p.fail(name + " is invalid")
		return nil
	}
	return &yes
}

// list is a list of values, repeated or separated by commas.
func (p params) list(name string) []string {
	p.seek(name)
	var list []string
	for _, v := range p.values[name] {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			if len(list) == maxList {
				p.fail(name + " has too many values")
				return nil
			}
			if part = p.bounded(name, part); part == "" {
				return nil
			}
			list = append(list, part)
		}
	}
	return list
}

// moment is an ISO 8601 time or day, nil if it was not sent. Without a zone it is in UTC.
func (p params) moment(name string) *time.Time {
	text := p.str(name)
	if text == "" {
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, wire.DateLayout, "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		t, err := time.Parse(layout, text)
		if t = t.UTC(); err == nil && t.Year() > 0 && t.Year() < 10000 {
			return &t
		}
	}
	p.fail(name + " is invalid")
	return nil
}

// latest is the later of two times, either of which may be missing. It is the zero time
// if both are.
func latest(a, b *time.Time) time.Time {
	switch {
	case a == nil && b == nil:
		return time.Time{}
	case b == nil || a != nil && a.After(*b):
		return *a
	}
	return *b
}

// earliest is the earlier of two times, either of which may be missing, like latest.
func earliest(a, b *time.Time) time.Time {
	switch {
	case a == nil && b == nil:
		return time.Time{}
	case b == nil || a != nil && a.Before(*b):
		return *a
	}
	return *b
}

// day is a date; a time is cut to its day.
func (p params) day(name string) *time.Time {
	t := p.moment(name)
	if t != nil {
		day := t.Truncate(24 * time.Hour)
		t = &day
	}
	return t
}

// choice is a parameter with a fixed set of values, "" if it was not sent.
func (p params) choice(name string, values ...string) string {
	v := p.str(name)
	if v != "" && !slices.Contains(values, v) {
		p.fail(name + " does not have a valid value")
	}
	return v
}

// setting is a parameter that may be null. For a type without an empty value, "" counts
// as null.
func setting[T any](p params, name string, read func(string) *T) projects.Setting[T] {
	if p.null[name] {
		return projects.Setting[T]{Given: true}
	}
	if !p.has(name) {
		return projects.Setting[T]{}
	}
	return projects.Setting[T]{Given: true, Value: read(name)}
}
