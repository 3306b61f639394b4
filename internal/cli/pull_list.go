package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"granary/internal/client"
)

const maxPullList = 256 << 20 // bytes

// pullList says what pulls of one package have put into a directory. It is kept
// there, so that a later pull knows what it may remove.
type pullList struct {
	Server  string       `json:"server"`
	Project string       `json:"project"` // its id, as projectID finds it
	Name    string       `json:"name"`
	Files   []listedFile `json:"files"` // by path; twice if a pull that would replace one broke off
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

// projectID is the id of a project that may also be named by its path: one package has
// one list. If the token cannot see the project, as deploy tokens cannot, it is the
// name that was given.
func projectID(ctx context.Context, c *client.Client, named string) string {
	id, err := strconv.ParseInt(named, 10, 64)
	if err != nil {
		project, err := c.Project(ctx, named)
		if err != nil {
			return named
		}
		id = project.ID
	}
	return strconv.FormatInt(id, 10)
}

// readPullList reads the list of a package; it is empty if there is none.
func (p *pull) readPullList(root *os.Root) (pullList, error) {
	l := pullList{Server: p.client.Server(), Project: p.owner, Name: p.at.Name}
	if root == nil {
		return l, nil
	}
	kept, err := p.readListFile(root, l.fileName())
	if len(kept.Files) > 0 && (kept.Server != l.Server || kept.Project != l.Project || kept.Name != l.Name) {
		return l, refused("%s belongs to another package, %s of %s; pull into another directory",
			filepath.Join(p.dir, l.fileName()), kept.Name, kept.Project)
	}
	l.Files = kept.Files
	return l, err
}

// hold keeps other pulls out of the directory until unlock: two at once could leave it
// with a part of each version. If it cannot lock, as in a directory without permission
// to write, the pull continues, and keeps no list.
func (p *pull) hold(ctx context.Context, root *os.Root) (unlock func(), err error) {
	if root == nil || p.dryRun {
		return func() {}, nil
	}
	unlock, p.unheld = client.LockPullLists(ctx, root, func() {
		if !p.quiet {
			p.env.notice("another pull is running in %s; waiting for its end", p.dir)
		}
	})
	if p.unheld != nil {
		return func() {}, ctx.Err()
	}
	return unlock, nil
}

// keep writes the list down.
func (p *pull) keep(root *os.Root, list pullList) error {
	if p.unheld != nil {
		return p.unheld
	}
	return list.write(root)
}

// readListFile reads a list by its file's name; what is not there is empty.
func (p *pull) readListFile(root *os.Root, name string) (l pullList, err error) {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil && !info.Mode().IsRegular() { // a FIFO would be waited for
		err = errors.New("it is not a file")
	}
	var text []byte
	if err == nil {
		var f *os.File
		if f, err = root.Open(name); err != nil {
			return l, err
		}
		defer f.Close()
		text, err = io.ReadAll(io.LimitReader(f, maxPullList))
	}
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		return l, refused("the list of pulled files, %s, cannot be read: %s; remove it to start a new one",
			filepath.Join(p.dir, name), reason(err))
	}
	// Nothing of git's was put there by a pull, whatever the list says.
	l.Files = slices.DeleteFunc(l.Files, func(f listedFile) bool { return inGit(f.Path) })
	return l, nil
}

// claims is the files that the lists of other packages in the directory name. Names
// that a file system may take for the same are one.
type claims map[string]bool

func (c claims) has(path string) bool { return c[strings.ToLower(path)] }

// readClaims reads the lists of other packages. A list that cannot be read is an
// error: its claims are unknown.
func (p *pull) readClaims(root *os.Root, own pullList) (claims, error) {
	c := claims{}
	if root == nil {
		return c, nil
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return c, fmt.Errorf("%s cannot be read: %s", p.dir, reason(err))
	}
	for _, e := range entries {
		if !client.IsPullList(e.Name()) || e.Name() == own.fileName() {
			continue
		}
		other, err := p.readListFile(root, e.Name())
		if err != nil {
			return c, err
		}
		for _, f := range other.Files {
			c[strings.ToLower(f.Path)] = true
		}
	}
	return c, nil
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

// without is the list without these entries.
func (l pullList) without(gone map[listedFile]bool) pullList {
	l.Files = slices.DeleteFunc(slices.Clone(l.Files), func(f listedFile) bool { return gone[f] })
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

// noted is the new content of the list: the files that are fetched, and those that are
// there already and in another package's list, because this package needs them, too. A
// file that is there and in no list belongs to the user.
func noted(files []pulled, others claims) (known []listedFile) {
	for _, f := range files {
		if f.SHA256 != "" && (f.Action == "download" || others.has(f.Path)) {
			known = append(known, listedFile{f.Path, f.Size, f.SHA256})
		}
	}
	return known
}

// installListed installs the files, and keeps the list true: what may come to be is
// noted before the first byte, what has been replaced is forgotten after the last.
func (p *pull) installListed(ctx context.Context, root *os.Root, files []pulled, list pullList) (pullList, error) {
	others, err := p.readClaims(root, list)
	if err != nil {
		return list, err
	}
	fetched := noted(files, others)
	begun, kept := list.with(fetched), true
	if !slices.Equal(begun.Files, list.Files) {
		if err := p.keep(root, begun); err != nil {
			kept = false
			p.env.notice("the list of pulled files cannot be written in %s, so --prune will not know these files: %s", p.dir, reason(err))
		}
	}
	if err := p.install(ctx, root, files); err != nil {
		return begun, err
	}
	fresh := map[string]bool{}
	for _, f := range files {
		fresh[f.Path] = f.Action == "download"
	}
	ended := list.without(list.of(fresh)).with(fetched)
	if kept && !slices.Equal(begun.Files, ended.Files) {
		return ended, p.keep(root, ended)
	}
	return ended, nil
}

// sweep removes partial files in the directories of this pull that the next pull of
// this version cannot resume. A failure does not stop the pull.
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
		removed, _ := client.Sweep(root, dir, keep)
		for _, name := range removed {
			if !p.quiet {
				p.env.notice("removed the rest of a broken download: %s", onOneLine(filepath.Join(p.dir, name)))
			}
		}
	}
}
