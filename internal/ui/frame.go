package ui

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"granary/internal/access"
)

//go:embed templates
var templates embed.FS

// screen is a page to show.
type screen struct {
	name   string // of its template
	title  string // before "· granary"
	tab    string // of the group, the project or the settings, that is current
	crumbs []link // after those of the place
	side   []tab  // the pages of the same settings
	status int    // 0 for 200
	secret bool   // no cache and no compression may keep it
	data   any
}

// link is a name that leads somewhere.
type link struct{ Name, URL string }

// tab is a link of which one is current.
type tab struct {
	Name, URL string
	Current   bool
}

// frame is what the template of every page gets.
type frame struct {
	Title   string
	Root    string // before every address
	Version string
	Theme   string // "light", "dark" or "" for the system's
	Me      *me    // nil for nobody
	Crumbs  []link
	Tabs    []tab
	Side    []tab
	Place   *placeHead
	Done    string
	Form    *form
	D       any           // of the page
	Bare    bool          // without the head and the foot: the door
	Body    template.HTML // the page in its frame
	began   time.Time
	now     func() time.Time
}

// me is the person signed in.
type me struct {
	Name, Username, Initials string
	Admin                    bool
}

// placeHead is a group or project as its pages begin.
type placeHead struct {
	Name, FullPath, Description, Visibility string
	Archived                                bool
}

// Took is how long the page took until here, in milliseconds.
func (f *frame) Took() string {
	return strconv.FormatFloat(float64(f.now().Sub(f.began).Microseconds())/1000, 'f', 1, 64)
}

// parse makes the templates. A page is templates/NAME.html, which defines "page-NAME"; the
// frame and the parts are in templates/parts. They are one set: a set for each page would
// keep several megabytes, and the collector would look at them for every download.
func (s *Server) parse() (*template.Template, error) {
	return template.New("").Funcs(s.functions()).ParseFS(templates, "templates/parts/*.html", "templates/*.html")
}

// show renders a page. Nothing is sent before the whole page is made, so that a failure is
// a page of its own.
func (v *visit) show(p screen) error {
	f := &frame{
		Title: p.title, Root: v.s.root, Version: v.s.Version, Theme: theme(v.r), Me: v.me(), Form: v.form,
		Done: doneSentence(v.query("done")), D: p.data, Side: p.side, Bare: p.name == "sign_in", began: v.began, now: v.s.Now,
	}
	v.placed(f, p)
	var b bytes.Buffer
	if err := v.s.pages.ExecuteTemplate(&b, "page-"+p.name, f); err != nil {
		return err
	}
	f.Body = template.HTML(b.String()) //nolint:gosec // of the same set of templates
	b.Reset()
	if err := v.s.pages.ExecuteTemplate(&b, "frame", f); err != nil {
		return err
	}
	h := v.w.Header()
	h["Content-Type"] = []string{"text/html; charset=utf-8"}
	if p.secret {
		h["Cache-Control"] = []string{"no-store"}
	}
	h["Content-Length"] = []string{strconv.Itoa(b.Len())}
	status := p.status
	if status == 0 {
		status = v.form.status
	}
	if status == 0 {
		status = http.StatusOK
	}
	v.w.WriteHeader(status)
	v.send(b.Bytes())
	return nil
}

// patience is how long a browser may read nothing of a page.
const patience = 10 * time.Second

// send writes a whole body. A client that is gone needs no answer.
func (v *visit) send(body []byte) {
	_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(patience)) // every server's connections have deadlines
	_, _ = v.w.Write(body)
}

// me is the person signed in, nil for nobody.
func (v *visit) me() *me {
	if v.actor.Kind == access.Anonymous {
		return nil
	}
	return &me{Name: v.actor.Name, Username: v.actor.Username, Initials: initials(v.actor.Name, v.actor.Username), Admin: v.actor.Admin}
}

// initials are one or two capitals for a person.
func initials(name, username string) string {
	var letters []rune
	for word := range strings.FieldsSeq(name) {
		letters = append(letters, []rune(strings.ToUpper(word))[0])
	}
	switch {
	case len(letters) > 1:
		return string(letters[0]) + string(letters[len(letters)-1])
	case len(letters) == 1:
		return string(letters)
	}
	return strings.ToUpper(username[:min(1, len(username))])
}

// placed fills in where one is: crumbs, the head of the place, and its tabs.
func (v *visit) placed(f *frame, p screen) {
	var full string
	switch {
	case v.project != nil:
		full = v.project.FullPath
		f.Place = &placeHead{v.project.Name, full, v.project.Description, visibilityWord(v.project.Visibility), v.project.Archived}
		f.Tabs = v.projectTabs(p.tab)
	case v.group != nil:
		full = v.group.FullPath
		f.Place = &placeHead{v.group.Name, full, v.group.Description, visibilityWord(v.group.Visibility), false}
		if v.group.Personal() {
			f.Place.Visibility = "user"
		}
		f.Tabs = v.groupTabs(p.tab)
	}
	segments := strings.Split(full, "/")
	for i := range segments {
		if i == len(segments)-1 && len(p.crumbs) == 0 || full == "" {
			break // the heading says it
		}
		f.Crumbs = append(f.Crumbs, link{segments[i], v.s.in(strings.Join(segments[:i+1], "/"))})
	}
	f.Crumbs = append(f.Crumbs, p.crumbs...)
}

// projectTabs are the pages of a project that the actor may open.
func (v *visit) projectTabs(current string) []tab {
	return append(v.tabs(current, []tabRow{
		{"Packages", "packages", access.ListPackages}, {"Releases", "releases", access.ReadReleases}, {"Members", "members", access.ReadMembers},
		{"Jobs", "jobs", access.ReadJobs}, {"Webhooks", "hooks", access.ReadHooks}, {"Audit", "audit", access.ReadProjectAudit},
	}, v.project.FullPath), v.settingsTab(current)...)
}

// groupTabs are the pages of a group that the actor may open.
func (v *visit) groupTabs(current string) []tab {
	if v.group.Personal() {
		return nil
	}
	return append(v.tabs(current, []tabRow{
		{"Projects", "", access.ReadGroup}, {"Packages", "packages", access.ReadGroup}, {"Members", "members", access.ReadMembers},
		{"Audit", "audit", access.ReadGroupAudit},
	}, v.group.FullPath), v.settingsTab(current)...)
}

type tabRow struct {
	name, path string
	action     access.Action
}

func (v *visit) tabs(current string, rows []tabRow, full string) (tabs []tab) {
	for _, row := range rows {
		if !v.can(row.action) {
			continue
		}
		address := v.s.in(full)
		if row.path != "" {
			address = v.s.in(full, row.path)
		}
		tabs = append(tabs, tab{row.name, address, row.path == current})
	}
	return tabs
}

// theme is the reader's choice, from the cookie that the profile page sets.
func theme(r *http.Request) string {
	c, err := r.Cookie("theme")
	if err != nil || c.Value != "light" && c.Value != "dark" {
		return ""
	}
	return c.Value
}

// doneSentence is what is told after a POST that worked, for a word of the address. The
// words are a fixed set: an address cannot make a page say anything else.
func doneSentence(word string) string {
	return map[string]string{
		"published": "Published.", "drafted": "Put into a draft. It is listed once the version is final.", "deleted": "Deleted.", "finalised": "The version is final: its files cannot change any more.",
		"moved": "The channel is set.", "removed": "Removed.", "yanked": "The version is yanked. Selectors pass over it; its exact address still works.",
		"unyanked": "The version is no longer yanked.", "saved": "Saved.", "made": "Made.", "revoked": "Revoked.",
		"added": "Added.", "archived": "Archived: the project is read-only.", "unarchived": "The project is writable again.", "transferred": "Transferred.", "left": "You are no member any more.", "ended": "The session is ended.", "ended-job": "The job is ended. Its token is dead.", "sent": "Sent.",
		"on": "Switched on.", "off": "Switched off.", "blocked": "Blocked. Every session of this user is ended.", "unblocked": "Unblocked.", "sessions-ended": "The sessions are ended.",
		"signed-out": "You are signed out.",
	}[word]
}

// pageHeaders are those of every page.
func pageHeaders(h http.Header) {
	h["Content-Security-Policy"] = []string{"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types worker"}
	h["X-Frame-Options"] = []string{"DENY"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Referrer-Policy"] = []string{"same-origin"}
	h["Cross-Origin-Opener-Policy"] = []string{"same-origin"}
	h["Cross-Origin-Resource-Policy"] = []string{"same-origin"}
	h["Cache-Control"] = []string{"private, no-cache"}
	h["Vary"] = []string{"Cookie"}
}
