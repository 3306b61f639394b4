package registry_test

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/registry"
)

// firstFiles is the first page of a version's files.
var firstFiles = page.Request{Number: 1, Size: 20, OrderBy: "file_name"}

// What pages show of a project: names, versions, one version, what a deletion does, and
// what a search finds.
func TestDeedsOfPages(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	for _, v := range []string{"1.0.0", "1.1.0", "2.0.0"} {
		body := strings.Repeat("same", 10)
		_, err := r.Publish(ctx, r.admin, r.project, registry.Raw{Name: "sonde", Version: v, File: "a.txt"}, strings.NewReader(body), registry.PublishOptions{Length: int64(len(body))})
		if err != nil {
			t.Fatal(err)
		}
	}
	names, err := r.Names(ctx, r.admin, r.project, registry.NameQuery{Search: "son ^1"}, nil)
	if err != nil || len(names.Rows) != 1 || names.Rows[0].Latest.Version != "2.0.0" || names.Rows[0].Versions != 3 || names.Total != 1 {
		t.Fatalf("names %+v, %v", names, err)
	}
	list, err := r.Versions(ctx, r.admin, r.project, "sonde", registry.VersionQuery{Range: "1.x"}, nil)
	if err != nil || len(list.Rows) != 2 || list.Rows[0].Version != "1.1.0" || list.Latest != "2.0.0" || list.Rows[0].Files != 1 || list.Rows[0].Size != 40 {
		t.Fatalf("versions %+v, %v", list, err)
	}
	v, err := r.Version(ctx, r.admin, r.project, "sonde", "1.1.0", firstFiles)
	if err != nil || v.Previous == nil || *v.Previous != "1.0.0" || v.Next == nil || *v.Next != "2.0.0" || v.Stored.Own != 0 || len(v.Stored.Shared) != 2 || !v.MayDelete || v.IsLatest || len(v.Page) != 1 || v.Page[0].Name != "a.txt" {
		t.Fatalf("version %+v, %v", v, err)
	}
	c, err := r.Consequences(ctx, r.admin, r.project, registry.Doomed{IDs: []int64{v.ID}})
	if err != nil || c.Files != 1 || c.Size != 40 || c.Stored.Own != 0 || c.Latest == nil || *c.Latest != (registry.LatestChange{Before: "2.0.0", After: "2.0.0", Left: 2}) {
		t.Fatalf("consequences %+v, %v", c, err)
	}
	all, err := r.Consequences(ctx, r.admin, r.project, registry.Doomed{Name: "sonde"})
	if err != nil || all.Files != 3 || all.Stored.Own != 40 || all.Latest == nil || *all.Latest != (registry.LatestChange{Before: "2.0.0"}) {
		t.Fatalf("consequences of all %+v, %v", all, err)
	}
	for term, want := range map[string]int{"OND": 1, "nothing": 0} {
		found, err := r.Search(ctx, r.admin, term)
		if err != nil || len(found.Packages) != want {
			t.Errorf("%s finds %+v, %v", term, found, err)
		}
		found, err = r.Search(ctx, access.Actor{}, term)
		if err != nil || len(found.Packages)+len(found.Projects)+len(found.Files) != 0 {
			t.Errorf("nobody finds %+v, %v", found, err)
		}
	}
}

// A page deletes only what it showed, to the microsecond.
func TestOnlyWhatWasShownIsDeleted(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	put := func() {
		t.Helper()
		if _, err := r.Publish(ctx, r.admin, r.project, registry.Raw{Name: "tool", Version: "1.0.0", File: "a"}, strings.NewReader("a"), registry.PublishOptions{Length: 1}); err != nil {
			t.Fatal(err)
		}
	}
	put()
	v, err := r.Version(ctx, r.admin, r.project, "tool", "1.0.0", firstFiles)
	if err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(time.Microsecond)
	put()
	if err := r.DeletePackage(ctx, r.admin, r.project, v.ID, v.Shown()); !fault.Is(err, fault.Precondition) {
		t.Errorf("what changed meanwhile is deleted: %v", err)
	}
	if v, err = r.Version(ctx, r.admin, r.project, "tool", "1.0.0", firstFiles); err != nil {
		t.Fatal(err)
	}
	if err := r.DeletePackage(ctx, r.admin, r.project, v.ID, v.Shown()); err != nil {
		t.Errorf("what was shown: %v", err)
	}
}

// A cursor of another list, a range that is none, an order that is none and a deletion from
// two packages are Invalid.
func TestPagesRefuseWhatIsNone(t *testing.T) {
	r := newRegistry(t)
	other := &page.Cursor{Order: "other", Keys: []string{"1", "2"}}
	if _, err := r.Names(t.Context(), r.admin, r.project, registry.NameQuery{}, other); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	if _, err := r.Names(t.Context(), r.admin, r.project, registry.NameQuery{Order: "x"}, nil); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	if _, err := r.Versions(t.Context(), r.admin, r.project, "x", registry.VersionQuery{Range: "x"}, nil); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	var ids []int64
	for _, name := range []string{"a", "b"} {
		if _, err := r.Publish(t.Context(), r.admin, r.project, registry.Raw{Name: name, Version: "1.0.0", File: "f"}, strings.NewReader("f"), registry.PublishOptions{Length: 1}); err != nil {
			t.Fatal(err)
		}
		v, err := r.Version(t.Context(), r.admin, r.project, name, "1.0.0", firstFiles)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v.ID)
	}
	if _, err := r.Consequences(t.Context(), r.admin, r.project, registry.Doomed{IDs: ids}); !fault.Is(err, fault.Invalid) {
		t.Errorf("versions of two packages: %v", err)
	}
	if _, err := r.Search(t.Context(), r.admin, " "); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

// The page of a hidden version has its files, since they can be downloaded; the API's list
// of files has none, as GitLab's.
func TestHiddenVersionHasItsFiles(t *testing.T) {
	r := newRegistry(t)
	ctx, raw := t.Context(), registry.Raw{Name: "tool", Version: "1.0.0", File: "a"}
	if _, err := r.Publish(ctx, r.admin, r.project, raw, strings.NewReader("a"), registry.PublishOptions{Length: 1}); err != nil {
		t.Fatal(err)
	}
	hidden := registry.StatusHidden
	if _, err := r.EditVersion(ctx, r.admin, r.project, registry.Raw{Name: "tool", Version: "1.0.0"}, registry.VersionEdit{Status: &hidden}); err != nil {
		t.Fatal(err)
	}
	v, err := r.Version(ctx, r.admin, r.project, "tool", "1.0.0", firstFiles)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Page) != 1 {
		t.Errorf("%+v", v.Page)
	}
	if _, err := r.PackageFiles(ctx, r.admin, r.project, v.ID, firstFiles); !fault.Is(err, fault.NotFound) {
		t.Errorf("the list of the API: %v", err)
	}
	if name, version, err := r.Locate(ctx, r.admin, r.project, v.ID); err != nil || name != "tool" || version != "1.0.0" {
		t.Errorf("it is %s %s, %v", name, version, err)
	}
	if _, _, err := r.Package(ctx, r.admin, r.project, v.ID); !fault.Is(err, fault.Absent) {
		t.Errorf("the package of the API: %v", err)
	}
}

// The digest with which a version would become final is that of the newest files of all its
// paths, whichever page of its files is asked for.
func TestContentIsOfAllPages(t *testing.T) {
	r := newRegistry(t)
	ctx := t.Context()
	put := func(file, body string) {
		t.Helper()
		raw := registry.Raw{Name: "tool", Version: "1.0.0", File: file}
		if _, err := r.Publish(ctx, r.admin, r.project, raw, strings.NewReader(body), registry.PublishOptions{Length: int64(len(body))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"c", "a", "b", "d"} {
		put(file, file)
	}
	put("a", "newer") // and an older file of the same path
	whole, err := r.FindVersion(ctx, r.admin, r.project, registry.Raw{Name: "tool", Version: "1.0.0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := registry.Digest(sha256.Sum256(whole.Manifest()))
	for number, paths := range [][]string{{"a", "a"}, {"b", "c"}, {"d"}, nil} {
		v, err := r.Version(ctx, r.admin, r.project, "tool", "1.0.0", page.Request{Number: number + 1, Size: 2, OrderBy: "file_name"})
		if err != nil {
			t.Fatal(err)
		}
		if v.Content == nil || *v.Content != want {
			t.Errorf("page %d: content %v, want %v", number+1, v.Content, want)
		}
		var got []string
		for _, f := range v.Page {
			got = append(got, f.Name.Path())
		}
		if !slices.Equal(got, paths) {
			t.Errorf("page %d: %v, want %v", number+1, got, paths)
		}
	}
}
