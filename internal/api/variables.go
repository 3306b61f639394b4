package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"granary/internal/projects"
	"granary/internal/wire"
)

// deedsOfVariables are the deeds around variables of projects, of groups, or of the
// instance, which have no scopes.
type deedsOfVariables struct {
	deeds  projects.VariablesOf
	scoped bool
}

func (d deedsOfVariables) list(c *call) error {
	ask := c.page(false)
	if err := c.params.err(); err != nil {
		return err
	}
	found, err := d.deeds.List(c.r.Context(), c.actor, c.path("id"), ask)
	return listed(c, ask, found, err, d.variable)
}

func (d deedsOfVariables) get(c *call) error {
	which := d.ref(c)
	if err := c.params.err(); err != nil {
		return err
	}
	v, err := d.deeds.Get(c.r.Context(), c.actor, c.path("id"), which)
	if err != nil {
		return err
	}
	return d.answer(c, http.StatusOK, v)
}

func (d deedsOfVariables) create(c *call) error {
	p := c.params
	v := projects.Variable{
		Key: p.record().required("key"), Value: p.record().required("value"), Type: projects.EnvVar,
		Protected: p.boolean("protected"), Masked: p.boolean("masked"), Hidden: p.boolean("masked_and_hidden"),
		Raw: p.boolean("raw"), Scope: projects.AnyScope, Description: p.record().optional("description"),
	}
	if t := p.variableType(); t != nil {
		v.Type = *t
	}
	if d.scoped {
		v.Scope = cmp.Or(p.record().str("environment_scope"), v.Scope)
	}
	if err := p.err(); err != nil {
		return err
	}
	v, err := d.deeds.Create(c.r.Context(), c.actor, c.path("id"), v)
	if err != nil {
		return err
	}
	return d.answer(c, http.StatusCreated, v)
}

func (d deedsOfVariables) edit(c *call) error {
	p := c.params
	e := projects.VariableEdit{
		Value: p.record().optional("value"), Type: p.variableType(),
		Protected: p.optionalBoolean("protected"), Masked: p.optionalBoolean("masked"),
		Hidden: p.optionalBoolean("masked_and_hidden"), Raw: p.optionalBoolean("raw"),
		Description: setting(p, "description", p.record().optional),
	}
	if d.scoped {
		e.Scope = p.record().optional("environment_scope")
	}
	which := d.ref(c)
	if err := p.err(); err != nil {
		return err
	}
	v, err := d.deeds.Edit(c.r.Context(), c.actor, c.path("id"), which, ifMatch(c.r.Header), e)
	if err != nil {
		return err
	}
	return d.answer(c, http.StatusOK, v)
}

func (d deedsOfVariables) remove(c *call) error {
	which := d.ref(c)
	if err := c.params.err(); err != nil {
		return err
	}
	if err := d.deeds.Delete(c.r.Context(), c.actor, c.path("id"), which, ifMatch(c.r.Header)); err != nil {
		return err
	}
	return c.noContent()
}

func (d deedsOfVariables) ref(c *call) projects.VariableRef {
	which := projects.VariableRef{Key: c.path("key")}
	if d.scoped {
		which.Scope = c.params.optional("filter[environment_scope]")
	}
	return which
}

func (p params) variableType() *projects.VariableType {
	word := projects.VariableType(p.choice("variable_type", string(projects.EnvVar), string(projects.FileType)))
	if word == "" {
		return nil
	}
	return &word
}

// answer answers with a variable, and with the ETag for a conditional write.
func (d deedsOfVariables) answer(c *call, status int, v projects.Variable) error {
	c.w.Header().Set("ETag", `"`+v.Tag()+`"`)
	return c.reply(status, d.variable(v))
}

func (d deedsOfVariables) variable(v projects.Variable) wire.Variable {
	w := wire.Variable{
		VariableType: string(v.Type), Key: v.Key, Hidden: v.Hidden, Protected: v.Protected, Masked: v.Masked,
		Raw: v.Raw, Description: v.Description,
	}
	if d.scoped {
		w.EnvironmentScope = v.Scope
	}
	if !v.Hidden {
		w.Value = &v.Value
	}
	return w
}

// ifMatch reads If-Match (RFC 9110 13.1.1). It returns nil if none was sent. The weak form
// of our tag matches, too: a proxy that compresses an answer weakens its tag (RFC 9110
// 8.8.1), and its clients see no other. That is safe, since our tags identify the record
// and not the bytes of an answer, and we make no weak tags. A malformed tag matches
// nothing.
func ifMatch(h http.Header) projects.Condition {
	lines := h.Values("If-Match")
	if len(lines) == 0 {
		return nil
	}
	var tags []string
	for part := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		tag := strings.TrimSpace(part)
		if strings.HasPrefix(tag, `W/"`) {
			tag = tag[len("W/"):]
		}
		tags = append(tags, tag)
	}
	return func(tag string) bool {
		return slices.Contains(tags, `"`+tag+`"`) || len(tags) == 1 && tags[0] == "*"
	}
}
