package daemon

import (
	"slices"
	"testing"

	"granary/internal/projects"
	"granary/internal/registry"
)

// TestWordsOfDrafts: a project, the server's setting and the registry have the same words
// for when publishing makes a draft.
func TestWordsOfDrafts(t *testing.T) {
	var words []registry.DraftMode
	for _, word := range projects.DraftModes() {
		if _, err := settings(nil, "--drafts="+string(word)); err != nil {
			t.Error(err)
		}
		words = append(words, registry.DraftMode(word))
	}
	if want := []registry.DraftMode{registry.DraftsOnRequest, registry.DraftsAlways, registry.DraftsAtRelease, registry.DraftsAtJobEnd}; !slices.Equal(words, want) {
		t.Errorf("%q, want %q", words, want)
	}
}
