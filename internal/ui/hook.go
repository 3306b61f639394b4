package ui

import (
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/webhooks"
)

// hookPage is the data of the page of a webhook.
type hookPage struct {
	Form     *form
	Hook     hookRow
	Failures int
	Check    string // what to look at, if the last delivery failed
	Fields   hookFields
	Headers  []string // the names of those that its owner added
	Attempts []attemptRow
	Pager    pager
	At       string // the address of the page
	Can      bool
}

// attemptsOf is how many attempts a hook's page shows.
const attemptsOf = 20

// showHook is one webhook, with what was sent to it.
func showHook(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	p, err := v.numbered()
	if err != nil {
		return err
	}
	p.Size = attemptsOf
	h, err := v.s.Hooks.Get(v.r.Context(), v.actor, v.ref(), id)
	if err != nil {
		return err
	}
	found, err := v.s.Hooks.Attempts(v.r.Context(), v.actor, v.ref(), id, webhooks.AttemptFilter{}, p)
	if err != nil {
		return err
	}
	d := hookPage{
		Form: v.form, Hook: v.hookRow(h), Failures: h.Failures, Fields: v.hookFields(h), Pager: v.pagerOf(p, found.Total, "attempt", "attempts"),
		At: v.s.in(v.full(), "hooks", number(id)), Can: v.can(access.AdminHooks),
	}
	for _, header := range h.Target.Headers {
		d.Headers = append(d.Headers, header.Key)
	}
	for _, a := range found.Rows {
		d.Attempts = append(d.Attempts, v.attemptRow(a))
	}
	if h.Failures > 0 && p.Number == 1 && len(found.Rows) > 0 {
		d.Check = whatToCheck(found.Rows[0])
	}
	title := h.Name
	if title == "" {
		title = "Webhook " + number(id)
	}
	return v.show(screen{name: "hook", title: title + " · " + v.full(), tab: "hooks", crumbs: v.hookCrumbs(), data: d})
}

func (v *visit) hookCrumbs(more ...link) []link {
	return append([]link{{"Webhooks", v.s.in(v.full(), "hooks")}}, more...)
}

// whatToCheck is what to look at after a failed attempt.
func whatToCheck(a webhooks.Attempt) string {
	switch {
	case a.OK():
		return ""
	case a.Status == 0:
		return "There was no answer. Check that the name is right, that this server reaches the address, and that the certificate is valid."
	case a.Status < 400:
		return "The receiver answers with a redirect, which is not followed. Give the address that it leads to."
	case a.Status == 401 || a.Status == 403:
		return "The receiver does not accept the sender. Check the secret token and the headers on both sides."
	case a.Status == 404 || a.Status == 405 || a.Status == 410:
		return "The receiver has nothing that takes a POST at this address. Check its path."
	case a.Status == 429:
		return "The receiver takes no more for now. Deliveries are tried again."
	case a.Status < 500:
		return "The receiver does not accept the body. Open the attempt: its answer may say why."
	}
	return "The receiver broke. Its log says why; the answer is kept with the attempt."
}

// hookDeed does something to the hook of the path and leads back to its page.
func (v *visit) hookDeed(word string, do func(id int64) error) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	if err := do(id); err != nil {
		return v.again(showHook, receiverField(err))
	}
	return v.see(v.s.in(v.full(), "hooks", number(id)), word)
}

// receiverField puts a refusal of the receiver's address beside its field.
func receiverField(err error) error {
	e, ok := fault.As(err, fault.Unfit)
	if !ok {
		return err
	}
	if text, isURL := strings.CutPrefix(e.Msg, "Invalid url given: Url "); isURL {
		return fault.Field("url", text)
	}
	return err
}

// editHook changes a webhook.
func editHook(v *visit) error {
	return v.hookDeed("saved", func(id int64) error {
		before, err := v.s.Hooks.Get(v.r.Context(), v.actor, v.ref(), id)
		if err != nil {
			return err
		}
		_, err = v.s.Hooks.Edit(v.r.Context(), v.actor, v.ref(), id, v.hookEdit(before))
		return err
	})
}

// testHook sends a sample event now.
func testHook(v *visit) error {
	return v.hookDeed("sent", func(id int64) error { return v.s.Hooks.Test(v.r.Context(), v.actor, v.ref(), id) })
}

// deleteHook removes a webhook with its log.
func deleteHook(v *visit) error {
	id, err := v.id("id")
	if err != nil {
		return err
	}
	if err := v.s.Hooks.Delete(v.r.Context(), v.actor, v.ref(), id); err != nil {
		return err
	}
	return v.see(v.s.in(v.full(), "hooks"), "removed")
}

// setHookHeader adds a header, or gives it another value.
func setHookHeader(v *visit) error {
	return v.hookDeed("saved", func(id int64) error {
		return v.s.Hooks.SetHeader(v.r.Context(), v.actor, v.ref(), id, webhooks.Header{Key: v.sent("header"), Value: v.sent("header_value")})
	})
}

// removeHookHeader removes a header.
func removeHookHeader(v *visit) error {
	return v.hookDeed("removed", func(id int64) error {
		return v.s.Hooks.DropHeader(v.r.Context(), v.actor, v.ref(), id, v.sent("header"))
	})
}
