package projects

import (
	"slices"
	"strings"
	"testing"

	"granary/internal/fault"
)

func TestCheckVariable(t *testing.T) {
	good := Variable{Key: "K", Value: "v", Scope: AnyScope}
	for _, tt := range []struct {
		change func(*Variable)
		wrong  string // the fields, in order
	}{
		{func(*Variable) {}, ""},
		{func(v *Variable) { v.Key = "" }, "key"},
		{func(v *Variable) { v.Key = strings.Repeat("K", 255) }, ""},
		{func(v *Variable) { v.Key = strings.Repeat("K", 256) }, "key"},
		{func(v *Variable) { v.Key = "a-b" }, "key"},
		{func(v *Variable) { v.Key = "ä" }, "key"},
		{func(v *Variable) { v.Value = "" }, ""},
		{func(v *Variable) { v.Value = strings.Repeat("ä", 10000) }, ""},
		{func(v *Variable) { v.Value = strings.Repeat("ä", 10001) }, "value"},
		{func(v *Variable) { v.Value = "a\x00" }, "value"},
		{func(v *Variable) { v.Value = "\xff" }, "value"},
		{func(v *Variable) { v.Scope = "review/* $x" }, ""},
		{func(v *Variable) { v.Scope = "" }, "environment_scope"},
		{func(v *Variable) { v.Scope = "a:b" }, "environment_scope"},
		{func(v *Variable) { v.Description = new(strings.Repeat("ä", 256)) }, "description"},
		{func(v *Variable) { v.Key, v.Value, v.Scope = "-", "\x00", "" }, "environment_scope key value"},

		{func(v *Variable) { v.Masked, v.Value = true, "12345678" }, ""},
		{func(v *Variable) { v.Masked, v.Value = true, "1234567" }, "value"},
		{func(v *Variable) { v.Masked, v.Value = true, "1234 5678" }, "value"},
		{func(v *Variable) { v.Masked, v.Value = true, "a+b=/@:.~-_" }, ""},
		{func(v *Variable) { v.Masked, v.Value = true, "a$b(c)d!e" }, "value"},
		{func(v *Variable) { v.Masked, v.Raw, v.Value = true, true, "a$b(c)d!e" }, ""},
		{func(v *Variable) { v.Masked, v.Raw, v.Value = true, true, "a b c d e" }, "value"},
	} {
		v := good
		tt.change(&v)
		err := checkVariable(v)
		var fields []string
		if e, ok := fault.As(err, fault.Rejected); ok {
			for field := range e.Fields {
				fields = append(fields, field)
			}
		}
		slices.Sort(fields)
		if got := strings.Join(fields, " "); got != tt.wrong || (err == nil) != (tt.wrong == "") {
			t.Errorf("%.80q: %q is wrong, want %q", v.Key+" "+v.Value+" "+v.Scope, got, tt.wrong)
		}
	}
}

// TestHiddenIsForGood: a hidden value can be replaced, and is never shown.
func TestHiddenIsForGood(t *testing.T) {
	yes, no := true, false
	hidden := Variable{Key: "K", Value: "12345678", Scope: AnyScope, Masked: true, Hidden: true}
	open := Variable{Key: "K", Value: "12345678", Scope: AnyScope}
	for name, tt := range map[string]struct {
		before Variable
		edit   VariableEdit
		ok     bool
	}{
		"another value":      {hidden, VariableEdit{Value: new("87654321")}, true},
		"hidden again":       {hidden, VariableEdit{Hidden: &yes}, true},
		"shown":              {hidden, VariableEdit{Hidden: &no}, false},
		"masked no more":     {hidden, VariableEdit{Masked: &no}, false},
		"a value not masked": {hidden, VariableEdit{Value: new("short")}, false},
		"an open one hidden": {open, VariableEdit{Hidden: &yes, Masked: &yes}, false},
		"an open one masked": {open, VariableEdit{Masked: &yes}, true},
	} {
		v := tt.before
		if err := tt.edit.apply(&v); (err == nil) != tt.ok || err != nil && !fault.Is(err, fault.Rejected) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if hidden.shown().Value != "" || open.shown().Value != open.Value {
		t.Error("a hidden value is shown, or an open one is not")
	}
}
