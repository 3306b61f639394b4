package s3

import (
	"testing"

	"granary/internal/blob/s3/s3test"
)

// A bucket that its policy opens to anyone is told from one that is closed, and from a
// store that is away.
func TestListedByAnyone(t *testing.T) {
	srv := s3test.Start(t)
	s, err := Open(t.Context(), Config{
		Bucket: s3test.Bucket, Prefix: "some", Endpoint: srv.URL, AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if listed, err := s.ListedByAnyone(t.Context()); listed || err != nil {
		t.Errorf("a closed bucket: %v, %v", listed, err)
	}
	srv.LetAnyoneList(t)
	if listed, err := s.ListedByAnyone(t.Context()); !listed || err != nil {
		t.Errorf("an open bucket: %v, %v", listed, err)
	}
	srv.Stop()
	if listed, err := s.ListedByAnyone(t.Context()); listed || err == nil {
		t.Errorf("a store that is away: %v, %v", listed, err)
	}
}
