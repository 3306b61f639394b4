package registry

import (
	"fmt"
	"reflect"
	"testing"
)

// TestMatchesOf: each pattern has its own packages, some by name and all by number, of as
// many as are looked at.
func TestMatchesOf(t *testing.T) {
	names := []Name{"App", "app-1", "app-2", "app-3", "app-4", "app-5", "lib"}
	got := matchesOf([]string{"APP*", "lib", "none"}, names)
	want := Matches{All: true, Of: []Match{{Count: 6, First: names[:5]}, {Count: 1, First: []Name{"lib"}}, {}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	many := make([]Name, MatchesLooked+1)
	for i := range many {
		many[i] = Name(fmt.Sprintf("p-%06d", i))
	}
	if got := matchesOf([]string{"*"}, many); got.All || got.Of[0].Count != MatchesLooked {
		t.Errorf("of %d: all %v, %d match", len(many), got.All, got.Of[0].Count)
	}
}
