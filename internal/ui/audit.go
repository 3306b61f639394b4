package ui

import (
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/trail"
)

// auditPage is the data of a page of audit events.
type auditPage struct {
	Rows     []eventRow
	From, To string // of the filter, as dates
	Older    string // the address of the next page; "" at the end
	CSV      string
	Filtered bool
	Clear    string
	Where    bool   // rows say where it happened: the page is of more than one place
	Author   string // chosen; "" for all
}

// eventRow is one event.
type eventRow struct {
	At         time.Time
	By         string
	ByURL      string // the events of this author here; "" if the page is of one author
	Credential string
	Address    string
	What       string
	Target     string
	Change     string
	Place      string
	PlaceURL   string
}

// walker is a deed that walks through events.
type walker func(ctx context.Context, a access.Actor, f trail.Filter) (trail.Walk, error)

func showProjectAudit(v *visit) error {
	return v.events("audit", func(ctx context.Context, a access.Actor, f trail.Filter) (trail.Walk, error) {
		return v.s.Audit.WalkProject(ctx, a, number(v.project.ID), f)
	}, false)
}

func showGroupAudit(v *visit) error {
	return v.events("audit", func(ctx context.Context, a access.Actor, f trail.Filter) (trail.Walk, error) {
		return v.s.Audit.WalkGroup(ctx, a, number(v.group.ID), f)
	}, false)
}

func showInstanceAudit(v *visit) error { return v.events("admin_audit", v.s.Audit.WalkInstance, true) }

// showOwnEvents is what the actor itself did.
func showOwnEvents(v *visit) error { return v.events("user_events", v.s.Audit.WalkOwn, true) }

// events is a page of events, or all of them as CSV.
func (v *visit) events(name string, walk walker, where bool) error {
	f, err := v.eventFilter()
	if err != nil {
		return err
	}
	if v.query("format") == "csv" {
		return v.eventsAsCSV(walk, f)
	}
	found, err := walk(v.r.Context(), v.actor, f)
	if err != nil {
		return err
	}
	d := auditPage{
		From: v.query("from"), To: v.query("to"), CSV: v.with("format", "csv"), Where: where, Author: v.query("author"),
		Filtered: v.query("from")+v.query("to")+v.query("author") != "", Clear: v.s.root + v.r.URL.EscapedPath(),
	}
	if found.Next != 0 {
		d.Older = v.with("older", number(found.Next))
	}
	for _, e := range found.Events {
		d.Rows = append(d.Rows, v.eventRow(e, name != "user_events"))
	}
	switch name {
	case "user_events":
		return v.show(v.userScreen("events", "What I did", d))
	case "admin_audit":
		return v.show(v.adminScreen("audit", "Audit", d))
	}
	return v.show(screen{name: name, title: "Audit", tab: "audit", data: d})
}

// eventFilter is the period, the author and the place in the list that the address asks for.
func (v *visit) eventFilter() (f trail.Filter, err error) {
	for name, to := range map[string]*int64{"older": &f.OlderThan, "author": &f.AuthorID} {
		text := v.query(name)
		if text == "" {
			continue
		}
		if *to, err = strconv.ParseInt(text, 10, 64); err != nil || *to <= 0 {
			return f, fault.New(fault.Invalid, name+" must be a number from 1")
		}
	}
	since, until, err := v.period()
	if since != nil {
		f.After = *since
	}
	if until != nil {
		f.Before = until.AddDate(0, 0, 1).Add(-time.Microsecond) // the whole day
	}
	return f, err
}

func (v *visit) eventRow(e audit.Event, byAuthor bool) eventRow {
	row := eventRow{
		At: e.At, By: e.Author.Name, Credential: credentialWords(e.Author), Address: e.Author.Address,
		What: e.Name.Sentence(), Target: e.Target.Details, Place: e.Entity.Path,
	}
	if row.By == "" {
		row.By = "granary"
	}
	if byAuthor && e.Author.UserID != 0 {
		row.ByURL = v.with("author", number(e.Author.UserID))
	}
	if c := e.Change; c.What != "" {
		row.Change = c.What + ": " + c.To
		if c.From != "" {
			row.Change = c.What + ": " + c.From + " → " + c.To
		}
	}
	if e.Entity.Type == audit.Project || e.Entity.Type == audit.Group || e.Entity.Type == audit.User {
		row.PlaceURL = v.s.in(e.Entity.Path)
	}
	return row
}

// credentialWords say with what an author came.
func credentialWords(by audit.Author) string {
	words := map[audit.Credential]string{
		audit.PersonalToken: "personal token", audit.BotToken: "access token", audit.DeployToken: "deploy token",
		audit.JobToken: "job", audit.CommandLine: "command line", audit.WebSession: "browser",
	}[by.Credential]
	if by.Credential == audit.JobToken && by.CredentialID != 0 {
		words += " #" + number(by.CredentialID)
	}
	if by.SudoUsername != "" {
		words += ", as sudo of " + by.SudoUsername
	}
	return words
}

// eventsAsCSV answers with all events of a filter, a step at a time. If a step fails the
// connection is cut, so that nobody takes the part for the whole.
func (v *visit) eventsAsCSV(walk walker, f trail.Filter) error {
	found, err := walk(v.r.Context(), v.actor, f)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h["Content-Type"] = []string{"text/csv; charset=utf-8"}
	h["Content-Disposition"] = []string{`attachment; filename="audit.csv"`}
	out := csv.NewWriter(v.w)
	_ = out.Write([]string{"at", "author", "credential", "address", "event", "target", "change", "from", "to", "entity_type", "entity"})
	for {
		for _, e := range found.Events {
			_ = out.Write(csvRow(e))
		}
		out.Flush()
		if out.Error() != nil || found.Next == 0 {
			return nil //nolint:nilerr // a client that is gone needs no answer
		}
		f.OlderThan = found.Next
		if found, err = walk(v.r.Context(), v.actor, f); err != nil {
			v.s.Note(v.r.Context(), err)
			panic(http.ErrAbortHandler)
		}
	}
}

// csvRow is an event as a row. A text that a spreadsheet would take for a formula begins
// with an apostrophe.
func csvRow(e audit.Event) []string {
	row := []string{
		e.At.UTC().Format(time.RFC3339Nano), e.Author.Username, string(e.Author.Credential), e.Author.Address,
		string(e.Name), e.Target.Details, e.Change.What, e.Change.From, e.Change.To, string(e.Entity.Type), e.Entity.Path,
	}
	for i, text := range row {
		if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
			row[i] = "'" + text
		}
	}
	return row
}
