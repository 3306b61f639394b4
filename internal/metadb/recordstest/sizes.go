package recordstest

import (
	"testing"

	"granary/internal/audit"
	"granary/internal/registry"
)

func sizes() []promise {
	return []promise{
		{"SizesOf", "counts files, bytes and versions, and what is removed apart", testSizesOf},
		{"GroupSizes", "adds up what is below a group; deleted projects are trash", testGroupSizes},
		{"InstanceSize", "grows by what is published", testInstanceSize},
		{"SizesBelow", "returns the largest parts of a group first", testSizesBelow},
	}
}

func size(bytes, files, versions int64) registry.Size {
	return registry.Size{Bytes: bytes, Files: files, Versions: versions}
}

func testSizesOf(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	other := s.project(t, g.ID, u)
	s.publish(t, publication(p.ID, "tool", "1", "file"))
	second := s.publish(t, publication(p.ID, "tool", "1", "file2"))
	s.publish(t, publication(p.ID, "tool", "2", "file"))
	draft := publication(p.ID, "tool", "3", "filedraft")
	draft.Into = registry.IntoDraft
	s.publish(t, draft)
	want := registry.Usage{Kept: size(4+5+4+9, 4, 3)}
	check := func(what string) {
		t.Helper()
		found, err := s.SizesOf(t.Context(), []int64{p.ID, other.ID})
		wantSame(t, what, must(t, found, err)[p.ID], want)
		wantSame(t, "another project", found[other.ID], registry.Usage{})
	}
	check("published")
	k, err := s.FindPackage(t.Context(), p.ID, second.PackageID)
	must(t, 0, err)
	must(t, 0, s.RemoveFile(t.Context(), removed(k), second.ID, func(registry.Package, registry.File) (audit.Event, error) { return quiet(), nil }))
	want = registry.Usage{Kept: size(4+4+9, 3, 3), Trashed: size(5, 1, 0)}
	check("without a file")
	s.drop(t, k)
	want = registry.Usage{Kept: size(4+9, 2, 2), Trashed: size(4+5, 2, 1)}
	check("without a version")
	for n := 1; n > 0; {
		n, err = s.PurgeDeleted(t.Context(), 100, now())
		must(t, 0, err)
	}
	want.Trashed = registry.Size{}
	check("purged")
	s.upload(t, newUpload(p.ID, u.ID, "7 bytes"))
	want.Uploads = 7
	check("with an upload")
	none, err := s.SizesOf(t.Context(), nil)
	wantSame(t, "of no project", len(must(t, none, err)), 0)
}

func testGroupSizes(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	below := s.group(t, g.ID, u)
	inside, gone := s.project(t, below.ID, u), s.project(t, g.ID, u)
	for _, id := range []int64{p.ID, inside.ID, gone.ID} {
		s.publish(t, publication(id, "tool", "1", "file"))
	}
	s.upload(t, newUpload(inside.ID, u.ID, "abc"))
	must(t, 0, s.DeleteProject(t.Context(), gone.ID, now(), quiet()))
	found, err := s.GroupSizes(t.Context(), []int64{g.ID, below.ID})
	wantSame(t, "the sums", must(t, found, err), map[int64]registry.Usage{
		g.ID:     {Kept: size(8, 2, 2), Trashed: size(4, 1, 1), Uploads: 3},
		below.ID: {Kept: size(4, 1, 1), Uploads: 3},
	})
}

func testInstanceSize(t *testing.T, s *suite) {
	_, _, p := s.home(t)
	before, err := s.InstanceSize(t.Context())
	must(t, 0, err)
	s.publish(t, publication(p.ID, "tool", "1", "file"))
	after, err := s.InstanceSize(t.Context())
	wantSame(t, "the sum", must(t, after, err), registry.Usage{Kept: before.Kept.Plus(size(4, 1, 1)), Trashed: before.Trashed})
}

func testSizesBelow(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	below, empty := s.group(t, g.ID, u), s.project(t, g.ID, u)
	inside := s.project(t, below.ID, u)
	s.publish(t, publication(p.ID, "tool", "1", "large file"))
	s.publish(t, publication(inside.ID, "tool", "1", "file"))
	want := []registry.StoragePart{
		{Kind: registry.ProjectPart, ID: p.ID, Path: p.FullPath, Usage: registry.Usage{Kept: size(10, 1, 1)}},
		{Kind: registry.GroupPart, ID: below.ID, Path: below.FullPath, Usage: registry.Usage{Kept: size(4, 1, 1)}},
	}
	found, err := s.SizesBelow(t.Context(), g.ID, 10)
	wantSame(t, "the parts, without "+empty.FullPath, must(t, found, err), want)
	found, err = s.SizesBelow(t.Context(), g.ID, 1)
	wantSame(t, "the largest", must(t, found, err), want[:1])
	found, err = s.SizesBelow(t.Context(), 0, 1000)
	at := -1
	for i, part := range must(t, found, err) {
		if part.ID == g.ID && part.Kind == registry.GroupPart {
			at = i
		}
	}
	if at < 0 || found[at].Kept != size(14, 2, 2) {
		t.Errorf("%+v has not group %d with 14 bytes", found, g.ID)
	}
}
