package client

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Credential is a caller's token and how it is sent. It prints as nothing.
type Credential struct {
	header, value string
	kind          string
}

// PrivateToken is a personal, project or group access token.
func PrivateToken(secret string) Credential {
	return Credential{"Private-Token", secret, "access token"}
}

// JobToken is the token of a CI job.
func JobToken(secret string) Credential { return Credential{"Job-Token", secret, "job token"} }

// DeployToken is a deploy token.
func DeployToken(secret string) Credential {
	return Credential{"Deploy-Token", secret, "deploy token"}
}

// TokenOf takes a token for what its prefix says, else for an access token:
// old ones have no prefix (contract generic-packages 4.1).
func TokenOf(secret string) Credential {
	switch {
	case strings.HasPrefix(secret, "gnjt-"), strings.HasPrefix(secret, "glcbt-"):
		return JobToken(secret)
	case strings.HasPrefix(secret, "gndt-"), strings.HasPrefix(secret, "gldt-"):
		return DeployToken(secret)
	}
	return PrivateToken(secret)
}

// check fails if no header can hold the secret. The error does not repeat it.
func (c Credential) check() error {
	if strings.ContainsFunc(c.value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("the %s contains a line break or another control character, which no token has", c.kind)
	}
	return nil
}

// hide removes the secret from a text: as it is, as escaped in an address, and in
// quotes, of which errors may have two levels. A debugging page may repeat the headers
// of a request. A text of less than 6 bytes is not hidden: it may be part of any word.
func (c Credential) hide(text string) string {
	if len(c.value) < 6 {
		return text
	}
	quoted := strconv.Quote(c.value)
	twice := strconv.Quote(quoted[1 : len(quoted)-1])
	for _, form := range []string{c.value, url.QueryEscape(c.value), url.PathEscape(c.value), quoted[1 : len(quoted)-1], twice[1 : len(twice)-1]} {
		text = strings.ReplaceAll(text, form, "(hidden)")
	}
	return text
}

// Kind is what it is, in words; "" for none.
func (c Credential) Kind() string { return c.kind }

// String hides the secret.
func (c Credential) String() string { return c.kind }

// GoString hides the secret.
func (c Credential) GoString() string { return "client.Credential{" + c.kind + "}" }
