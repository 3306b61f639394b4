package auth

import (
	"crypto/rand"
	"crypto/sha256"
)

// The prefixes show people and secret scanners what a secret is for. No secret is refused
// for its prefix.
const (
	personalPrefix = "gnpat-"
	deployPrefix   = "gndt-"
	jobPrefix      = "gnjt-"
	sessionPrefix  = "gnws-"  // of a cookie
	linkPrefix     = "gnsl-"  // of a code that signs in
	gitlabJob      = "glcbt-" // GitLab's own prefix of job tokens
)

// SecretDigest is the SHA-256 of a token's secret, the only form that is stored.
type SecretDigest [sha256.Size]byte

// DigestOf hashes a secret. A fast hash is enough, because secrets have 160 random bits
// or more.
func DigestOf(secret string) SecretDigest { return sha256.Sum256([]byte(secret)) }

// newSecret makes a secret: the prefix, and 52 letters and digits, which are 260 random
// bits. Logins knows it from now on, so its first use is allowed even if many logins from
// the same address have failed.
func (s *Service) newSecret(prefix string) string {
	secret := prefix + rand.Text() + rand.Text()
	s.Logins.Good(DigestOf(secret))
	return secret
}
