package auth

import (
	"crypto/rand"
	"crypto/sha256"
)

// The prefixes tell people and secret scanners what a secret is for. No secret
// is ever refused for its prefix.
const (
	personalPrefix = "gnpat-"
	deployPrefix   = "gndt-"
	jobPrefix      = "gnjt-"
	gitlabJob      = "glcbt-" // GitLab's own prefix of job tokens
)

// SecretDigest is the SHA-256 of a token's secret, the only form that is kept.
type SecretDigest [sha256.Size]byte

// DigestOf hashes a secret. Secrets are random, 160 bits or more, so that a
// fast hash is enough.
func DigestOf(secret string) SecretDigest { return sha256.Sum256([]byte(secret)) }

// newSecret makes a secret of 26 letters and digits after the prefix: 130 bits
// from rand.Text, and again, for 260 in all. Its first use is no trial, however
// many logins from the same address have failed.
func (s *Service) newSecret(prefix string) string {
	secret := prefix + rand.Text() + rand.Text()
	s.Logins.Good(DigestOf(secret))
	return secret
}
