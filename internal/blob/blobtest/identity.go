package blobtest

import (
	"testing"
	"time"

	"granary/internal/blob"
)

func testIdentity(t *testing.T, s blob.Store) {
	m, ok := s.(blob.Identified)
	if !ok {
		return // it need not be
	}
	want := func(text string) {
		t.Helper()
		if got, err := m.Identity(t.Context()); err != nil || got != text {
			t.Errorf("Identity = %q, %v, want %q", got, err, text)
		}
	}
	want("")
	for _, text := range []string{"one", "another"} {
		if err := m.SetIdentity(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		want(text)
	}
	wantList(t, s)
	if tidier, ok := s.(blob.Tidier); ok {
		if n, err := tidier.Tidy(t.Context(), time.Now().Add(time.Hour)); err != nil || n != 0 {
			t.Errorf("Tidy removed %d, %v", n, err)
		}
	}
	want("another")
}
