package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"granary/internal/fault"
	"granary/internal/webhooks"
	"granary/internal/wire"
)

const (
	packageEvents = "package_events" // a kind of event that only granary has
	packageHooks  = "package_hooks"  // the same in a delivery log
)

func listHooks(c *call) error {
	ask := c.page(false)
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Hooks.List(c.r.Context(), c.actor, c.path("id"), ask)
	return listed(c, ask, found, err, c.hook)
}

func getHook(c *call) error {
	id, err := c.id("hook_id")
	if err != nil {
		return err
	}
	h, err := c.s.Hooks.Get(c.r.Context(), c.actor, c.path("id"), id)
	if err != nil {
		return err
	}
	return c.ok(c.hook(h))
}

func createHook(c *call) error {
	c.params.record().required("url")
	e := c.params.hookEdit()
	if err := c.params.err(); err != nil {
		return err
	}
	h, err := c.s.Hooks.Create(c.r.Context(), c.actor, c.path("id"), e)
	if err != nil {
		return err
	}
	return c.created(c.hook(h))
}

func editHook(c *call) error {
	id, err := c.id("hook_id")
	if err != nil {
		return err
	}
	e := c.params.hookEdit()
	if err := c.params.err(); err != nil {
		return err
	}
	h, err := c.s.Hooks.Edit(c.r.Context(), c.actor, c.path("id"), id, e)
	if err != nil {
		return err
	}
	return c.ok(c.hook(h))
}

func deleteHook(c *call) error {
	id, err := c.id("hook_id")
	if err != nil {
		return err
	}
	if err := c.s.Hooks.Delete(c.r.Context(), c.actor, c.path("id"), id); err != nil {
		return err
	}
	return c.noContent()
}

// hookEdit reads the changes of a hook: only what was sent. It refuses parameters that
// would change deliveries and are not supported. It ignores filters of pushes, since
// there are no pushes.
func (p params) hookEdit() webhooks.Edit {
	e := webhooks.Edit{
		URL: p.record().given("url"), Name: p.record().given("name"), Description: p.record().given("description"),
		Token: p.record().optional("token"), SigningToken: p.record().optional("signing_token"),
		Packages: p.optionalBoolean(packageEvents), VerifyTLS: p.optionalBoolean("enable_ssl_verification"),
		Others: map[string]bool{},
	}
	for _, kind := range webhooks.OtherKinds() {
		if wanted := p.optionalBoolean(kind); wanted != nil {
			e.Others[kind] = *wanted
		}
	}
	for _, o := range p.objects("custom_headers") {
		e.Headers = append(e.Headers, webhooks.Header{Key: o.record().str("key"), Value: o.record().str("value")})
	}
	for _, name := range []string{"url_variables", "custom_webhook_template"} {
		if p.sends(name) || len(p.objects(name)) > 0 {
			p.fail(name + " is not supported")
		}
	}
	return e
}

func setHookHeader(c *call) error {
	id, err := c.id("hook_id")
	if err != nil {
		return err
	}
	header := webhooks.Header{Key: c.path("key"), Value: c.params.record().required("value")}
	if err := c.params.err(); err != nil {
		return err
	}
	if err := c.s.Hooks.SetHeader(c.r.Context(), c.actor, c.path("id"), id, header); err != nil {
		return err
	}
	return c.noContent()
}

func deleteHookHeader(c *call) error {
	id, err := c.id("hook_id")
	if err != nil {
		return err
	}
	if err := c.s.Hooks.DropHeader(c.r.Context(), c.actor, c.path("id"), id, c.path("key")); err != nil {
		return err
	}
	return c.noContent()
}

func testHook(c *call) error {
	id, err := c.id("hook_id")
	if err != nil {
		return err
	}
	switch trigger := c.path("trigger"); {
	case slices.Contains(webhooks.OtherKinds(), trigger):
		return fault.New(fault.Unprocessable, "There are no "+trigger+" here; test "+packageEvents)
	case trigger != packageEvents:
		return fault.New(fault.Invalid, "trigger does not have a valid value")
	}
	if err := c.s.Hooks.Test(c.r.Context(), c.actor, c.path("id"), id); err != nil {
		return err
	}
	return c.created(message("201 Created", ""))
}

func listHookEvents(c *call) error {
	id, err := c.id("hook_id")
	if err != nil {
		return err
	}
	ask := c.page(true)
	f := c.params.attemptFilter()
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := c.s.Hooks.Attempts(c.r.Context(), c.actor, c.path("id"), id, f, ask)
	return listed(c, ask, found, err, hookEvent)
}

// attemptFilter reads statuses of answers, as numbers or classes.
func (p params) attemptFilter() (f webhooks.AttemptFilter) {
	classes := map[string][2]int{"successful": {200, 299}, "client_failure": {400, 499}, "server_failure": {500, 599}}
	for _, word := range p.list("status") {
		status, err := strconv.Atoi(word)
		class, ok := classes[word]
		switch {
		case ok:
			f.Statuses = append(f.Statuses, class)
		case err == nil && status >= 100 && status < 600:
			f.Statuses = append(f.Statuses, [2]int{status, status})
		default:
			p.fail("status does not have a valid value")
		}
	}
	if len(f.Statuses) > maxStatuses {
		p.fail("status has too many values")
	}
	return f
}

const maxStatuses = 20

func resendHookEvent(c *call) error {
	id, err := c.id("hook_id")
	if err != nil {
		return err
	}
	eventID, err := c.id("hook_event_id")
	if err != nil {
		return err
	}
	status, err := c.s.Hooks.Resend(c.r.Context(), c.actor, c.path("id"), id, eventID)
	if err != nil {
		return err
	}
	return c.reply(http.StatusCreated, wire.HookResent{ResponseStatus: status})
}

func (c *call) hook(h webhooks.Hook) wire.Hook {
	w := wire.Hook{
		ID: h.ID, URL: h.Target.URL, Name: h.Name, Description: h.Description, CreatedAt: wire.Time(h.CreatedAt), ProjectID: h.ProjectID,
		EnableSSLVerification: h.VerifyTLS, AlertStatus: h.Alert(c.s.Hooks.Now()), DisabledUntil: wire.OptionalTime(h.Disabled),
		URLVariables: []string{}, CustomHeaders: []wire.HookHeader{}, BranchFilterStrategy: "wildcard",
		TokenPresent: h.Target.Token != "", SigningTokenPresent: h.Target.SigningToken != "",
		Events: map[string]bool{packageEvents: h.Packages},
	}
	for _, header := range h.Target.Headers {
		w.CustomHeaders = append(w.CustomHeaders, wire.HookHeader{Key: header.Key})
	}
	for _, kind := range webhooks.OtherKinds() {
		w.Events[kind] = slices.Contains(h.Others, kind)
	}
	return w
}

func hookEvent(a webhooks.Attempt) wire.HookEvent {
	w := wire.HookEvent{
		ID: a.ID, URL: a.URL, Trigger: packageHooks, RequestHeaders: a.RequestHeaders, RequestData: json.RawMessage(a.RequestBody),
		ResponseHeaders: a.ResponseHeaders, ResponseBody: a.ResponseBody, ExecutionDuration: a.Took.Seconds(),
		ResponseStatus: strconv.Itoa(a.Status), InternalError: a.Fault, CreatedAt: wire.Time(a.CreatedAt),
	}
	if a.Status == 0 {
		w.ResponseStatus = "internal error" // GitLab's word
	}
	if a.RequestBody == "" {
		w.RequestData = json.RawMessage("null")
	}
	return w
}
