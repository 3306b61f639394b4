package projects_test

import (
	"fmt"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/projects"
)

// TestKeepOwner tries every change of every member: a group with a permanent owner has one
// afterwards, and a group without one loses no owner. All other changes are allowed.
func TestKeepOwner(t *testing.T) {
	end := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	var all []projects.Member
	for _, role := range []access.Role{access.NoRole, access.Guest, access.Maintainer, access.Owner} {
		for bits := range 8 {
			m := projects.Member{Role: role, Blocked: bits&1 != 0, Bot: bits&2 != 0}
			if bits&4 != 0 {
				m.ExpiresAt = &end
			}
			all = append(all, m)
		}
	}
	say := func(m projects.Member) string {
		return fmt.Sprintf("%v, ends %v, blocked %v, bot %v", m.Role, m.ExpiresAt != nil, m.Blocked, m.Bot)
	}
	for _, before := range all {
		for _, after := range all {
			if before.Role == access.NoRole || before.Blocked != after.Blocked || before.Bot != after.Bot {
				continue // no change of a membership
			}
			for _, kept := range []bool{false, true} {
				keeps := func(m projects.Member) bool {
					return m.Role == access.Owner && m.ExpiresAt == nil && !m.Blocked && !m.Bot
				}
				lost := keeps(before) && !keeps(after)
				lost = lost || before.Role == access.Owner && after.Role != access.Owner && !before.Bot
				want := fault.Conflict
				if !lost || kept {
					want = fault.Internal
				}
				err := projects.KeepOwner(before, after, kept)
				if (err != nil) != (want == fault.Conflict) || err != nil && fault.KindOf(err) != want {
					t.Errorf("%s; then %s; kept by another %v: %v", say(before), say(after), kept, err)
				}
			}
		}
	}
}
