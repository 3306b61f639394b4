//go:build !unix

package disk

// openFlags are of Unix only.
const openFlags = 0
