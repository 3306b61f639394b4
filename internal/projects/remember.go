package projects

import (
	"context"
	"strings"
	"sync"

	"granary/internal/access"
)

// remembered are the groups and projects that the reads of one request have found. Several
// deeds of a page ask for the same place.
type remembered struct {
	mu       sync.Mutex
	projects map[place]Project
	groups   map[place]Group
}

// place is what a look-up depends on: a reference, and who asks.
type place struct {
	ref   string
	actor int64
	kind  access.Kind
	token int64
	job   int64
}

type rememberKey struct{}

// Remember returns a context in which each group and project is looked up once. It is for
// requests that only read: a deed that changes something must see the permission of its
// own moment.
func Remember(ctx context.Context) context.Context {
	return context.WithValue(ctx, rememberKey{}, &remembered{projects: map[place]Project{}, groups: map[place]Group{}})
}

func placeOf(ref string, a access.Actor) place {
	return place{ref: strings.ToLower(ref), actor: a.UserID, kind: a.Kind, token: a.TokenID, job: a.JobProjectID}
}

// findProject is Records.FindProject, once in a context of Remember.
func (s *Service) findProject(ctx context.Context, ref string, a access.Actor) (Project, error) {
	return once(ctx, ref, a, s.Records.FindProject, func(m *remembered) map[place]Project { return m.projects }, func(p Project) int64 { return p.ID })
}

// findGroup is Records.FindGroup, once in a context of Remember.
func (s *Service) findGroup(ctx context.Context, ref string, a access.Actor) (Group, error) {
	return once(ctx, ref, a, s.Records.FindGroup, func(m *remembered) map[place]Group { return m.groups }, func(g Group) int64 { return g.ID })
}

// once finds something by its reference unless this context has it; then also by its id.
func once[T any](ctx context.Context, ref string, a access.Actor, find func(context.Context, string, access.Actor) (T, error),
	held func(*remembered) map[place]T, id func(T) int64) (T, error) {
	m, ok := ctx.Value(rememberKey{}).(*remembered)
	if !ok {
		return find(ctx, ref, a)
	}
	m.mu.Lock()
	found, known := held(m)[placeOf(ref, a)]
	m.mu.Unlock()
	if known {
		return found, nil
	}
	found, err := find(ctx, ref, a)
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		held(m)[placeOf(ref, a)], held(m)[placeOf(idRef(id(found)), a)] = found, found
	}
	return found, err
}
