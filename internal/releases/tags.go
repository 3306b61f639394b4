package releases

import (
	"context"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/page"
)

// TagFilter chooses tags of a project, and the beginning of a page of them. Zero fields
// choose all tags, in pages by number.
type TagFilter struct {
	// Search is a part of the name, in any case. "^" before it means the beginning of
	// the name, "$" after it the end, and "*" in it matches any text.
	Search string
	Keyset bool   // the page begins behind After; its number is 1
	After  string // a tag, "" for the first page
}

// Tags returns a project's releases as its tags, without links: there is no git here, so a
// tag exists as long as it has a release. They are ordered by "updated", which is the
// release's creation, by "name" or by "version" (CompareVersions). next is the After of the
// following page, "" if there is none or if pages go by number.
func (s *Service) Tags(ctx context.Context, a access.Actor, project string, f TagFilter, p page.Request) (found page.Of[Release], next string, err error) {
	projectID, err := s.allow(ctx, a, project, access.ReadReleases)
	if err != nil {
		return found, "", err
	}
	p.OrderBy = map[string]string{"updated": ByCreation, "name": ByTag, "version": ByVersion}[p.OrderBy]
	all := Filter{Search: f.Search, Unlinked: true, ExactFirst: !f.Keyset}
	if f.After != "" {
		last, err := s.brief(ctx, projectID, Filter{Tag: f.After}, "")
		if fault.Is(err, fault.Absent) {
			err = fault.New(fault.Unprocessable, "Invalid page token: refs/tags/"+f.After)
		}
		if err != nil {
			return found, "", err
		}
		all.After = &last
	}
	found, err = s.Store.ListReleases(ctx, projectID, all, p)
	if err != nil || !f.Keyset {
		return found, "", err
	}
	last, more := found.Last()
	if !more {
		return found, "", nil
	}
	r, err := s.brief(ctx, projectID, Filter{ID: last}, "")
	if fault.Is(err, fault.Absent) {
		err = fault.Wrap(fault.Unavailable, "a release was deleted while it was read; try again", err)
	}
	return found, r.Tag, err
}

// CompareVersions orders tags by the versions that they name: numbers by their
// value, and a version with a "-" before the same one without, so that 1.9.0 < 1.10.0-rc1
// < 1.10.0. A "v" before the first digit does not count. No two tags are equal.
func CompareVersions(a, b string) int {
	x, y := bare(a), bare(b)
	for {
		var p, q part
		p, x = cutPart(x)
		q, y = cutPart(y)
		if c := p.compare(q); c != 0 {
			return c
		}
		if p.rank == rankEnd {
			return strings.Compare(a, b)
		}
	}
}

// bare is a tag without the "v" of its version.
func bare(tag string) string {
	if len(tag) > 1 && (tag[0] == 'v' || tag[0] == 'V') && isDigit(tag[1]) {
		return tag[1:]
	}
	return tag
}

// part is a character of a tag, or a number in it.
type part struct {
	rank   int
	number string // without leading zeros; "" for no number, and for 0
}

// The ranks of parts: a prerelease, the end, then all other characters by their bytes, with
// any number in the place of "0".
const (
	rankPrerelease = iota
	rankEnd
	rankByte
)

func cutPart(text string) (p part, rest string) {
	switch {
	case text == "":
		return part{rank: rankEnd}, ""
	case text[0] == '-':
		return part{rank: rankPrerelease}, text[1:]
	case !isDigit(text[0]):
		return part{rank: rankByte + int(text[0])}, text[1:]
	}
	n := 1
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	return part{rank: rankByte + '0', number: strings.TrimLeft(text[:n], "0")}, text[n:]
}

func (p part) compare(q part) int {
	switch {
	case p.rank != q.rank:
		return p.rank - q.rank
	case len(p.number) != len(q.number):
		return len(p.number) - len(q.number)
	}
	return strings.Compare(p.number, q.number)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
