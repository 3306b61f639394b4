package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"granary/internal/wire"
)

// Variable is a CI/CD variable of a project.
type Variable struct {
	Key   string
	Value string
	Tag   string // changes with every write; "" where the server has none (GitLab)
}

// GetVariable reads a variable. Job tokens cannot, here and in GitLab.
func (c *Client) GetVariable(ctx context.Context, project, key string) (Variable, error) {
	var w wire.Variable
	header, err := c.get(ctx, variablePath(project, key), nil, &w)
	if err != nil {
		return Variable{}, err
	}
	return variable(w, header), nil
}

// SetVariable writes a variable; if v has a tag, only if the variable did not change
// since. A *Error with status 412 means that it did; without a tag the last of two
// writers wins.
func (c *Client) SetVariable(ctx context.Context, project string, v Variable) (Variable, error) {
	q := call{method: http.MethodPut, path: variablePath(project, v.Key), form: url.Values{"value": {v.Value}}, header: http.Header{}}
	if v.Tag != "" {
		q.header.Set("If-Match", v.Tag)
	}
	var w wire.Variable
	header, err := c.json(ctx, q, v.Tag != "", &w) // the tag does not match any more if an answer was lost
	if err != nil {
		return Variable{}, err
	}
	return variable(w, header), nil
}

// CreateVariable makes a new variable: of two concurrent calls one fails.
func (c *Client) CreateVariable(ctx context.Context, project, key, value string) error {
	q := call{method: http.MethodPost, path: projectPath(project) + "/variables", form: url.Values{"key": {key}, "value": {value}}}
	_, err := c.json(ctx, q, true, nil)
	return err
}

func variable(w wire.Variable, h http.Header) Variable {
	v := Variable{Key: w.Key}
	if w.Value != nil {
		v.Value = *w.Value
	}
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) { // a weak one, as GitLab's, is of the answer
		v.Tag = tag
	}
	return v
}

func variablePath(project, key string) string {
	return projectPath(project) + "/variables/" + url.PathEscape(key)
}
