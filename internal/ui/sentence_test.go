package ui

import "testing"

func TestSentence(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "is taken": "Is taken.", "ünknown word": "Ünknown word.", "no/such is no project": "no/such is no project.", "ünï/x is no group": "ünï/x is no group.",
		"file_name is invalid": "file_name is invalid.", "403 Forbidden!": "403 Forbidden!", "\xff": "\xff.", "it's on": "It's on.",
	} {
		if got := sentence(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
