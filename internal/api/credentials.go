package api

import (
	"cmp"
	"net/http"
	"strings"

	"granary/internal/auth"
)

// credentials reads credentials from all their places (contract generic-packages 4.1),
// and the user to act as: the header Sudo, otherwise the parameter sudo of the query. If
// one credential is in both, the query wins.
func credentials(r *http.Request) (c auth.Credentials, sudo string) {
	h := r.Header
	sudo = header(h, "Sudo")
	c = auth.Credentials{
		PrivateToken: header(h, "Private-Token"),
		JobToken:     header(h, "Job-Token"),
		DeployToken:  header(h, "Deploy-Token"),
	}
	if authorization := header(h, "Authorization"); authorization != "" {
		c.BasicUser, c.BasicPassword, c.HasBasic = r.BasicAuth()
		c.Bearer = bearer(authorization)
	}
	if r.URL.RawQuery == "" {
		return c, sudo
	}
	q := r.URL.Query()
	c.PrivateToken = cmp.Or(q.Get("private_token"), c.PrivateToken)
	c.JobToken = cmp.Or(q.Get("job_token"), q.Get("token"), c.JobToken)
	c.Bearer = cmp.Or(c.Bearer, q.Get("access_token"))
	return c, cmp.Or(sudo, sudoOf(q))
}

// hasCredential reports a request that says who asks, as programs do. A browser has a
// cookie at most.
func hasCredential(r *http.Request) bool {
	c, sudo := credentials(r)
	return c != (auth.Credentials{}) || sudo != "" || header(r.Header, "Authorization") != ""
}

// sudoOf is the parameter sudo. The last of several counts, as for all parameters. For a
// list or object it returns the name, which names no user, so that it is refused and not
// ignored.
func sudoOf(form map[string][]string) string {
	for name := range form {
		if strings.HasPrefix(name, "sudo[") {
			return name
		}
	}
	if v := form["sudo"]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// header is the first value of a header whose name is in canonical form. It saves the
// work of Get, which canonicalizes the name; every request reads five headers.
func header(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func bearer(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
