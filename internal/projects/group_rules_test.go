package projects

import (
	"slices"
	"testing"

	"granary/internal/access"
	"granary/internal/fault"
)

func TestInherit(t *testing.T) {
	yes, no, a, b, none := true, false, "a.*", "b.*", ""
	for _, tt := range []struct {
		own       Duplicates
		above     []Duplicates
		allowed   bool
		exception string
	}{
		{Duplicates{}, nil, true, ""},
		{Duplicates{Allowed: &no}, nil, false, ""},
		{Duplicates{}, []Duplicates{{Allowed: &no}, {Allowed: &yes, Exception: &b}}, false, "b.*"}, // each from the nearest that sets it
		{Duplicates{Exception: &a}, []Duplicates{{Exception: &b}, {Allowed: &no}}, false, "a.*"},
		{Duplicates{Exception: &none}, []Duplicates{{Exception: &b}}, true, ""}, // set, and empty
	} {
		got := tt.own.Inherit(slices.Values(tt.above))
		if *got.Allowed != tt.allowed || *got.Exception != tt.exception {
			t.Errorf("%+v below %+v: %v %q", tt.own, tt.above, *got.Allowed, *got.Exception)
		}
	}
}

func TestCheckVisibility(t *testing.T) {
	private, internal, public := access.Private, access.Internal, access.Public
	for _, tt := range []struct {
		v              access.Visibility
		parent, inside *access.Visibility
		ok             bool
	}{
		{public, nil, nil, true},
		{public, &public, &public, true},
		{public, &internal, nil, false},
		{internal, &public, &private, true},
		{internal, &internal, &public, false},
		{private, &public, &internal, false},
		{private, nil, &private, true},
	} {
		if err := CheckVisibility(tt.v, tt.parent, tt.inside); (err == nil) != tt.ok || err != nil && !fault.Is(err, fault.Rejected) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
