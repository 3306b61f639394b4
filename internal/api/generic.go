package api

import (
	"net/http"
	"strconv"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/wire"
)

// genericPath publishes and installs files (contract generic-packages 1). The others are
// granary's own. ServeMux cannot tell them from routes with the id of a package, so the
// door splits off all of them.
const (
	genericName    = "/projects/{id}/packages/generic/{name}"
	genericChannel = genericName + "/@{channel}"
	genericVersion = genericName + "/{version}"
	genericPath    = genericVersion + "/{file...}"
	genericPattern = prefix + genericPath
)

// draftQuery is the query of addresses in a draft.
const draftQuery = "?status=draft"

// genericFault words a refusal for routes that log in: an anonymous caller is asked to
// log in for what it may not see, and a 404 names nothing (contract generic-packages
// 0.6, 2.6).
func genericFault(a access.Actor, err error) error {
	switch {
	case !fault.Is(err, fault.Hidden):
		return err
	case a.Kind == access.Anonymous:
		return fault.Wrap(fault.Unauthenticated, "", err)
	}
	return fault.Wrap(fault.Hidden, "", err)
}

// putFile publishes.
func putFile(c *call) error {
	options, wantRow, bad := c.publishOptions()
	options.Bad = bad
	f, err := c.s.Registry.Publish(c.r.Context(), c.actor, c.ref, c.raw, c.r.Body, options)
	if err != nil {
		return err
	}
	if f.Draft {
		c.w.Header()["X-Package-Status"] = []string{"draft"}
	}
	if wantRow {
		return c.ok(packageFileRow(c, f, c.raw))
	}
	return c.created(message("201 Created", ""))
}

// publishOptions reads the headers and the query of a publish.
func (c *call) publishOptions() (o registry.PublishOptions, wantRow bool, err error) {
	o.Length, o.Sender = c.r.ContentLength, c
	if part := header(c.r.Header, "Content-Range"); part != "" { // RFC 9110 14.5: otherwise a part would become the whole file
		return o, false, fault.New(fault.Refused, "Content-Range is not supported, send the whole file")
	}
	c.readQuery()
	p := c.params
	if len(p.values["status"]) > 1 { // a draft, and not a draft
		p.fail("status is there more than once")
	}
	switch status := registry.Status(p.choice("status", "default", "hidden", "draft")); status {
	case "":
	case registry.StatusDraft:
		o.Draft = true
	default:
		o.Status = &status
	}
	wantRow = p.choice("select", "package_file") != ""
	declared, err := declaredDigests(c.r.Header)
	if err != nil {
		return o, wantRow, err
	}
	o.Digest, o.Checksums = declared.split()
	if o.If, err = condition(c.r.Header); err != nil {
		return o, wantRow, err
	}
	return o, wantRow, p.err()
}

// getFile installs.
func getFile(c *call) error {
	if kind := wholeFileOf(c.raw); kind != nil {
		return c.sendWhole(kind)
	}
	open := c.s.Registry.Open
	if draft, err := c.wantsDraft(); err != nil {
		return err
	} else if draft {
		open = c.s.Registry.OpenDraft
	}
	content, err := open(c.r.Context(), c.actor, c.ref, c.raw, c.refused)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	c.noteDownload(content.File)
	if content.Selected != nil {
		return c.sendSelected(content)
	}
	return c.send(content, contentType(content.Name.Base()))
}

// noteDownload notes that a file, or its whole version, is downloaded, and says if it is
// yanked or a draft.
func (c *call) noteDownload(f registry.File) {
	switch {
	case f.Draft:
		c.w.Header()["X-Package-Status"] = []string{"draft"}
		return
	case f.Yanked:
		c.w.Header()["X-Package-Status"] = []string{"yanked"}
	}
	if c.r.Method == http.MethodGet {
		c.s.Registry.Downloaded(f)
	}
}

// packageFileRow is the answer to select=package_file. GitLab's file.url is a
// path in its storage, which release tools took for a link; here it is a link.
func packageFileRow(c *call, f registry.File, at registry.Raw) wire.PackageFileRow {
	path := strings.ReplaceAll(string(f.Name), "%2F", "/")
	if f.Draft {
		path += draftQuery
	}
	return wire.PackageFileRow{
		ID: f.ID, PackageID: f.PackageID, ProjectID: f.ProjectID,
		CreatedAt: wire.Time(f.CreatedAt), UpdatedAt: wire.Time(f.CreatedAt),
		Size: f.Size, FileStore: 1, FileName: string(f.Name), FileSHA256: f.Digest.String(), Status: string(f.Status),
		File: wire.StoredFile{URL: c.base() + prefix + "/projects/" + strconv.FormatInt(f.ProjectID, 10) +
			"/packages/generic/" + at.Name + "/" + at.Version + "/" + path},
	}
}
