package api

import (
	"net/url"
	"strings"

	"granary/internal/releases"
	"granary/internal/wire"
)

// link reads a new link. outer is the name of the object, for messages.
func (p params) link(outer string) releases.Link {
	named := func(name string) string {
		if outer != "" {
			return outer + "[" + name + "]"
		}
		return name
	}
	for _, name := range []string{"name", "url"} {
		if len(p.values[name]) == 0 {
			p.fail(named(name) + " is missing")
		}
	}
	l := releases.Link{Name: p.record().str("name"), URL: p.record().str("url"), Type: releases.LinkOther}
	if path := p.assetPath(); path != nil {
		l.Path = *path
	}
	if kind := p.linkType(); kind != nil {
		l.Type = *kind
	}
	return l
}

// assetPath reads direct_asset_path, or filepath, its name before GitLab 15.10.
func (p params) assetPath() *string {
	if path := p.record().optional("direct_asset_path"); path != nil {
		return path
	}
	return p.record().optional("filepath")
}

func (p params) linkType() *releases.LinkType {
	kind := releases.LinkType(p.choice("link_type", string(releases.LinkOther), string(releases.LinkRunbook),
		string(releases.LinkImage), string(releases.LinkPackage)))
	if kind == "" {
		return nil
	}
	return &kind
}

func listReleaseLinks(c *call) error {
	ask := c.page(true)
	if err := c.params.err(); err != nil {
		return err
	}
	r, found, err := c.s.Releases.Links(c.r.Context(), c.actor, c.path("id"), c.path("tag"), ask)
	return listed(c, ask, found, err, func(l releases.Link) wire.ReleaseLink { return c.releaseLink(r, l) })
}

func createReleaseLink(c *call) error {
	l := c.params.link("")
	if err := c.params.err(); err != nil {
		return err
	}
	r, l, err := c.s.Releases.AddLink(c.r.Context(), c.actor, c.path("id"), c.path("tag"), l)
	if err != nil {
		return err
	}
	return c.created(c.releaseLink(r, l))
}

func getReleaseLink(c *call) error {
	id, err := c.id("link_id")
	if err != nil {
		return err
	}
	r, l, err := c.s.Releases.Link(c.r.Context(), c.actor, c.path("id"), c.path("tag"), id)
	if err != nil {
		return err
	}
	return c.ok(c.releaseLink(r, l))
}

func editReleaseLink(c *call) error {
	id, err := c.id("link_id")
	if err != nil {
		return err
	}
	p := c.params
	e := releases.LinkEdit{Name: p.record().optional("name"), URL: p.record().optional("url"), Path: p.assetPath(), Type: p.linkType()}
	if e.Name == nil && e.URL == nil {
		p.fail("name, url are missing, at least one parameter must be provided")
	}
	if err := p.err(); err != nil {
		return err
	}
	r, l, err := c.s.Releases.ChangeLink(c.r.Context(), c.actor, c.path("id"), c.path("tag"), id, e)
	if err != nil {
		return err
	}
	return c.ok(c.releaseLink(r, l))
}

// deleteReleaseLink answers with what was deleted, unlike other deletions.
func deleteReleaseLink(c *call) error {
	id, err := c.id("link_id")
	if err != nil {
		return err
	}
	r, l, err := c.s.Releases.DeleteLink(c.r.Context(), c.actor, c.path("id"), c.path("tag"), id)
	if err != nil {
		return err
	}
	return c.ok(c.releaseLink(r, l))
}

// getReleaseAsset redirects to the URL of the link with this path.
func getReleaseAsset(c *call) error {
	l, err := c.s.Releases.Asset(c.r.Context(), c.actor, c.path("id"), c.path("tag"), c.path("path"))
	if err != nil {
		return err
	}
	return c.redirect(l.URL)
}

func (c *call) releaseLink(r releases.Release, l releases.Link) wire.ReleaseLink {
	w := wire.ReleaseLink{ID: l.ID, Name: l.Name, URL: l.URL, DirectAssetURL: l.URL, LinkType: string(l.Type)}
	if l.Path != "" {
		w.DirectAssetURL = c.base() + "/" + r.ProjectPath + "/-/releases/" + url.PathEscape(r.Tag) + "/downloads" + escapePath(l.Path)
	}
	return w
}

// escapePath escapes each segment of a path.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
