package client

import "strings"

// Credential is how a caller shows who it is. It prints as nothing.
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

// Kind is what it is, in words; "" for none.
func (c Credential) Kind() string { return c.kind }

// String hides the secret.
func (c Credential) String() string { return c.kind }

// GoString hides the secret.
func (c Credential) GoString() string { return "client.Credential{" + c.kind + "}" }
