package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"time"

	"granary/internal/daemon"
)

// fsckJSON prints one document. The findings come first, as they are found: they may be
// more than memory holds.
type fsckJSON struct {
	w     io.Writer
	begun bool
}

// jsonFinding is a finding in the document.
type jsonFinding struct {
	Kind        daemon.FindingKind `json:"kind"`
	SHA256      string             `json:"sha256,omitempty"`
	Size        *int64             `json:"size,omitempty"` // bytes on record; of stray bytes, in the store
	InDatabase  bool               `json:"in_database,omitempty"`
	FoundSize   *int64             `json:"found_size,omitempty"`
	FoundSHA256 string             `json:"found_sha256,omitempty"`
	Counted     *int64             `json:"counted,omitempty"`
	Written     *time.Time         `json:"written,omitempty"`
	Reason      string             `json:"reason,omitempty"`
	Files       []jsonUse          `json:"files,omitempty"` // at most 10
	AllFiles    *int64             `json:"all_files,omitempty"`
	Repaired    bool               `json:"repaired"`
	From        string             `json:"repaired_from,omitempty"` // where in the place, if it has several
	NotRepaired string             `json:"not_repaired,omitempty"`
	Quarantined bool               `json:"quarantined,omitempty"`
	NotAside    string             `json:"not_quarantined,omitempty"`
}

type jsonUse struct {
	Project string `json:"project"`
	Package string `json:"package,omitempty"` // "" of an upload
	Version string `json:"version,omitempty"`
	File    string `json:"file"`
}

// jsonChecked is the rest of the document.
type jsonChecked struct {
	Whole       bool                         `json:"whole"`
	Complete    bool                         `json:"complete"` // everything was looked at
	Files       int64                        `json:"files"`
	Versions    int64                        `json:"versions"`
	Blobs       int64                        `json:"blobs"`
	InDatabase  int64                        `json:"in_database"`
	There       int64                        `json:"there"`
	Read        int64                        `json:"read"`
	ReadBytes   int64                        `json:"read_bytes"`
	Found       map[daemon.FindingKind]int64 `json:"found"`
	Repaired    map[daemon.FindingKind]int64 `json:"repaired"`
	StrayBytes  int64                        `json:"stray_bytes"`
	LeftUploads int                          `json:"left_uploads"`
	Kept        *jsonKept                    `json:"kept,omitempty"` // if that could be looked at
}

func (p *fsckJSON) finding(f daemon.Finding) error {
	before := "{\"findings\":[\n"
	if p.begun {
		before = ",\n"
	}
	p.begun = true
	return p.write(before, newJSONFinding(f), "")
}

func newJSONFinding(f daemon.Finding) jsonFinding {
	out := jsonFinding{
		Kind: f.Kind, InDatabase: f.InDatabase, Reason: f.Reason, Repaired: f.Mended, From: f.From, NotRepaired: f.Refusal,
		Quarantined: f.Aside, NotAside: f.NotAside,
	}
	if f.Kind != daemon.Database && f.Kind != daemon.Derived && f.Kind != daemon.NoIdentity && f.Kind != daemon.LostRecords {
		out.SHA256, out.Size = f.Digest.String(), &f.Size
	}
	switch f.Kind {
	case daemon.OtherSize, daemon.WrongRecord:
		out.FoundSize = &f.FoundSize
	case daemon.WrongUses:
		out.Counted = &f.Counted
	case daemon.Stray:
		out.Written = &f.Written
	}
	if f.FoundDigest != nil {
		out.FoundSHA256 = f.FoundDigest.String()
	}
	for _, u := range f.Uses {
		out.Files = append(out.Files, jsonUse(u))
	}
	if len(f.Uses) > 0 || f.Kind == daemon.WrongUses {
		out.AllFiles = &f.AllUses
	}
	return out
}

func (p *fsckJSON) end(done daemon.Checked, kept *daemon.Kept, failed error) error {
	before := "],\n"
	if !p.begun {
		before = "{\"findings\":[],\n"
	} else {
		before = "\n" + before
	}
	out := jsonChecked{
		Whole: failed == nil && !done.Damaged(), Complete: failed == nil, Files: done.Files, Versions: done.Versions, Blobs: done.Blobs,
		InDatabase: done.InDatabase, There: done.There, Read: done.Read, ReadBytes: done.ReadBytes,
		Found: map[daemon.FindingKind]int64{}, Repaired: map[daemon.FindingKind]int64{}, StrayBytes: done.StrayBytes, LeftUploads: done.LeftUploads,
	}
	for _, kind := range []daemon.FindingKind{
		daemon.MissingBytes, daemon.OtherSize, daemon.WrongBytes, daemon.WrongRecord, daemon.WrongUses, daemon.Stray, daemon.Unread, daemon.Database, daemon.Derived, daemon.NoIdentity, daemon.LostRecords,
	} {
		out.Found[kind], out.Repaired[kind] = done.Found[kind], done.Mended[kind]
	}
	if kept != nil {
		out.Kept = newJSONKept(*kept, time.Now())
	}
	return p.write(before, out, "\n")
}

// write prints a value between two texts. The last value begins after the document's
// brace: its own is left out.
func (p *fsckJSON) write(before string, v any, after string) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	line := bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	if _, last := v.(jsonChecked); last {
		line = line[1:]
	}
	_, err := io.WriteString(p.w, before+string(escapeControls(line))+after)
	return err
}
