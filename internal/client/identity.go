package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"granary/internal/wire"
)

// User is whose token it is. A job token has none to show: NotFound or Denied.
func (c *Client) User(ctx context.Context) (wire.User, error) {
	var u wire.User
	_, err := c.get(ctx, "/user", nil, &u)
	return u, err
}

// Token is what the server knows of an access token, from itself.
func (c *Client) Token(ctx context.Context) (wire.PersonalAccessToken, error) {
	var t wire.PersonalAccessToken
	_, err := c.get(ctx, "/personal_access_tokens/self", nil, &t)
	return t, err
}

// Metadata is the server's version. GitLab leaves Granary empty.
func (c *Client) Metadata(ctx context.Context) (wire.Metadata, error) {
	var m wire.Metadata
	_, err := c.get(ctx, "/metadata", nil, &m)
	return m, err
}

// Project finds a project by its id, or its path with the groups above.
func (c *Client) Project(ctx context.Context, project string) (wire.Project, error) {
	var p wire.Project
	_, err := c.get(ctx, projectPath(project), nil, &p)
	return p, err
}

// Projects lists the projects whose path has the text in it, those that the
// caller is a member of.
func (c *Client) Projects(ctx context.Context, text string) ([]wire.ProjectSimple, error) {
	query := url.Values{"membership": {"true"}, "simple": {"true"}, "order_by": {"id"}}
	if text != "" {
		query.Set("search", text)
		query.Set("search_namespaces", "true")
	}
	return List[wire.ProjectSimple](ctx, c, "/projects", query)
}

// Member is a user as a member of a project, with the user's highest role there,
// which may come from a group above the project or one that is shared with it.
func (c *Client) Member(ctx context.Context, project string, userID int64) (wire.Member, error) {
	var m wire.Member
	_, err := c.get(ctx, projectPath(project)+"/members/all/"+strconv.FormatInt(userID, 10), nil, &m)
	return m, err
}

// JobSpec is what a CI job is to be about. The zero value is fine.
type JobSpec struct {
	Name, Stage, Ref, SHA string
	Tag                   bool // Ref is a tag
	Timeout               int  // seconds, 0 for the server's default
}

// CreateJob starts a CI job and returns it with its token. Only granary has
// this call: elsewhere it is NotFound, or Refused with status 405.
func (c *Client) CreateJob(ctx context.Context, project string, s JobSpec) (wire.Job, error) {
	values := url.Values{"tag": {strconv.FormatBool(s.Tag)}}
	for name, value := range map[string]string{"name": s.Name, "stage": s.Stage, "ref": s.Ref, "sha": s.SHA} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if s.Timeout > 0 {
		values.Set("timeout", strconv.Itoa(s.Timeout))
	}
	var j wire.Job
	_, err := c.json(ctx, call{method: http.MethodPost, path: projectPath(project) + "/jobs", form: values}, true, &j)
	return j, err
}

// FinishJob ends a job, and its token: with success, failed or canceled. It returns what
// that did to the job's drafts.
func (c *Client) FinishJob(ctx context.Context, project string, id int64, status string) ([]wire.JobDraft, error) {
	q := call{method: http.MethodPut, path: projectPath(project) + "/jobs/" + strconv.FormatInt(id, 10), form: url.Values{"status": {status}}}
	var j wire.Job
	_, err := c.json(ctx, q, false, &j)
	return j.Drafts, err
}

// OwnJob is the job that the caller's token belongs to.
func (c *Client) OwnJob(ctx context.Context) (wire.Job, error) {
	var j wire.Job
	_, err := c.get(ctx, "/job", nil, &j)
	return j, err
}

// HasPages reports whether the server has named pages for browsers in an answer. Before its
// first answer it is false.
func (c *Client) HasPages() bool { return c.has(wire.FeaturePages) }

// SignInLink makes a link that signs the token's user in on the server's pages, once, within
// a minute. Only a person's personal access token makes one.
func (c *Client) SignInLink(ctx context.Context) (wire.SignInLink, error) {
	var made wire.SignInLink
	_, err := c.json(ctx, call{method: http.MethodPost, path: "/user/sign_in_links"}, true, &made)
	return made, err
}
