package api

import (
	"net/http"

	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/releases"
	"granary/internal/wire"
)

// listTags pages by number, or by the name of the last tag (pagination=keyset,
// or page_token alone).
func listTags(c *call) error {
	p := c.params
	ask := c.page(true, "updated", "name", "version")
	f := releases.TagFilter{Search: p.str("search"), After: p.str("page_token")}
	f.Keyset = p.choice("pagination", "keyset", "legacy") == "keyset" || f.After != ""
	if f.Keyset {
		ask.Number = 1
	}
	if err := p.err(); err != nil {
		return err
	}
	found, next, err := c.tags(f, ask)
	if err != nil || !f.Keyset {
		return listedBy(c, ask, found, err, c.writeTag)
	}
	if next != "" {
		q := c.openQuery()
		q.Del("page")
		q.Set("page_token", next)
		if err := c.setNext(q); err != nil {
			return err
		}
	}
	return answered(c, nil, found, c.writeTag)
}

// sortMemory is what sorting by version takes from a caller's share of the memory for
// large answers. One list is sorted at a time; a caller can have two in the queue, so
// that nobody fills it.
const sortMemory = AnswersEach / 2

// tags reads a page of tags.
func (c *call) tags(f releases.TagFilter, p page.Request) (found page.Of[releases.Release], next string, err error) {
	if p.OrderBy == "version" {
		err := c.reserve(c.s.Answers, c.key(), sortMemory, "too many lists are being sorted by version; try again later, or order by name")
		if err != nil {
			return found, "", err
		}
		defer c.s.Answers.Give(c.key(), sortMemory) // before the answer reserves some
	}
	return c.s.Releases.Tags(c.r.Context(), c.actor, c.path("id"), f, p)
}

func getTag(c *call) error {
	found, err := c.s.Releases.Find(c.r.Context(), c.actor, c.path("id"), c.path("tag"))
	if err != nil {
		return noTag(err)
	}
	a, err := c.begin(http.StatusOK, found.Size())
	if err != nil {
		return err
	}
	return a.run(func() error {
		err := elements(a, found, c.writeTag)
		if err == nil && a.empty() {
			err = noTag(fault.New(fault.Absent, "")) // deleted meanwhile
		}
		return err
	})
}

// noTag words the absence of a release as that of its tag.
func noTag(err error) error {
	if fault.Is(err, fault.Absent) {
		return fault.New(fault.Hidden, "Tag")
	}
	return err
}

// writeTag adds the tag of a release.
func (c *call) writeTag(a *answerWriter, r releases.Release) error {
	w := wire.Tag{
		Name: r.Tag, Commit: c.releaseCommit(r), CreatedAt: wire.Time(r.CreatedAt),
		Release: wire.TagRelease{TagName: r.Tag, Description: r.Description},
	}
	w.Target = w.Commit.ID
	if r.Apart == nil {
		return a.value(w)
	}
	return a.assemble(w, a.descriptionOf(r, `"description":"`, func(s string) string { return s }))
}
