package recordstest

import (
	"encoding/hex"
	"testing"
	"time"

	"granary/internal/audit"
	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/registry"
)

func uploads() []promise {
	return []promise{
		{"AddUpload", "keeps the upload, and tells", testAddUpload},
		{"AddUpload", "is Full if the project has as many as the limit, Hidden if it is gone", testAddUploadFaults},
		{"AddUpload", "is Unavailable if bytes without Small are not pinned", testAddUploadSwept},
		{"FindUpload", "finds one by id, or by secret and name", testAddUpload},
		{"FindUpload", "is NotFound if there is none", testFindNoUpload},
		{"FindUpload", "returns a DamageError with the upload", testFindDamagedUpload},
		{"ListUploads", "returns a project's, the newest first, without their bytes", testListUploads},
		{"RemoveUpload", "removes the record, tells, and leaves the bytes to the sweep", testRemoveUpload},
		{"RemoveUpload", "is NotFound if there is none", testRemoveNoUpload},
	}
}

// newUpload is one of a small file; its bytes are the name of the file.
func newUpload(projectID, creatorID int64, name string) registry.Upload {
	secret := digest([]byte(name))
	return registry.Upload{
		ProjectID: projectID, Secret: hex.EncodeToString(secret[:16]), Name: registry.FileName(name),
		Size: int64(len(name)), Digest: digest([]byte(name)), Small: []byte(name), CreatorID: creatorID, CreatedAt: now(),
	}
}

func (s *suite) upload(t *testing.T, u registry.Upload) registry.Upload {
	t.Helper()
	made, err := s.AddUpload(t.Context(), u, roomy(), quiet())
	return must(t, made, err)
}

func testAddUpload(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	large := newUpload(p.ID, u.ID, "large")
	must(t, 0, s.PinBlob(t.Context(), large.Digest, large.Size, now()))
	large.Small = nil
	empty := newUpload(p.ID, u.ID, "empty")
	empty.Small, empty.Size, empty.Digest = []byte{}, 0, digest(nil)
	for _, want := range []registry.Upload{newUpload(p.ID, u.ID, "small"), large, empty} {
		e := s.event()
		made, err := s.AddUpload(t.Context(), want, roomy(), e)
		must(t, 0, err)
		want.ID = made.ID
		wantSame(t, "what is returned", made, want)
		for _, at := range []registry.UploadAddress{{ProjectID: p.ID, ID: made.ID}, {ProjectID: p.ID, Secret: want.Secret, Name: want.Name}} {
			found, err := s.FindUpload(t.Context(), at)
			wantSame(t, "what is kept", must(t, found, err), want)
		}
		wantSame(t, "the target", s.wantTold(t, e, 1).Target, audit.Target{Type: "Upload", ID: made.ID, Details: string(want.Name)})
	}
}

func testAddUploadFaults(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	e := s.event()
	s.upload(t, newUpload(p.ID, u.ID, "one"))
	_, err := s.AddUpload(t.Context(), newUpload(p.ID, u.ID, "two"), most(1), e)
	wantFull(t, err, 1)
	found, err := s.ListUploads(t.Context(), p.ID, all())
	wantSame(t, "uploads", len(rows(t, found, err)), 1)
	must(t, 0, s.DeleteProject(t.Context(), p.ID, now(), quiet()))
	_, err = s.AddUpload(t.Context(), newUpload(p.ID, u.ID, "two"), roomy(), e)
	wantKind(t, err, fault.Hidden)
	s.wantTold(t, e, 0)
}

func testAddUploadSwept(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	up, e := newUpload(p.ID, u.ID, s.name("upload")), s.event()
	up.Small = nil
	_, err := s.AddUpload(t.Context(), up, roomy(), e)
	wantKind(t, err, fault.Unavailable)
	s.wantTold(t, e, 0)
	must(t, 0, s.PinBlob(t.Context(), up.Digest, up.Size, now()))
	s.upload(t, up)
}

func testFindNoUpload(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	made := s.upload(t, newUpload(p.ID, u.ID, "one"))
	for _, at := range []registry.UploadAddress{
		{ProjectID: p.ID, ID: 999999},
		{ProjectID: p.ID, Secret: made.Secret, Name: "other"},
		{ProjectID: p.ID, Secret: newUpload(0, 0, "other").Secret, Name: made.Name},
		{ProjectID: s.project(t, g.ID, u).ID, ID: made.ID},
	} {
		_, err := s.FindUpload(t.Context(), at)
		wantKind(t, err, fault.NotFound)
	}
}

func testFindDamagedUpload(t *testing.T, s *suite) {
	u, _, p := s.home(t)
	rotten := newUpload(p.ID, u.ID, s.name("rotten"))
	rotten.Small = []byte("other bytes")
	made := s.upload(t, rotten)
	found, err := s.FindUpload(t.Context(), registry.UploadAddress{ProjectID: p.ID, ID: made.ID})
	wantDamage(t, err)
	wantSame(t, "the upload", found.ID, made.ID)
}

func testListUploads(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	one, two := s.upload(t, newUpload(p.ID, u.ID, "one")), s.upload(t, newUpload(p.ID, u.ID, "two"))
	s.upload(t, newUpload(s.project(t, g.ID, u).ID, u.ID, "three"))
	var want []registry.ListedUpload
	for _, up := range []registry.Upload{two, one} {
		up.Small = nil
		want = append(want, registry.ListedUpload{Upload: up, CreatorUsername: u.Username, CreatorName: u.Name})
	}
	found, err := s.ListUploads(t.Context(), p.ID, all())
	wantSame(t, "uploads", rows(t, found, err), want)
}

func testRemoveUpload(t *testing.T, s *suite) {
	s.clean(t)
	u, _, p := s.home(t)
	made, e := s.upload(t, newUpload(p.ID, u.ID, s.name("upload"))), s.event()
	at := registry.UploadAddress{ProjectID: p.ID, Secret: made.Secret, Name: made.Name}
	must(t, 0, s.RemoveUpload(t.Context(), at, e))
	_, err := s.FindUpload(t.Context(), at)
	wantKind(t, err, fault.NotFound)
	wantSame(t, "the target", s.wantTold(t, e, 1).Target, audit.Target{Type: "Upload", ID: made.ID, Details: string(made.Name)})
	wantSame(t, "swept", s.swept(t, now().Add(time.Minute)), []blob.Digest{made.Digest})
}

func testRemoveNoUpload(t *testing.T, s *suite) {
	u, g, p := s.home(t)
	made, e := s.upload(t, newUpload(p.ID, u.ID, "upload")), s.event()
	for _, at := range []registry.UploadAddress{{ProjectID: p.ID, ID: 999999}, {ProjectID: s.project(t, g.ID, u).ID, ID: made.ID}} {
		wantKind(t, s.RemoveUpload(t.Context(), at, e), fault.NotFound)
	}
	s.wantTold(t, e, 0)
	_, err := s.FindUpload(t.Context(), registry.UploadAddress{ProjectID: p.ID, ID: made.ID})
	must(t, 0, err)
}
