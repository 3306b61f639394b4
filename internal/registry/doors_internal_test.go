package registry

import (
	"errors"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/blob"
	"granary/internal/fault"
)

// TestJudge: an actor that may not know of a project learns neither of its flag nor of
// its new path; any other gets the refusal for the flag before all else.
func TestJudge(t *testing.T) {
	r := &Registry{}
	user := access.Actor{Kind: access.User, UserID: 1, Scopes: []access.Scope{access.ScopeAPI}}
	job := access.Actor{Kind: access.Job, UserID: 1, JobProject: "other"}
	place := func(role access.Role, on, moved bool) Project {
		return Project{ProjectID: 7, Path: "tool", FlagOn: on, Moved: moved, Standing: access.Resource{Packages: access.PackagesEnabled, Role: role}}
	}
	const none = fault.Internal
	for name, tt := range map[string]struct {
		actor                access.Actor
		place                Project
		generic, api, upload fault.Kind
	}{
		"developer":               {user, place(access.Developer, true, false), none, none, none},
		"developer, off":          {user, place(access.Developer, false, false), fault.Absent, none, none},
		"developer, moved":        {user, place(access.Developer, true, true), none, fault.Moved, fault.Moved},
		"reporter":                {user, place(access.Reporter, true, false), fault.Denied, fault.Denied, fault.Denied},
		"reporter, off, moved":    {user, place(access.Reporter, false, true), fault.Absent, fault.Denied, fault.Denied},
		"an outsider":             {user, place(access.NoRole, true, false), fault.Hidden, fault.Hidden, fault.Hidden},
		"an outsider, off, moved": {user, place(access.NoRole, false, true), fault.Hidden, fault.Hidden, fault.Hidden},
		"a job of elsewhere":      {job, place(access.NoRole, true, false), fault.Hidden, fault.Hidden, fault.Hidden},
		"nobody":                  {access.Actor{}, place(access.NoRole, true, false), fault.Unauthenticated, fault.Unauthenticated, fault.Unauthenticated},
	} {
		for where, c := range map[string]struct {
			door door
			want fault.Kind
		}{"generic": {genericDoor(), tt.generic}, "api": {apiDoor(), tt.api}, "upload": {uploadDoor(true), tt.upload}} {
			err := r.judge(tt.actor, tt.place, access.PublishPackage, c.door)
			if (err == nil) != (c.want == none) || fault.KindOf(err) != c.want {
				t.Errorf("%s at the door %s: %v", name, where, err)
			}
		}
	}
}

// TestCondition is the table of RFC 9110 13.1.1 and 13.1.2.
func TestCondition(t *testing.T) {
	a, b := Digest{1}, Digest{2}
	all, onlyA, noFile := &Tags{Any: true}, &Tags{Digests: []Digest{a}}, &Tags{}
	for _, tt := range []struct {
		condition *Condition
		absent    bool // what is said where there is no file, the file a, the file b
		isA, isB  bool
	}{
		{nil, true, true, true},
		{&Condition{}, true, true, true},
		{&Condition{Match: all}, false, true, true},
		{&Condition{Match: onlyA}, false, true, false},
		{&Condition{Match: noFile}, false, false, false},
		{&Condition{NoneMatch: all}, true, false, false},
		{&Condition{NoneMatch: onlyA}, true, false, true},
		{&Condition{NoneMatch: noFile}, true, true, true},
		{&Condition{Match: all, NoneMatch: onlyA}, false, false, true},
		{&Condition{Match: onlyA, NoneMatch: all}, false, false, false},
	} {
		got := []error{tt.condition.Judge(nil), tt.condition.Judge(&a), tt.condition.Judge(&b)}
		for i, want := range []bool{tt.absent, tt.isA, tt.isB} {
			if (got[i] == nil) != want || got[i] != nil && !fault.Is(got[i], fault.Precondition) {
				t.Errorf("%+v: %v", tt.condition, got)
				break
			}
		}
	}
}

// TestCheckRemoval: a file that changed since the caller read it is not removed, nor
// one that a rule protects from the caller.
func TestCheckRemoval(t *testing.T) {
	changed := time.Date(2031, 1, 1, 0, 0, 5, 999, time.UTC)
	second := func(s int) *time.Time { return new(time.Date(2031, 1, 1, 0, 0, s, 0, time.UTC)) }
	owners := Protection{Pattern: "to*", Push: access.Admin, Delete: access.Owner}
	for name, tt := range map[string]struct {
		role       access.Role
		admin      bool
		rule       Protection
		unmodified *time.Time
		want       fault.Kind // Internal: it goes
	}{
		"no rule":                   {access.Maintainer, false, Protection{}, nil, fault.Internal},
		"changed in that second":    {access.Maintainer, false, Protection{}, second(5), fault.Internal},
		"changed since":             {access.Maintainer, false, Protection{}, second(4), fault.Precondition},
		"maintainer":                {access.Maintainer, false, owners, nil, fault.Denied},
		"maintainer, changed since": {access.Maintainer, false, owners, second(4), fault.Precondition},
		"owner":                     {access.Owner, false, owners, nil, fault.Internal},
		"administrator":             {access.NoRole, true, owners, nil, fault.Internal},
		"a rule about publishing":   {access.Maintainer, false, Protection{Pattern: "*", Push: access.Admin}, nil, fault.Internal},
		"a rule about another name": {access.Maintainer, false, Protection{Pattern: "lib", Delete: access.Admin}, nil, fault.Internal},
		"owner, for administrators": {access.Owner, false, Protection{Pattern: "TOOL", Delete: access.Admin}, nil, fault.Denied},
	} {
		place := Project{Standing: access.Resource{Role: tt.role}, Protections: []Protection{{Pattern: "other"}, tt.rule}}
		err := checkRemoval(place, access.Actor{Kind: access.User, UserID: 1, Admin: tt.admin}, Package{Name: "tool"}, changed, tt.unmodified)
		if (err == nil) != (tt.want == fault.Internal) || fault.KindOf(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReceiveFault: a body fails by the sender's fault or by the store's, and the
// answer says which.
func TestReceiveFault(t *testing.T) {
	slow := errors.Join(blob.ErrBody, timeout{})
	for name, tt := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"too large":          {blob.ErrTooLarge, fault.TooLarge},
		"a broken body":      {blob.ErrBody, fault.Refused},
		"a body that stands": {slow, fault.Timeout},
		"a store that waits": {timeout{}, fault.Unavailable},
		"no space":           {blob.ErrNoSpace, fault.Unavailable},
		"anything":           {errors.New("x"), fault.Unavailable},
	} {
		if err := receiveFault(tt.err, 5, 4); fault.KindOf(err) != tt.want || tt.want != fault.TooLarge && !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type timeout struct{}

func (timeout) Error() string { return "i/o timeout" }
func (timeout) Timeout() bool { return true }
