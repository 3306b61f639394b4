package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"granary/internal/fault"
	"granary/internal/releases"
)

func listReleases(c *call) error {
	ask := c.page(true, "released_at", "created_at")
	var f releases.Filter
	if t := c.params.moment("updated_after"); t != nil {
		f.UpdatedAfter = *t
	}
	if t := c.params.moment("updated_before"); t != nil {
		f.UpdatedBefore = *t
	}
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Releases.List(c.r.Context(), c.actor, c.path("id"), f, ask)
	return listedBy(c, ask, found, err, c.writeRelease)
}

func getRelease(c *call) error {
	found, err := c.s.Releases.Find(c.r.Context(), c.actor, c.path("id"), c.path("tag"))
	if err != nil {
		return err
	}
	a, err := c.begin(http.StatusOK, found.Size())
	if err != nil {
		return err
	}
	return a.run(func() error {
		err := elements(a, found, c.writeRelease)
		if err == nil && a.empty() {
			err = fault.New(fault.Absent, "") // deleted meanwhile
		}
		return err
	})
}

// getLatestRelease redirects to the latest release, and keeps the path after "latest".
func getLatestRelease(c *call) error {
	r, err := c.s.Releases.Latest(c.r.Context(), c.actor, c.path("id"), releases.ByRelease)
	if err != nil {
		return err
	}
	to := prefix + "/projects/" + url.PathEscape(c.path("id")) + "/releases/" + url.PathEscape(r.Tag)
	if suffix := c.path("suffix"); suffix != "" {
		to += "/" + escapePath(suffix)
	}
	return c.redirectHere(to)
}

// redirectHere redirects to another path of this server. It keeps the query, including a
// token in it, without order_by, which has chosen the latest release (GitLab's
// API::Releases).
func (c *call) redirectHere(path string) error {
	if climbs(path) {
		return fault.New(fault.NotFound, "")
	}
	var kept []string
	for pair := range strings.SplitSeq(c.r.URL.RawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(name); pair != "" && (err != nil || name != "order_by") {
			kept = append(kept, pair)
		}
	}
	query := strings.Join(kept, "&")
	if query != "" {
		path += "?" + query
	}
	if len(query) > maxNext {
		return fault.New(fault.Invalid, "the parameters are too long in total (maximum is "+strconv.Itoa(maxNext)+" bytes)")
	}
	return c.redirect(c.base() + path)
}

// redirect answers 302.
func (c *call) redirect(to string) error {
	h := c.w.Header()
	safeHeaders(h)
	h["Location"] = []string{to}
	h["Cache-Control"] = []string{"no-cache"}
	c.w.WriteHeader(http.StatusFound)
	return nil
}

func createRelease(c *call) error {
	p := c.params
	r := releases.Release{
		Tag: p.record().required("tag_name"), Name: p.record().str("name"), Description: p.record().str("description"), Ref: p.record().str("ref"),
		Milestones: p.milestones(),
	}
	if t := p.moment("released_at"); t != nil {
		r.ReleasedAt = *t
	}
	for _, o := range p.objects("assets[links]") {
		r.Links = append(r.Links, o.link("assets[links]"))
	}
	if err := p.err(); err != nil {
		return err
	}
	if err := unknownMilestones(p); err != nil {
		return err
	}
	return c.releaseDeed(http.StatusCreated, sizeOf(r), func() (releases.Release, error) {
		finals, err := c.s.Registry.ReleaseFinals(c.r.Context(), c.actor, c.path("id"), r.Tag)
		if err != nil {
			return releases.Release{}, err
		}
		var with releases.Alongside
		if finals != nil {
			with = finals
		}
		return c.s.Releases.Create(c.r.Context(), c.actor, c.path("id"), r, with)
	})
}

// milestones reads titles of milestones. There are no milestones here, so any title will do.
func (p params) milestones() []string {
	if p.has("milestones") && p.has("milestone_ids") {
		p.fail("milestones, milestone_ids are mutually exclusive")
	}
	return p.list("milestones")
}

func unknownMilestones(p params) error {
	if ids := p.list("milestone_ids"); len(ids) > 0 {
		return &fault.Error{Kind: fault.Rejected, Msg: "Milestone id(s) not found: " + strings.Join(ids, ", ")}
	}
	return nil
}

func editRelease(c *call) error {
	p := c.params
	e := releases.Edit{Name: p.record().given("name"), Description: p.record().given("description"), ReleasedAt: p.moment("released_at")}
	if _, sent := p.values["milestones"]; sent { // an empty list removes them
		titles := p.milestones()
		e.Milestones = &titles
	}
	if err := p.err(); err != nil {
		return err
	}
	if err := unknownMilestones(p); err != nil {
		return err
	}
	sent := 0
	if e.Description != nil {
		sent = len(*e.Description)
	}
	return c.releaseDeed(http.StatusOK, sent, func() (releases.Release, error) {
		return c.s.Releases.Change(c.r.Context(), c.actor, c.path("id"), c.path("tag"), e)
	})
}

// deleteRelease answers with what was deleted, unlike other deletions.
func deleteRelease(c *call) error {
	return c.releaseDeed(http.StatusOK, 0, func() (releases.Release, error) {
		return c.s.Releases.Delete(c.r.Context(), c.actor, c.path("id"), c.path("tag"))
	})
}

// listNoMergeRequests answers release tools that a commit has no merge requests, since
// there is no git here.
func listNoMergeRequests(c *call) error {
	if _, err := c.s.Projects.Project(c.r.Context(), c.actor, c.path("id")); err != nil {
		return err
	}
	return c.ok([]struct{}{})
}
