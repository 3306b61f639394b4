package ui

import "net/http"

// table is the pages.
func (s *Server) table() []route {
	const get, post = http.MethodGet, http.MethodPost
	var (
		door     = way{door: true}
		signedIn = way{signedIn: true}
	)
	return []route{
		{get, instance, "", signedIn, showHome},

		{get, instance, "sign_in", door, showDoor},
		{post, instance, "sign_in", door, signInByToken},
		{get, instance, "sign_in/link", door, showLink},
		{post, instance, "sign_in/link", door, signInByLink},
		{post, instance, "sign_out", door, signOut},
	}
}
