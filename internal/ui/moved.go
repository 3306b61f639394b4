package ui

import "net/http"

// lead leads to another address. What was sent to a former address is not sent on: browsers
// make a GET of it, so it would be lost without a word.
func (v *visit) lead(to *elsewhere) error {
	reads := v.r.Method == http.MethodGet || v.r.Method == http.MethodHead
	if reads || to.status != http.StatusMovedPermanently {
		http.Redirect(v.w, v.r, to.to, to.status)
		return nil
	}
	const title, text = "It has moved", "This was sent to a former address. Nothing was changed. The page is elsewhere now: send it from there."
	if v.r.Method == http.MethodPut {
		v.answer(http.StatusConflict, text)
		return nil
	}
	page := struct{ Title, Text, URL string }{title, text, to.to}
	return v.show(screen{name: "moved", title: title, status: http.StatusConflict, data: page})
}
