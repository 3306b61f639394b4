package fault

import (
	"errors"
	"testing"
)

// The text for logs has no colon before the cause if there are no words.
func TestText(t *testing.T) {
	cause := errors.New("no answer")
	for _, tc := range []struct {
		err  *Error
		want string
	}{
		{New(Conflict, "taken"), "taken"},
		{Wrap(Conflict, "taken", cause), "taken: no answer"},
		{Wrap(Unavailable, "", cause), "no answer"},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}
