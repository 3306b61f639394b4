package ui

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/registry"
)

// newUpload is the form of files for a new version, for the template upload-new.
type newUpload struct {
	Form          *form
	To            string // below which dropped files are sent
	Action        string // that takes the form without script
	Name, Version string
	Rules         naming.Rules
	Protected     string // why nothing may be published to Name; "" if something may
}

func (v *visit) newUpload(name, version string) newUpload {
	full := v.project.FullPath
	return newUpload{
		Form: v.form, To: v.s.in(full, "packages", "generic") + "/", Action: v.s.in(full, "packages", "new"),
		Name: name, Version: version, Rules: v.rules(),
	}
}

// rules are the project's naming, for the browser.
func (v *visit) rules() naming.Rules {
	if own := v.project.Naming; own != nil {
		return own.Rules()
	}
	return v.s.Registry.Naming.Rules()
}

// showUpload is the page that publishes a new version.
func showUpload(v *visit) error {
	if !v.can(access.PublishPackage) {
		return fault.New(fault.Denied, "You need the role Developer to publish here")
	}
	u := v.newUpload(v.query("name"), v.query("version"))
	if u.Name != "" {
		open, err := v.s.Registry.MayPublishTo(v.r.Context(), v.actor, number(v.project.ID), u.Name)
		if err != nil {
			return err
		}
		if !open {
			u.Protected = "A protection rule of this project keeps you from publishing to " + u.Name + "."
		}
	}
	return v.show(screen{name: "upload", title: "Upload · " + v.project.FullPath, tab: "packages", crumbs: v.packageCrumbs(), data: u})
}

// putFile publishes one file that a script of ours sends, with its digest declared. The
// answer is JSON, for the script.
func putFile(v *visit) error {
	raw := registry.Raw{Name: v.values["name"], Version: v.values["version"], File: v.values["file"]}
	f, err := v.publish(raw, v.r.Body, v.r.ContentLength, v.r.Header.Get("X-Checksum-Sha256"))
	if err != nil {
		return err
	}
	v.answer(http.StatusCreated, map[bool]string{true: "in the draft", false: "published"}[f.Draft])
	return nil
}

// publish stores one file.
func (v *visit) publish(raw registry.Raw, body io.Reader, length int64, digest string) (registry.File, error) {
	o := registry.PublishOptions{Length: length, Sender: v}
	if digest != "" {
		d, err := registry.ParseDigest(digest)
		if err != nil {
			return registry.File{}, fault.Wrap(fault.Invalid, "X-Checksum-SHA256 is not the SHA-256 of a file", err)
		}
		o.Digest = &d
	}
	return v.s.Registry.Publish(v.r.Context(), v.actor, number(v.project.ID), raw, body, o)
}

// Again implements registry.Sender: it finds the actor of the session as of now, since a
// body may take hours.
func (v *visit) Again(ctx context.Context) (access.Actor, error) {
	a, _, err := v.s.Auth.FindSession(ctx, v.cookieOf().read(v.r), v.from())
	return a, err
}

// Limits of a form with a file: the bytes of a text field, and the number of parts.
const (
	maxField = 4 << 10
	maxParts = 8
)

// uploadForm publishes one file of a form without script. The file is a stream, so the
// fields before it say where it goes. Nothing is read for those who may not publish.
func uploadForm(v *visit) error {
	if err := v.need(access.PublishPackage); err != nil {
		return err
	}
	reader, err := v.r.MultipartReader()
	if err != nil {
		return fault.Wrap(fault.Invalid, "The form has no file", err)
	}
	v.form.values = map[string][]string{}
	for range maxParts {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return v.again(showUpload, fault.Field("file", "is missing: choose a file"))
		}
		if err != nil {
			return fault.Wrap(fault.Timeout, "", err)
		}
		if name := fileNameOf(part.Header.Get("Content-Disposition")); part.FormName() == "file" && name != "" {
			raw := registry.Raw{Name: v.sent("name"), Version: v.sent("version"), File: name}
			f, err := v.publish(raw, part, -1, "")
			if err != nil {
				return v.again(showUpload, err)
			}
			return v.see(v.s.in(v.project.FullPath, "packages", "generic", raw.Name, raw.Version), map[bool]string{true: "drafted", false: "published"}[f.Draft])
		}
		if field := part.FormName(); field == "name" || field == "version" {
			text, err := io.ReadAll(io.LimitReader(part, maxField))
			if err != nil {
				return fault.Wrap(fault.Timeout, "", err)
			}
			v.form.values.Set(field, string(text))
		}
	}
	return v.again(showUpload, fault.New(fault.Invalid, "The form has more than "+number(maxParts)+" parts before its file"))
}

// fileNameOf is the name that a browser gives a file. It is the name alone: some send the
// path on the sender's machine.
func fileNameOf(disposition string) string {
	_, params, err := mime.ParseMediaType(disposition)
	if err != nil {
		return ""
	}
	name := params["filename"]
	return name[strings.LastIndexAny(name, `/\`)+1:]
}
