package recordstest

import (
	"testing"

	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/registry"
)

func channels() []promise {
	return []promise{
		{"ListChannels", "returns the channels of a package by name", testListChannels},
		{"MoveChannel", "makes the channel, moves it, and tells", testMoveChannel},
		{"MoveChannel", "does nothing if it leads there already, or check refuses", testMoveChannelNot},
		{"MoveChannel", "is NotFound if there is no such version", testMoveChannelNowhere},
		{"MoveChannel", "is Full if the package has as many as the limit", testMoveChannelFull},
		{"RemoveChannel", "removes the channel, and tells", testRemoveChannel},
		{"RemoveChannel", "does nothing if event refuses", testRemoveChannelRefused},
		{"RemoveChannel", "is NotFound if there is none", testRemoveNoChannel},
	}
}

// allowMove decides that a channel may be moved.
func allowMove(e audit.Event) func(*registry.Channel, registry.PackageVersion) (audit.Event, error) {
	return func(*registry.Channel, registry.PackageVersion) (audit.Event, error) { return e, nil }
}

func newChannel(projectID int64, name, version string) registry.Channel {
	return registry.Channel{ProjectID: projectID, Package: "tool", Name: name, Version: registry.Version(version), MovedAt: now()}
}

// channel makes a channel of the package tool, or moves it.
func (s *suite) channel(t *testing.T, projectID int64, name, version string) registry.Channel {
	t.Helper()
	c := newChannel(projectID, name, version)
	_, _, err := s.MoveChannel(t.Context(), c, roomy(), allowMove(quiet()))
	return must(t, c, err)
}

func (s *suite) wantChannels(t *testing.T, projectID int64, want ...registry.Channel) {
	t.Helper()
	got, err := s.ListChannels(t.Context(), projectID, "tool")
	wantSame(t, "the channels", must(t, got, err), want)
}

func testListChannels(t *testing.T, s *suite) {
	_, g, p := s.home(t)
	other := s.project(t, g.ID, s.user(t))
	s.published(t, p.ID, "1.0.0")
	s.published(t, other.ID, "1.0.0")
	s.version(t, p.ID, "other", "1.0.0", registry.StatusDefault)
	s.wantChannels(t, p.ID)
	b, a := s.channel(t, p.ID, "b", "1.0.0"), s.channel(t, p.ID, "a", "1.0.0")
	s.channel(t, other.ID, "c", "1.0.0")
	elsewhere := newChannel(p.ID, "d", "1.0.0")
	elsewhere.Package = "other"
	_, _, err := s.MoveChannel(t.Context(), elsewhere, roomy(), allowMove(quiet()))
	must(t, 0, err)
	s.wantChannels(t, p.ID, a, b)
}

func testMoveChannel(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0")
	hidden := s.version(t, p.ID, "tool", "2.0.0", registry.StatusHidden) // whether it may is for check to say
	made, moved := newChannel(p.ID, "stable", "1.0.0"), newChannel(p.ID, "stable", "2.0.0")
	e := s.event()
	v, isNew, err := s.MoveChannel(t.Context(), made, roomy(), func(before *registry.Channel, to registry.PackageVersion) (audit.Event, error) {
		if before != nil || to.Version != "1.0.0" {
			t.Errorf("from %v to %v", before, to)
		}
		return e, nil
	})
	if must(t, v, err).Version != "1.0.0" || !isNew {
		t.Errorf("%v, new: %v", v, isNew)
	}
	s.wantTold(t, e, 1)
	e = s.event()
	v, isNew, err = s.MoveChannel(t.Context(), moved, roomy(), func(before *registry.Channel, _ registry.PackageVersion) (audit.Event, error) {
		wantSame(t, "the channel before", before, &made)
		return e, nil
	})
	if must(t, v, err).ID != hidden.ID || isNew {
		t.Errorf("%v, new: %v", v, isNew)
	}
	s.wantTold(t, e, 1)
	s.wantChannels(t, p.ID, moved)
}

func testMoveChannelNot(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0", "2.0.0")
	made := s.channel(t, p.ID, "stable", "1.0.0")
	e := s.event()
	v, isNew, err := s.MoveChannel(t.Context(), newChannel(p.ID, "stable", "1.0.0"), most(1), allowMove(e))
	if must(t, v, err).Version != "1.0.0" || isNew {
		t.Errorf("%v, new: %v", v, isNew)
	}
	for _, name := range []string{"stable", "next"} {
		_, _, err = s.MoveChannel(t.Context(), newChannel(p.ID, name, "2.0.0"), roomy(), func(*registry.Channel, registry.PackageVersion) (audit.Event, error) {
			return e, errRefused
		})
		wantRefused(t, err)
	}
	s.wantTold(t, e, 0)
	s.wantChannels(t, p.ID, made)
}

func testMoveChannelNowhere(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.version(t, p.ID, "tool", "1.0.0", registry.StatusError)
	gone := s.version(t, p.ID, "tool", "2.0.0", registry.StatusDefault)
	s.drop(t, gone)
	for _, version := range []string{"1.0.0", "2.0.0", "3.0.0"} {
		_, _, err := s.MoveChannel(t.Context(), newChannel(p.ID, "stable", version), roomy(), allowMove(s.event()))
		wantKind(t, err, fault.NotFound)
	}
	s.wantChannels(t, p.ID)
}

func testMoveChannelFull(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0", "2.0.0")
	a, b := s.channel(t, p.ID, "a", "1.0.0"), s.channel(t, p.ID, "b", "1.0.0")
	_, _, err := s.MoveChannel(t.Context(), newChannel(p.ID, "c", "1.0.0"), most(2), allowMove(s.event()))
	wantFull(t, err, 2)
	b.Version = "2.0.0" // one that is there may move
	_, _, err = s.MoveChannel(t.Context(), b, most(2), allowMove(quiet()))
	must(t, 0, err)
	s.wantChannels(t, p.ID, a, b)
}

func testRemoveChannel(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0")
	stays, leads := s.channel(t, p.ID, "stays", "1.0.0"), s.channel(t, p.ID, "leads", "1.0.0")
	gone := s.version(t, p.ID, "tool", "2.0.0", registry.StatusDefault)
	nowhere := s.channel(t, p.ID, "nowhere", "2.0.0")
	s.drop(t, gone)
	s.wantChannels(t, p.ID, leads, nowhere, stays)
	for _, c := range []registry.Channel{leads, nowhere} {
		e := s.event()
		must(t, 0, s.RemoveChannel(t.Context(), registry.Channel{ProjectID: p.ID, Package: "tool", Name: c.Name}, func(was registry.Channel) (audit.Event, error) {
			wantSame(t, "the channel", was, c)
			return e, nil
		}))
		s.wantTold(t, e, 1)
	}
	s.wantChannels(t, p.ID, stays)
}

func testRemoveChannelRefused(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0")
	c := s.channel(t, p.ID, "stable", "1.0.0")
	e := s.event()
	wantRefused(t, s.RemoveChannel(t.Context(), c, func(registry.Channel) (audit.Event, error) { return e, errRefused }))
	s.wantTold(t, e, 0)
	s.wantChannels(t, p.ID, c)
}

func testRemoveNoChannel(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	s.published(t, p.ID, "1.0.0")
	s.channel(t, p.ID, "stable", "1.0.0")
	c := newChannel(p.ID, "other", "1.0.0")
	wantKind(t, s.RemoveChannel(t.Context(), c, func(registry.Channel) (audit.Event, error) { return s.event(), nil }), fault.NotFound)
}
