package api

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/wire"
)

// uploadsPath takes one file as multipart/form-data (contract rest-api G4). The body may
// be large, so it is read as a stream, not as parameters.
const uploadsPath = "/projects/{id}/uploads"

const (
	maxFieldsBefore = 100     // other fields that may come before the file
	maxFieldSize    = 1 << 20 // bytes of each
)

func createUpload(c *call) error {
	u, err := c.s.Registry.Upload(c.r.Context(), c.actor, c.path("id"), c, c.uploadedFile)
	if err != nil {
		return err
	}
	return c.created(uploadAnswer(u))
}

// uploadedFile finds the field "file" in the body.
func (c *call) uploadedFile() (string, io.Reader, error) {
	parts, err := c.r.MultipartReader()
	if err != nil {
		return "", nil, fault.Wrap(fault.Invalid, "file is missing: send it as multipart/form-data", err)
	}
	for range maxFieldsBefore {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return "", nil, fault.New(fault.Invalid, "file is missing")
		case err != nil:
			return "", nil, fault.Wrap(fault.Invalid, "the body is not valid multipart/form-data: "+err.Error(), err)
		case part.FormName() == "file" && part.FileName() != "":
			return part.FileName(), part, nil
		case part.FormName() == "file":
			return "", nil, fault.New(fault.Invalid, "file is invalid")
		case part.FormName() == "sudo": // the actor was settled before the body is read
			return "", nil, fault.New(fault.Invalid, "sudo is invalid: uploads take it in the header Sudo or in the query")
		}
		if n, err := io.Copy(io.Discard, io.LimitReader(part, maxFieldSize+1)); err != nil || n > maxFieldSize {
			return "", nil, fault.Wrap(fault.Invalid, "file is missing: a field before it cannot be read", err)
		}
	}
	return "", nil, fault.New(fault.Invalid, "file is missing: too many fields come before it")
}

func uploadAnswer(u registry.Upload) wire.Upload {
	name := string(u.Name)
	at := "/uploads/" + u.Secret + "/" + url.PathEscape(name)
	w := wire.Upload{
		ID: u.ID, Alt: name, URL: at, FullPath: fmt.Sprintf("/-/project/%d", u.ProjectID) + at,
		Markdown: "[" + name + "](" + at + ")",
	}
	// GitLab shows pictures inline, with a name without the extension.
	if ext := extension(name); len(ext)+1 < len(name) && slices.Contains(pictures(), ext) {
		w.Alt = name[:len(name)-len(ext)-1]
		w.Markdown = "![" + w.Alt + "](" + at + ")"
	}
	return w
}

func pictures() []string {
	return []string{
		"png", "jpg", "jpeg", "gif", "bmp", "tiff", "ico", "webp",
		"mp4", "m4v", "mov", "webm", "ogv", "mp3", "oga", "ogg", "spx", "wav",
	}
}

// getUpload answers with an uploaded file, with the same headers as a package's file.
func (c *call) getUpload(project, secret, name string) error {
	content, err := c.s.Registry.OpenUpload(c.r.Context(), c.actor, project, secret, name)
	if err != nil {
		return err
	}
	return c.sendUpload(content)
}

func (c *call) sendUpload(content *registry.Content) error {
	defer func() { _ = content.Close() }() // it was only read
	return c.send(content, contentType(content.Name.Base()))
}

// getProjectUpload answers with an upload by the id of its project, an address that
// stays if the project is renamed. The id is a number; webUpload takes paths.
func getProjectUpload(c *call) error {
	id, err := c.id("id")
	if err != nil {
		return fault.Wrap(fault.Absent, "", err)
	}
	return c.getUpload(strconv.FormatInt(id, 10), c.path("secret"), c.path("file"))
}
