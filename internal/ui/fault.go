package ui

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/throttle"
)

// errStale is the refusal of a session that was begun too long ago for what it asks.
var errStale = errors.New("this needs a sign-in of the last 12 hours")

// trouble is the page of a fault.
type trouble struct {
	status   int
	Title    string
	Text     string
	SignIn   string // the address of the door, if signing in otherwise may help
	Settings string // the address of the settings that the actor may change so that it works
	ID       string // of the request, for the log
}

// fail answers a request that failed. Only here do faults become statuses and words of
// pages.
func (v *visit) fail(err error) {
	if to, ok := errors.AsType[*elsewhere](err); ok {
		if err = v.lead(to); err == nil {
			return
		}
	}
	t, closed := v.closed(err)
	if !closed && v.r.Method != http.MethodPut && (errors.Is(err, errStale) || v.needsSignIn(err)) {
		v.toDoor(err)
		return
	}
	if !closed {
		t = v.trouble(err)
	}
	if t.status >= http.StatusInternalServerError {
		v.s.Note(v.r.Context(), err)
	}
	if v.r.Method == http.MethodPut { // a script of ours asks
		if v.needsSignIn(err) {
			t.status, t.Text = http.StatusUnauthorized, "You are not signed in."
		}
		v.answer(t.status, t.Text)
		return
	}
	if err := v.show(screen{name: "trouble", title: t.Title, status: t.status, data: t}); err != nil {
		v.s.Note(v.r.Context(), err)
		http.Error(v.w, "500 Internal Server Error", http.StatusInternalServerError)
	}
}

// answer answers a script with a sentence.
func (v *visit) answer(status int, text string) {
	v.w.Header()["Content-Type"] = []string{"application/json"}
	v.w.WriteHeader(status)
	_ = json.NewEncoder(v.w).Encode(map[string]string{"message": text}) // a client that is gone needs no answer
}

// needsSignIn reports a refusal of nobody that a person might not get.
func (v *visit) needsSignIn(err error) bool {
	if v.actor.Kind != access.Anonymous || v.route != nil && v.route.way.door {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Unauthenticated, fault.Hidden, fault.Denied:
		return true
	}
	return false
}

// toDoor leads to the door, and from there back.
func (v *visit) toDoor(err error) {
	to := v.door()
	if errors.Is(err, errStale) {
		to += "&again=1"
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

// door is the address of the door, which leads back to the page of the request. A form that
// was sent is lost, so its own page is where the door leads back to.
func (v *visit) door() string {
	return v.s.at("sign_in") + "?to=" + url.QueryEscape(v.s.root+v.ownPage()+suffix(v.r))
}

// ownPage is the path of the request, or of a form that has no page, the page above it.
func (v *visit) ownPage() string {
	if v.route == nil || !v.route.writes() {
		return v.r.URL.EscapedPath() // if it has no page, it leads to the one above
	}
	return v.pageAbove(v.route.on)
}

// pageAbove is the path of the request, or the nearest above it that has a page.
func (v *visit) pageAbove(on site) string {
	path := v.r.URL.EscapedPath()
	t, err := parseTarget(path)
	for err == nil && len(t.rest) > 0 {
		if found, _, _ := v.s.find(on, http.MethodGet, t.rest); found != nil {
			return path
		}
		t.rest, path = t.rest[:len(t.rest)-1], path[:strings.LastIndexByte(path, '/')]
	}
	if path = strings.TrimSuffix(path, "/-"); path == "" {
		return "/"
	}
	return path
}

// trouble is the status and the words of a fault.
func (v *visit) trouble(err error) trouble {
	if refused, ok := errors.AsType[*throttle.Refusal](err); ok {
		v.w.Header().Set("Retry-After", strconv.Itoa(max(1, int(refused.After.Seconds()))))
		return trouble{status: http.StatusTooManyRequests, Title: "Too many requests", Text: "This server counts requests, and you have made as many as it allows in a minute. Wait a little."}
	}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		e = &fault.Error{Kind: fault.Internal, Err: err}
	}
	if errors.Is(err, context.Canceled) && v.r.Context().Err() != nil {
		return trouble{status: http.StatusRequestTimeout, Title: "The connection broke"}
	}
	switch e.Kind {
	case fault.Hidden, fault.NotFound, fault.Absent:
		return trouble{status: http.StatusNotFound, Title: "Nothing here", Text: "There is nothing here, or you may not see it."}
	case fault.Denied, fault.OverLimit:
		return trouble{status: http.StatusForbidden, Title: "Not allowed", Text: cmp.Or(sentence(e.Msg), "Your role here does not allow this. An owner can give you a higher one.")}
	case fault.InsufficientScope:
		return trouble{status: http.StatusForbidden, Title: "Not with this token",
			Text: "You came with a token that lacks the scope " + strings.Join(e.Scopes, " or ") + ".", SignIn: v.door() + "&otherwise=1"}
	case fault.Unauthenticated, fault.DeadToken:
		return trouble{status: http.StatusUnauthorized, Title: "Signed out", Text: cmp.Or(sentence(e.Msg), "You are not signed in."), SignIn: v.door() + "&otherwise=1"}
	case fault.NotAllowed:
		return trouble{status: http.StatusMethodNotAllowed, Title: "Not this way", Text: cmp.Or(sentence(e.Msg), "This page is only read.")}
	case fault.Unavailable:
		v.w.Header().Set("Retry-After", "5")
		return trouble{status: http.StatusServiceUnavailable, Title: "Not now", Text: "The database cannot be reached. Nothing was changed."}
	case fault.Timeout:
		return trouble{status: http.StatusRequestTimeout, Title: "The connection broke", Text: "Nothing was changed."}
	}
	if status, ok := refusals()[e.Kind]; ok {
		return trouble{status: status, Title: "Not possible", Text: strings.Join(reasons(e), " ")}
	}
	return trouble{status: http.StatusInternalServerError, Title: "Something broke here", ID: v.w.Header().Get("X-Request-Id")}
}

// refusals are the statuses of what is wrong with what somebody typed.
func refusals() map[fault.Kind]int {
	const wrong = http.StatusUnprocessableEntity
	return map[fault.Kind]int{
		fault.Invalid: wrong, fault.Rejected: wrong, fault.Refused: wrong, fault.Unfit: wrong, fault.Unprocessable: wrong, fault.Full: wrong,
		fault.Conflict: http.StatusConflict, fault.Precondition: http.StatusConflict,
		fault.TooLarge: http.StatusRequestEntityTooLarge,
	}
}

// reasons are the sentences of a refusal.
func reasons(e *fault.Error) (texts []string) {
	for field, why := range e.Fields {
		for _, text := range why {
			texts = append(texts, named(field, text))
		}
	}
	switch {
	case len(texts) > 0:
		return texts
	case e.Msg != "":
		return []string{sentence(e.Msg)}
	case e.Kind == fault.Precondition:
		return []string{"It changed while you looked. Nothing was changed; look at it again."}
	case e.Kind == fault.Conflict:
		return []string{sentence(cmp.Or(strings.ToLower(e.Field), "it") + " is taken")}
	}
	return []string{"The server refused this."}
}

// named is a reason with the name of its field; "" and base are the whole.
func named(field, text string) string {
	if field != "" && field != "base" {
		text = strings.ReplaceAll(field, "_", " ") + " " + text
	}
	return sentence(text)
}

// sentence begins a text with a capital and ends it with a full stop. A first word that is
// no plain word is a name, such as a path, and stays.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first, _, _ := strings.Cut(text, " ")
	if !strings.ContainsFunc(first, func(r rune) bool { return !unicode.IsLetter(r) && !strings.ContainsRune("',:-", r) }) {
		r, n := utf8.DecodeRuneInString(text)
		text = string(unicode.ToUpper(r)) + text[n:]
	}
	if !strings.ContainsAny(text[len(text)-1:], ".!?") {
		text += "."
	}
	return text
}

// crossSite answers a form that another site sent.
func (s *Server) crossSite(w http.ResponseWriter, r *http.Request) {
	v := &visit{s: s, w: w, r: r, began: s.Now(), form: &form{}}
	pageHeaders(w.Header())
	if err := v.show(screen{name: "trouble", title: "Not from there", status: http.StatusForbidden, data: trouble{
		Title: "Not from there", Text: "This request came from another site. Nothing was changed.",
	}}); err != nil {
		http.Error(w, "403 Forbidden", http.StatusForbidden)
	}
}
