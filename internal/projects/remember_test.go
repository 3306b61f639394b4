package projects

import (
	"context"
	"testing"

	"granary/internal/access"
)

// counted counts the look-ups of a records.
type counted struct {
	Records
	asked int
}

func (c *counted) FindProject(_ context.Context, ref string, a access.Actor) (Project, error) {
	c.asked++
	return Project{ID: 7, FullPath: ref, Standing: access.Resource{Visibility: access.Public, Role: access.Role(a.UserID)}}, nil
}

func (c *counted) FindGroup(context.Context, string, access.Actor) (Group, error) {
	c.asked++
	return Group{ID: 7, Standing: access.Resource{Visibility: access.Public}}, nil
}

// TestRemember: a request that only reads finds a place once, by path and by id, for each
// actor; others find it each time.
func TestRemember(t *testing.T) {
	user := func(id int64) access.Actor {
		return access.Actor{Kind: access.User, UserID: id, Scopes: []access.Scope{access.ScopeAPI}}
	}
	for name, tt := range map[string]struct {
		ctx  context.Context
		want int
	}{
		"read":  {Remember(t.Context()), 3},
		"write": {t.Context(), 7},
	} {
		c := &counted{}
		s := &Service{Records: c}
		for _, ask := range []func() error{
			func() error { _, err := s.Project(tt.ctx, user(10), "acme/tools"); return err },
			func() error { _, err := s.Project(tt.ctx, user(10), "Acme/Tools"); return err },
			func() error { _, err := s.Project(tt.ctx, user(10), "7"); return err },
			func() error { _, _, err := s.ProjectStanding(tt.ctx, user(10), "7", access.ReadMembers); return err },
			func() error { _, err := s.Project(tt.ctx, user(20), "7"); return err },
			func() error { _, err := s.Group(tt.ctx, user(10), "acme"); return err },
			func() error { _, err := s.Group(tt.ctx, user(10), "7"); return err },
		} {
			if err := ask(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if c.asked != tt.want {
			t.Errorf("%s: %d look-ups, want %d", name, c.asked, tt.want)
		}
		p, err := s.Project(tt.ctx, user(20), "7")
		if err != nil || p.Standing.Role != access.Reporter {
			t.Errorf("%s: another actor's standing is %v, %v", name, p.Standing.Role, err)
		}
	}
}
