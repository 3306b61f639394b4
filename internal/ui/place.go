package ui

import (
	"net/http"
	"net/url"
	"strings"

	"granary/internal/auth"
	"granary/internal/fault"
	"granary/internal/page"
	"granary/internal/projects"
)

// place looks up what a path belongs to: the instance, a group, or a project. A path of
// one segment is a group or a user; a longer one is a project or a group.
func (v *visit) place(t target) (site, error) {
	if t.place == "" {
		return instance, nil
	}
	full, below := strings.CutPrefix(t.place, "groups/")
	if below && !reserved(full) {
		return 0, &elsewhere{status: http.StatusMovedPermanently, to: v.s.root + v.r.URL.EscapedPath()[len("/groups"):] + suffix(v.r)}
	}
	if strings.Contains(full, "/") {
		p, err := v.s.Projects.Project(v.r.Context(), v.actor, full)
		if moved, ok := fault.As(err, fault.Moved); ok {
			return 0, v.moved(moved.To)
		}
		if err == nil {
			v.project = &p
			return project, nil
		}
		if !absent(err) {
			return 0, err
		}
	}
	g, err := v.s.Projects.Group(v.r.Context(), v.actor, full)
	if absent(err) && !strings.Contains(full, "/") {
		g, err = v.person(full, err)
	}
	if absent(err) {
		err = v.movedGroup(full, err)
	}
	if err != nil {
		return 0, err
	}
	v.group = &g
	return group, nil
}

// person is a user's own namespace, by user name; unknown is the error if there is no such
// user. Whoever may know users may open it, and sees in it what the projects allow.
func (v *visit) person(username string, unknown error) (projects.Group, error) {
	found, err := v.s.Auth.ListUsers(v.r.Context(), v.actor, auth.UserFilter{Username: username}, page.Request{Number: 1, Size: 1, NoTotal: true})
	if err != nil {
		return projects.Group{}, err
	}
	if len(found.Rows) == 0 {
		return projects.Group{}, unknown
	}
	u := found.Rows[0]
	return projects.Group{ID: u.NamespaceID, OwnerID: u.ID, Name: u.Name, Path: u.Username, FullPath: u.Username}, nil
}

// reserved reports the full path of a group whose top has a name that addresses use. Such
// groups were made before the names were refused; they are reached below /groups/.
func reserved(full string) bool {
	top, _, _ := strings.Cut(strings.ToLower(full), "/")
	return top == "groups" || top == "api"
}

// absent reports a fault that says that there is nothing by this name to see here.
func absent(err error) bool { return fault.Is(err, fault.Hidden) || fault.Is(err, fault.NotFound) }

// moved leads from a former path of a project to its present one.
func (v *visit) moved(id int64) error {
	p, err := v.s.Projects.Project(v.r.Context(), v.actor, number(id))
	if err != nil {
		return err
	}
	return v.nowAt(p.FullPath)
}

// nowAt leads to the same page of a place by its present path.
func (v *visit) nowAt(fullPath string) error {
	_, rest, below := strings.Cut(v.r.URL.EscapedPath(), "/-/") // the former path may be escaped
	if below {
		rest = "/-/" + rest
	}
	return &elsewhere{status: http.StatusMovedPermanently, to: v.s.in(fullPath) + rest + suffix(v.r)}
}

// movedGroup leads from a former path of a group to its present one; unknown is the error if
// the actor sees no such group.
func (v *visit) movedGroup(former string, unknown error) error {
	g, err := v.s.Projects.FormerGroup(v.r.Context(), v.actor, former)
	if absent(err) {
		return unknown
	}
	if err != nil {
		return err
	}
	return v.nowAt(g.FullPath)
}

// suffix is the query of a request, with its question mark.
func suffix(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return "?" + r.URL.RawQuery
}

// elsewhere is the answer that leads to another address. It is an error, so that a look-up
// can return it.
type elsewhere struct {
	status int
	to     string // with the path of the server's own address
}

func (e *elsewhere) Error() string { return "it is at " + e.to }

// at is the address of a page of the instance: at("user", "tokens") is /-/user/tokens.
func (s *Server) at(parts ...string) string { return s.root + "/-/" + escapedPath(parts) }

// in is the address of a page of a group or project; without parts, of the place itself.
func (s *Server) in(fullPath string, parts ...string) string {
	address := s.root + "/" + fullPath
	if reserved(fullPath) {
		address = s.root + "/groups/" + fullPath
	}
	if len(parts) == 0 {
		return address
	}
	return address + "/-/" + escapedPath(parts)
}

// escapedPath joins the segments of a path. A slash within a segment stays one.
func escapedPath(parts []string) string {
	segments := make([]string, 0, len(parts))
	for _, part := range parts {
		for segment := range strings.SplitSeq(part, "/") {
			segments = append(segments, url.PathEscape(segment))
		}
	}
	return strings.Join(segments, "/")
}
