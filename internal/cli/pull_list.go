package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"granary/internal/client"
)

const maxPullList = 256 << 20 // bytes

// pullList says what pulls of one package have put into a directory. It is kept
// there, so that a later pull knows what it may remove.
type pullList struct {
	Server  string       `json:"server"`
	Project string       `json:"project"` // as it was named
	Name    string       `json:"name"`
	Files   []listedFile `json:"files"` // by path; twice where a pull that would replace one was broken off
}

// listedFile is a file as it was installed.
type listedFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// fileName is what the list is called: by the package, and the server and project
// it is from.
func (l pullList) fileName() string {
	sum := sha256.Sum256([]byte(l.Server + "\n" + l.Project + "\n" + l.Name))
	readable := strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && !strings.ContainsRune(`/\:*?"<>|`, r) {
			return r
		}
		return '_'
	}, l.Name)
	return client.PullListName(readable[:min(len(readable), 64)] + "-" + hex.EncodeToString(sum[:4]))
}

// readPullList reads the list of a package; where there is none it is empty.
func (p *pull) readPullList(root *os.Root) (pullList, error) {
	l := pullList{Server: p.client.Server(), Project: p.at.Project, Name: p.at.Name}
	if root == nil {
		return l, nil
	}
	f, err := root.Open(l.fileName())
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	var text []byte
	if err == nil {
		defer f.Close()
		text, err = io.ReadAll(io.LimitReader(f, maxPullList))
	}
	kept := pullList{}
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return l, refused("the list of what was pulled, %s, cannot be read: %s; nothing was installed, remove it to begin a new one",
			filepath.Join(p.dir, l.fileName()), reason(err))
	}
	l.Files = kept.Files
	return l, nil
}

// with is the list with these files added.
func (l pullList) with(files []listedFile) pullList {
	l.Files = append(slices.Clone(l.Files), files...)
	slices.SortFunc(l.Files, func(a, b listedFile) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.SHA256, b.SHA256), cmp.Compare(a.Size, b.Size))
	})
	l.Files = slices.Compact(l.Files)
	return l
}

// without is the list without what it says of these paths.
func (l pullList) without(gone func(path string) bool) pullList {
	l.Files = slices.DeleteFunc(slices.Clone(l.Files), func(f listedFile) bool { return gone(f.Path) })
	return l
}

func (l pullList) write(root *os.Root) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", " ")
	if err := enc.Encode(l); err != nil {
		return err
	}
	return client.WriteFile(root, l.fileName(), text.Bytes())
}

// noted is what the list is to say of the files that are fetched.
func noted(files []pulled) (fetched []listedFile) {
	for _, f := range files {
		if f.Action == "download" && f.SHA256 != "" {
			fetched = append(fetched, listedFile{f.Path, f.Size, f.SHA256})
		}
	}
	return fetched
}

// installListed installs the files, and keeps the list true: what may come to be is
// noted before the first byte, what has been replaced is forgotten after the last.
func (p *pull) installListed(ctx context.Context, root *os.Root, files []pulled, list pullList) (pullList, error) {
	fetched := noted(files)
	begun := list.with(fetched)
	kept := true
	if !slices.Equal(begun.Files, list.Files) {
		if err := begun.write(root); err != nil {
			kept = false
			p.env.notice("no list can be kept in %s, so that --prune will not know these files: %s", p.dir, reason(err))
		}
	}
	if err := p.install(ctx, root, files); err != nil {
		return begun, err
	}
	fresh := map[string]bool{}
	for _, f := range files {
		fresh[f.Path] = f.Action == "download"
	}
	ended := list.without(func(path string) bool { return fresh[path] }).with(fetched)
	if kept && !slices.Equal(begun.Files, ended.Files) {
		return ended, ended.write(root)
	}
	return ended, nil
}

// sweep removes what broken downloads left where this one has files, and cannot be
// taken up by the next pull of this version. That it fails is no reason not to pull.
func (p *pull) sweep(root *os.Root, files []pulled, list pullList) {
	keep := slices.Clone(p.listed)
	dirs := map[string]bool{}
	for _, f := range files {
		dirs[filepath.Dir(filepath.FromSlash(f.Path))] = true
	}
	for _, f := range list.Files {
		dirs[filepath.Dir(filepath.FromSlash(f.Path))] = true
		keep = append(keep, client.File{Path: f.Path})
	}
	for dir := range dirs {
		_, _ = client.Sweep(root, dir, keep)
	}
}
