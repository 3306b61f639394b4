package projects

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"granary/internal/fault"
)

// Limits of a variable, in characters.
const (
	maxVariableKey   = 255
	maxVariableScope = 255
	maxVariableValue = 10000
	maxVariableText  = 255 // of the description
	minMasked        = 8
)

// shown is the variable as readers get it.
func (v Variable) shown() Variable {
	if v.Hidden {
		v.Value = ""
	}
	return v
}

// apply makes the edit. Whether a value can be read is decided when the variable is
// created, and not changed later (contract rest-api D).
func (e VariableEdit) apply(v *Variable) error {
	before := *v
	set(&v.Value, e.Value)
	set(&v.Scope, e.Scope)
	set(&v.Type, e.Type)
	set(&v.Protected, e.Protected)
	set(&v.Masked, e.Masked)
	set(&v.Hidden, e.Hidden)
	set(&v.Raw, e.Raw)
	e.Description.apply(&v.Description)
	if v.Hidden != before.Hidden || v.Hidden && !v.Masked {
		return fault.Field("base", "The visibility setting cannot be changed for masked and hidden variables.")
	}
	return checkVariable(*v)
}

// checkVariable returns the faults of all fields in one error.
func checkVariable(v Variable) error {
	fields := map[string][]string{}
	note := func(field, reason string) { fields[field] = append(fields[field], reason) }
	switch {
	case v.Key == "":
		note("key", "can't be blank")
	case len(v.Key) > maxVariableKey:
		note("key", "is too long (maximum is 255 characters)")
	}
	if strings.ContainsFunc(v.Key, func(r rune) bool { return r >= utf8.RuneSelf || !isWord(byte(r)) }) {
		note("key", "can contain only letters, digits and '_'.")
	}
	switch {
	case !utf8.ValidString(v.Value) || strings.ContainsRune(v.Value, 0) || v.Masked && !maskable(v.Value, v.Raw):
		note("value", "is invalid")
	case utf8.RuneCountInString(v.Value) > maxVariableValue:
		note("value", "is too long (maximum is 10000 characters)")
	}
	switch {
	case v.Scope == "" || strings.ContainsFunc(v.Scope, outsideScope):
		note("environment_scope", "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', '*' and spaces")
	case len(v.Scope) > maxVariableScope:
		note("environment_scope", "is too long (maximum is 255 characters)")
	}
	if d := v.Description; d != nil && (utf8.RuneCountInString(*d) > maxVariableText || !utf8.ValidString(*d) || strings.ContainsRune(*d, 0)) {
		note("description", "is too long (maximum is 255 characters)")
	}
	if len(fields) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Rejected, Fields: fields}
}

func outsideScope(r rune) bool {
	return r >= utf8.RuneSelf || !isWord(byte(r)) && !strings.ContainsRune("-/${}.* ", r)
}

// maskable reports whether the value can be found in a log and masked: one word that is
// long enough, and of a few kinds of characters unless it is raw.
func maskable(value string, raw bool) bool {
	if utf8.RuneCountInString(value) < minMasked {
		return false
	}
	return !strings.ContainsFunc(value, func(r rune) bool {
		if raw {
			return unicode.IsSpace(r)
		}
		return r >= utf8.RuneSelf || !isWord(byte(r)) && !strings.ContainsRune("+=/@:.~-", r)
	})
}
