package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	imageUser    = 65532 // no account of any system: what distroless images call nonroot
	certificates = "/etc/ssl/certs/ca-certificates.crt"
)

// writeImage makes one OCI image of the Linux targets that run in containers, each its own
// part, as a layout in a tar file. Its certificates are those of this machine.
func (r *release) writeImage(packed []parts) error {
	index := v1.ImageIndex(empty.Index)
	index = mutate.IndexMediaType(index, types.OCIImageIndex)
	found := false
	for _, p := range packed {
		if p.target.os != "linux" || p.target.arm != "" {
			continue
		}
		image, err := r.image(p)
		if err != nil {
			return err
		}
		found = true
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.target.os, Architecture: p.target.arch}}})
	}
	if !found {
		return nil
	}
	name := "granary_" + r.number() + "_image.tar"
	r.say("packing %s", name)
	folder := filepath.Join(r.work, "image")
	l, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	named := map[string]string{"org.opencontainers.image.ref.name": r.number()}
	if err := l.AppendIndex(index, layout.WithAnnotations(named)); err != nil {
		return err
	}
	entries, err := treeOf(folder)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(r.out, name), func(w io.Writer) error { return writeTar(w, entries, r.date) })
}

// image is the program, certificates and licences, a folder for data and one for temporary
// files; nothing else.
func (r *release) image(p parts) (v1.Image, error) {
	layer, err := r.layer(p)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, MediaType: types.OCILayer,
		History: v1.History{Created: v1.Time{Time: r.date}, CreatedBy: "granary's make release"}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = p.target.os, p.target.arch, v1.Time{Time: r.date}
	config.Config = r.imageConfig()
	return mutate.ConfigFile(image, config)
}

func (r *release) imageConfig() v1.Config {
	return v1.Config{
		User:       fmt.Sprintf("%d:%d", imageUser, imageUser),
		Entrypoint: []string{"/usr/bin/granary"},
		Cmd:        []string{"serve", "--data-dir", "/data", "--listen", "0.0.0.0:8080"},
		// Other commands in the container find the data as the server does.
		Env:          []string{"PATH=/usr/bin", "GRANARY_DATA_DIR=/data"},
		WorkingDir:   "/data",
		Volumes:      map[string]struct{}{"/data": {}},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "granary",
			"org.opencontainers.image.description": "A generic package registry in one program",
			"org.opencontainers.image.version":     r.number(),
			"org.opencontainers.image.revision":    r.commit,
			"org.opencontainers.image.created":     r.date.Format("2006-01-02T15:04:05Z"),
			"org.opencontainers.image.licenses":    "MIT",
		},
	}
}

func (r *release) layer(p parts) (v1.Layer, error) {
	entries := []entry{
		{name: "data/", mode: 0o700, user: imageUser},
		{name: "etc/", mode: 0o755},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: certificates[1:], mode: 0o644, from: certificates},
		{name: "tmp/", mode: 0o777 | os.ModeSticky},
		{name: "usr/", mode: 0o755},
		{name: "usr/bin/", mode: 0o755},
		{name: "usr/bin/granary", mode: 0o755, from: p.program},
		{name: "usr/share/", mode: 0o755},
		{name: "usr/share/doc/", mode: 0o755},
		{name: "usr/share/doc/granary/", mode: 0o755},
		{name: "usr/share/doc/granary/LICENSE", mode: 0o644, from: filepath.Join(r.source, "LICENSE")},
		{name: "usr/share/doc/granary/THIRD_PARTY_LICENSES", mode: 0o644, from: p.licences},
	}
	var files bytes.Buffer
	if err := writeTar(&files, entries, r.date); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil },
		tarball.WithCompressedCaching, tarball.WithCompressionLevel(9), tarball.WithMediaType(types.OCILayer))
}

// treeOf are all files and folders below a folder, in the order of their names.
func treeOf(folder string) ([]entry, error) {
	var entries []entry
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			entries = append(entries, entry{name: name + "/", mode: 0o755})
		} else {
			entries = append(entries, entry{name: name, mode: 0o644, from: path})
		}
		return nil
	})
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return entries, err
}
