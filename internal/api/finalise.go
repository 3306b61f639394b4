package api

import (
	"cmp"
	"errors"
	"io"
	"iter"
	"maps"
	"mime"
	"net/http"
	"slices"

	"granary/internal/fault"
	"granary/internal/proof"
	"granary/internal/registry"
	"granary/internal/wire"
)

// maxListing is how many bytes a listing may have: 10,000 files with paths of 180 bytes. The
// digest of the manifest says the same in 64.
const maxListing = 5 << 19

// finaliseVersion makes a draft or an open version final. As text/plain, the body is a
// listing of what must be there.
func finaliseVersion(c *call) error {
	o, err := c.finaliseOptions()
	if err != nil {
		return err
	}
	v, isNew, err := c.s.Registry.FinaliseVersion(c.r.Context(), c.actor, c.ref, c.raw, o)
	switch {
	case err != nil:
		return err
	case isNew:
		return c.wholeVersion(http.StatusCreated, v)
	}
	return c.wholeVersion(http.StatusOK, v)
}

// finaliseOptions reads what the caller expects, from a listing, or parameters.
func (c *call) finaliseOptions() (o registry.FinaliseOptions, err error) {
	most := int64(maxBody)
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if kind == "text/plain" {
		most = maxListing
	}
	free, err := c.takeBody(most)
	if err != nil {
		return o, err
	}
	defer free()
	if kind == "text/plain" {
		if o.Files, err = c.readListing(); err != nil {
			return o, err
		}
		c.readQuery()
	} else if c.params, err = readParams(c.r); err != nil {
		return o, err
	} else {
		c.listen()
	}
	if err := c.sudo(); err != nil {
		return o, err
	}
	p := c.params
	if status := registry.Status(p.choice("status", "default", "hidden")); status != "" {
		o.Status = &status
	}
	_, sent := p.values["manifest_sha256"]
	if sent || p.null["manifest_sha256"] {
		digest, err := registry.ParseDigest(p.str("manifest_sha256"))
		if err != nil {
			p.fail("manifest_sha256 is invalid, want 64 hexadecimal digits")
		}
		o.Manifest = &digest
	}
	c.checkNames()
	o.Bad = p.err()
	return o, nil
}

// checkNames refuses parameters that nobody reads: one that is misspelt, or a listing
// without its content type, would drop what the caller expects, and nothing undoes a
// finalise.
func (c *call) checkNames() {
	known := []string{"manifest_sha256", "status", "sudo", "private_token", "job_token", "token", "access_token"}
	for _, names := range []iter.Seq[string]{maps.Keys(c.params.values), maps.Keys(c.params.null)} {
		for name := range names {
			if !slices.Contains(known, name) {
				c.params.fail("there is a parameter that is none of manifest_sha256, status; a listing needs Content-Type: text/plain")
				return
			}
		}
	}
}

func (c *call) readListing() ([]proof.File, error) {
	text, err := io.ReadAll(c.r.Body)
	if err != nil {
		return nil, bodyFault(err, "listing")
	}
	files, err := proof.ParseListing(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, err.Error())
	}
	return files, nil
}

// findVersion finds the version of the address: with status=draft, a draft.
func (c *call) findVersion() (registry.WholeVersion, error) {
	draft, err := c.wantsDraft()
	switch {
	case err != nil:
		return registry.WholeVersion{}, err
	case draft:
		return c.s.Registry.FindDraft(c.r.Context(), c.actor, c.ref, c.raw, c.refused)
	}
	return c.s.Registry.FindVersion(c.r.Context(), c.actor, c.ref, c.raw, c.refused)
}

// wantsDraft reports whether a GET asks for what is in a draft. Other values of the
// parameter are ignored, as in GitLab.
func (c *call) wantsDraft() (bool, error) {
	if c.r.URL.RawQuery == "" {
		return false, nil
	}
	c.readQuery()
	draft := c.params.str("status") == string(registry.StatusDraft)
	return draft, c.params.err()
}

// conflictBody is the body of a 409, with the paths by which a version is not what was
// expected.
func conflictBody(err *fault.Error) any {
	text := cmp.Or(err.Msg, "409 Conflict")
	e, ok := errors.AsType[*registry.UnexpectedError](err)
	if !ok {
		return message(text, "")
	}
	return wire.Unexpected{
		Message: text, Missing: append([]string{}, e.Missing...), Extra: append([]string{}, e.Extra...), Differs: append([]string{}, e.Differs...),
	}
}
