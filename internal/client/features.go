package client

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Features that granary has and GitLab has not, as X-Granary-Features names them.
const (
	FeatureChannels  = "channels"  // names that move from version to version
	FeatureSelectors = "selectors" // latest, ^1.4, 1.x or @stable in place of a version
	FeatureVersions  = "versions"  // a version as a resource: its files, marks and archives
)

// note remembers the features that an answer of the client's own server names.
func (c *Client) note(resp *http.Response) {
	if named := resp.Header.Get("X-Granary-Features"); named != "" && elsewhere(resp) == "" {
		c.features.Store(&named)
	}
}

// has reports whether the server has named a feature in an answer.
func (c *Client) has(feature string) bool {
	named := c.features.Load()
	if named == nil {
		return false
	}
	for word := range strings.SplitSeq(*named, ",") {
		if strings.TrimSpace(word) == feature {
			return true
		}
	}
	return false
}

// errUnsupported is a call of a feature that the server does not have.
var errUnsupported = errors.New("that needs granary")

// Unsupported reports a call of a feature that the server does not have.
func Unsupported(err error) bool { return errors.Is(err, errUnsupported) }

// orUnsupported is the error of a call of a feature: Refused in other words if the
// server has no such feature, and so no such route. what is what was asked for, such as
// "channels".
func (c *Client) orUnsupported(err error, feature, what string) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status/100 != 4 || e.kind() == Busy || c.has(feature) {
		return err
	}
	return &failure{Refused, fmt.Errorf("%s has no %s: %w (%w)", c.api.Host, what, errUnsupported, err)}
}
