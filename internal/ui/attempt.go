package ui

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/webhooks"
)

// attemptRow is one attempt to deliver.
type attemptRow struct {
	At       time.Time
	Trigger  string
	OK       bool
	Outcome  string // the status, or why there was no answer
	Duration string
	URL      string // of its page
}

func (v *visit) attemptRow(a webhooks.Attempt) attemptRow {
	return attemptRow{
		At: a.CreatedAt, Trigger: triggerOf(a), OK: a.OK(), Outcome: a.Outcome(), Duration: a.Took.Round(time.Millisecond).String(),
		URL: v.s.in(v.full(), "hooks", number(a.HookID), "attempts", number(a.ID)),
	}
}

// triggerOf is what happened, as the body says it: "publish of tool 1.2.3".
func triggerOf(a webhooks.Attempt) string {
	var sent struct {
		Package struct {
			Action  string `json:"action"`
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"object_attributes"`
	}
	if err := json.Unmarshal([]byte(a.RequestBody), &sent); err != nil || sent.Package.Action == "" {
		return "package event"
	}
	return strings.TrimSpace(sent.Package.Action + " of " + sent.Package.Name + " " + sent.Package.Version)
}

// attemptPage is the data of the page of one attempt.
type attemptPage struct {
	Form        *form
	Row         attemptRow
	To, Key     string
	Request     []headerRow
	RequestBody code
	Answered    bool
	Status      int
	Answer      []headerRow
	AnswerBody  code
	Check       string
	Resend      string // the address that sends it again; "" if nobody may
}

// headerRow is one header.
type headerRow struct{ Name, Value string }

// showAttempt is what was sent, and what came back.
func showAttempt(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	attemptID, err := v.id("attempt")
	if err != nil {
		return err
	}
	a, err := v.s.Hooks.Attempt(v.r.Context(), v.actor, v.ref(), id, attemptID)
	if err != nil {
		return err
	}
	d := attemptPage{
		Form: v.form, Row: v.attemptRow(a), To: shownURL(a.URL), Key: a.Key, Request: headerRows(a.RequestHeaders), RequestBody: code{"The body of the request", indented(a.RequestBody)},
		Answered: a.Status != 0, Status: a.Status, Answer: headerRows(a.ResponseHeaders), AnswerBody: code{"The beginning of the body of the answer", a.ResponseBody}, Check: whatToCheck(a),
	}
	if v.can(access.AdminHooks) {
		d.Resend = d.Row.URL + "/resend"
	}
	crumbs := v.hookCrumbs(link{"Webhook " + number(id), v.s.in(v.full(), "hooks", number(id))})
	return v.show(screen{name: "attempt", title: "Attempt " + number(attemptID) + " · " + v.full(), tab: "hooks", crumbs: crumbs, data: d})
}

func headerRows(headers map[string]string) (rows []headerRow) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		rows = append(rows, headerRow{name, headers[name]})
	}
	return rows
}

// indented is JSON with a line for each field; other texts stay.
func indented(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}

// resendAttempt sends once more what was sent, and leads to the hook, where the new
// attempt is the first.
func resendAttempt(v *visit) error {
	attemptID, err := v.id("attempt")
	if err != nil {
		return err
	}
	return v.hookDeed("sent", func(id int64) error {
		_, err := v.s.Hooks.Resend(v.r.Context(), v.actor, v.ref(), id, attemptID)
		return err
	})
}
