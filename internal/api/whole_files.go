package api

import (
	"strings"

	"granary/internal/fault"
	"granary/internal/registry"
)

// isWholeFile reports an address of a file that is made of a whole version: its name
// begins with @, as no published file's does.
func isWholeFile(raw registry.Raw) bool { return raw.Dir == "" && strings.HasPrefix(raw.File, "@") }

// sendWhole answers with a file that is made of a whole version.
func (c *call) sendWhole() error {
	return fault.New(fault.Absent, "")
}
