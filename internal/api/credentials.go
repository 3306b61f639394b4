package api

import (
	"net/http"
	"strings"

	"granary/internal/auth"
)

// credentials reads every carrier of contract generic-packages 4.1, and the user
// to act as: the header Sudo, else the parameter sudo of the query. Of two carriers
// of one credential the query comes first.
func credentials(r *http.Request) (c auth.Credentials, sudo string) {
	h := r.Header
	sudo = h.Get("Sudo")
	c = auth.Credentials{
		PrivateToken: h.Get("Private-Token"),
		JobToken:     h.Get("Job-Token"),
		DeployToken:  h.Get("Deploy-Token"),
	}
	if authorization := h.Get("Authorization"); authorization != "" {
		c.BasicUser, c.BasicPassword, c.HasBasic = r.BasicAuth()
		c.Bearer = bearer(authorization)
	}
	if r.URL.RawQuery == "" {
		return c, sudo
	}
	q := r.URL.Query()
	c.PrivateToken = first(q.Get("private_token"), c.PrivateToken)
	c.JobToken = first(q.Get("job_token"), q.Get("token"), c.JobToken)
	c.Bearer = first(c.Bearer, q.Get("access_token"))
	return c, first(sudo, q.Get("sudo"))
}

func bearer(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// first is the first value that is not empty.
func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
