package api

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"

	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/wire"
)

const maxPipelines = 20 // a page

// cursor says where a list continues. Clients send it back unchanged.
type cursor struct {
	ID        string `json:"id"`
	Direction string `json:"_kd"` // "n": the rows after the row with the id
}

// String is the cursor as text of the wire.
func (c cursor) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// parseCursor returns the id after which a list continues, 0 for the first page. Padding
// is optional.
func parseCursor(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	for len(text) > 0 && text[len(text)-1] == '=' {
		text = text[:len(text)-1]
	}
	invalid := fault.New(fault.Invalid, "cursor is invalid")
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return 0, invalid
	}
	var c cursor
	if err := json.Unmarshal(decoded, &c); err != nil || c.Direction != "n" {
		return 0, invalid
	}
	id, err := strconv.ParseInt(c.ID, 10, 64)
	if err != nil || id <= 0 {
		return 0, invalid
	}
	return id, nil
}

// listPackagePipelines pages by cursor only (contract rest-api A4).
func listPackagePipelines(c *call) error {
	id, err := c.id("package_id")
	if err != nil {
		return err
	}
	limit := int64(maxPipelines)
	if n := c.params.optionalInteger("per_page"); n != nil {
		if limit = *n; limit < 1 || limit > maxPipelines {
			c.params.fail("per_page does not have a valid value")
		}
	}
	before, err := parseCursor(c.params.str("cursor"))
	if err != nil {
		c.params.fail(err.Error())
	}
	if err := c.params.err(); err != nil {
		return err
	}
	found, more, err := c.s.Registry.PackagePipelines(c.r.Context(), c.actor, c.path("id"), id, before, int(limit))
	if err != nil {
		return err
	}
	rows := make([]wire.PackagePipeline, 0, len(found))
	for _, p := range found {
		rows = append(rows, *c.pipeline(&p))
	}
	if more {
		q := url.Values{}
		q.Set("per_page", strconv.FormatInt(limit, 10))
		q.Set("cursor", cursor{strconv.FormatInt(found[len(found)-1].ID, 10), "n"}.String())
		if err := c.setNext(q); err != nil {
			return err
		}
	}
	return c.ok(rows)
}

// pipeline shows a pipeline, nil for nil. Pipelines have no number within a project, so
// iid is the id.
func (c *call) pipeline(p *registry.Pipeline) *wire.PackagePipeline {
	if p == nil {
		return nil
	}
	return &wire.PackagePipeline{
		ID: p.ID, IID: p.ID, ProjectID: p.ProjectID, SHA: p.SHA, Ref: p.Ref, Status: p.Status, Source: "api",
		CreatedAt: wire.Time(p.CreatedAt), UpdatedAt: wire.Time(p.UpdatedAt),
		WebURL: c.base() + prefix + "/projects/" + strconv.FormatInt(p.ProjectID, 10) + "/pipelines/" + strconv.FormatInt(p.ID, 10),
		User: wire.UserBasic{
			ID: p.User.ID, Username: p.User.Username, Name: p.User.Name, State: userState(p.User.Blocked),
			WebURL: c.base() + "/" + p.User.Username,
		},
	}
}
