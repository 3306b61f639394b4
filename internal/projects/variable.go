package projects

import (
	"context"
	"strconv"

	"granary/internal/access"
	"granary/internal/audit"
	"granary/internal/fault"
	"granary/internal/page"
)

// Variable is a CI/CD variable of a project, of a group or of the instance. A project
// or group may have several with one key, each with its own environment scope.
type Variable struct {
	ID          int64
	Revision    int64 // number of writes
	Key         string
	Value       string // empty if it is hidden, except in the answer to the write that set it
	Type        VariableType
	Protected   bool
	Masked      bool
	Hidden      bool // nobody can read the value; it is masked, too
	Raw         bool // $ in the value does not refer to a variable
	Scope       string
	Description *string
}

// VariableType is how a job gets the value: as a variable, or as a file.
type VariableType string

// The types.
const (
	EnvVar   VariableType = "env_var"
	FileType VariableType = "file"
)

// AnyScope is the environment scope of a variable that names none.
const AnyScope = "*"

// Tag is the variable's entity tag: it differs after every write, and reveals nothing
// of the value.
func (v Variable) Tag() string {
	return strconv.FormatInt(v.ID, 10) + "-" + strconv.FormatInt(v.Revision, 10)
}

// VariableRef chooses one variable by key and scope; a nil scope matches any.
type VariableRef struct {
	Key   string
	Scope *string
}

// VariableEdit is an edit; nil fields stay.
type VariableEdit struct {
	Value, Scope                   *string
	Type                           *VariableType
	Protected, Masked, Hidden, Raw *bool
	Description                    Setting[string]
}

// Condition is the condition on a variable's Tag under which a write happens; nil is
// always met.
type Condition func(tag string) bool

func (c Condition) check(v Variable) error {
	if c != nil && !c(v.Tag()) {
		return fault.New(fault.Precondition, "")
	}
	return nil
}

// Variables keeps variables, with encrypted values. The zero Place is the instance. Each
// method is one transaction. It returns NotFound if a ref chooses none, and Conflict if it
// chooses more than one.
type Variables interface {
	ListVariables(ctx context.Context, at Place, p page.Request) (page.Of[Variable], error)
	FindVariable(ctx context.Context, at Place, ref VariableRef) (Variable, error)
	// InsertVariable returns Full if the place has as many as the limit, and Conflict
	// if it has one with this key and scope.
	InsertVariable(ctx context.Context, at Place, v Variable, most fault.Limit, e audit.Event) (Variable, error)
	// UpdateVariable calls change, which leaves the key, with the variable as it is,
	// stores the changed variable, and records the event that change returns. It
	// returns Conflict with the field "scope" if the new scope is taken.
	UpdateVariable(ctx context.Context, at Place, ref VariableRef, change func(*Variable) (audit.Event, error)) (Variable, error)
	// RevealVariable calls check with the variable, and records the event that check
	// returns before it returns the value.
	RevealVariable(ctx context.Context, at Place, ref VariableRef, check func(Variable) (audit.Event, error)) (Variable, error)
	// DeleteVariable calls check first, and records the event that check returns.
	DeleteVariable(ctx context.Context, at Place, ref VariableRef, check func(Variable) (audit.Event, error)) error
}

// VariablesOf is the deeds about the variables of projects, of groups or of the
// instance.
type VariablesOf struct {
	s           *Service
	find        func(context.Context, access.Actor, string, access.Action) (Place, error)
	read, admin access.Action
	most        func() fault.Limit
	noun        string // GitLab's for one

	created, updated, deleted, revealed audit.Name
}

// ProjectVariables is the deeds about the variables of projects.
func (s *Service) ProjectVariables() VariablesOf {
	return VariablesOf{s: s, noun: "Variable", read: access.ReadProjectVariables, admin: access.AdminProjectVariables,
		most:    func() fault.Limit { return s.limits().ProjectVariables },
		created: audit.VariableCreated, updated: audit.VariableUpdated, deleted: audit.VariableDeleted, revealed: audit.VariableRevealed,
		find: func(ctx context.Context, a access.Actor, ref string, action access.Action) (Place, error) {
			p, err := s.project(ctx, a, ref, action)
			return Place{ProjectID: p.ID}, err
		}}
}

// GroupVariables is the deeds about the variables of groups.
func (s *Service) GroupVariables() VariablesOf {
	return VariablesOf{s: s, noun: "Variable", read: access.ReadGroupVariables, admin: access.AdminGroupVariables,
		most:    func() fault.Limit { return s.limits().GroupVariables },
		created: audit.GroupVariableCreated, updated: audit.GroupVariableUpdated, deleted: audit.GroupVariableDeleted, revealed: audit.GroupVariableRevealed,
		find: func(ctx context.Context, a access.Actor, ref string, action access.Action) (Place, error) {
			g, err := s.group(ctx, a, ref, action)
			return Place{GroupID: g.ID}, err
		}}
}

// InstanceVariables is the deeds about the variables of the instance, for
// administrators. The deeds ignore their reference.
func (s *Service) InstanceVariables() VariablesOf {
	return VariablesOf{s: s, noun: "InstanceVariable", read: access.ReadInstance, admin: access.AdminInstanceVariables,
		most:    func() fault.Limit { return s.limits().InstanceVariables },
		created: audit.InstanceVariableCreated, updated: audit.InstanceVariableUpdated, deleted: audit.InstanceVariableDeleted, revealed: audit.InstanceVariableRevealed,
		find: func(_ context.Context, a access.Actor, _ string, action access.Action) (Place, error) {
			return Place{}, s.allow(a, access.Resource{}, action, "")
		}}
}

// event is an event about a variable, without its value.
func (o VariablesOf) event(a access.Actor, name audit.Name, at Place, v Variable) audit.Event {
	return o.s.event(a, name, at.entity()).To("Variable", v.ID, v.title())
}

// List returns variables in the order of creation.
func (o VariablesOf) List(ctx context.Context, a access.Actor, ref string, p page.Request) (page.Of[Variable], error) {
	at, err := o.find(ctx, a, ref, o.read)
	if err != nil {
		return page.Of[Variable]{}, err
	}
	found, err := o.s.Records.ListVariables(ctx, at, p)
	if err != nil {
		return found, err
	}
	err = found.Finish(ctx, func(_ context.Context, rows []Variable) ([]Variable, error) {
		for i, v := range rows {
			rows[i] = v.shown()
		}
		return rows, nil
	})
	return found, err
}

// Get returns one variable.
func (o VariablesOf) Get(ctx context.Context, a access.Actor, ref string, which VariableRef) (Variable, error) {
	at, err := o.find(ctx, a, ref, o.read)
	if err != nil {
		return Variable{}, err
	}
	v, err := o.s.Records.FindVariable(ctx, at, which)
	return v.shown(), o.fault(err, which.Key)
}

// Reveal returns one variable for a person to read its value, and leaves an event. It
// returns Refused if the variable is hidden.
func (o VariablesOf) Reveal(ctx context.Context, a access.Actor, ref string, which VariableRef) (Variable, error) {
	at, err := o.find(ctx, a, ref, o.read)
	if err != nil {
		return Variable{}, err
	}
	v, err := o.s.Records.RevealVariable(ctx, at, which, func(v Variable) (audit.Event, error) {
		if v.Hidden {
			return audit.Event{}, fault.New(fault.Refused, v.title()+" is hidden: nobody can read its value")
		}
		return o.event(a, o.revealed, at, v), nil
	})
	return v.shown(), o.fault(err, which.Key)
}

// Create makes a variable.
func (o VariablesOf) Create(ctx context.Context, a access.Actor, ref string, v Variable) (Variable, error) {
	at, err := o.find(ctx, a, ref, o.admin)
	if err != nil {
		return Variable{}, err
	}
	v.Masked = v.Masked || v.Hidden
	if err := checkVariable(v); err != nil {
		return Variable{}, err
	}
	v, err = o.s.Records.InsertVariable(ctx, at, v, o.most(), o.event(a, o.created, at, v))
	if full, ok := fault.As(err, fault.Full); ok {
		err = &fault.Error{Kind: fault.Rejected, Fields: full.Fields} // GitLab's status here
	}
	if fault.Is(err, fault.Conflict) {
		err = takenVariable(v.Key)
	}
	return v.shown(), err
}

// Edit changes a variable if it meets the condition. One transaction reads, checks and
// writes: of two edits with the same tag one succeeds.
func (o VariablesOf) Edit(ctx context.Context, a access.Actor, ref string, which VariableRef, when Condition, e VariableEdit) (Variable, error) {
	at, err := o.find(ctx, a, ref, o.admin)
	if err != nil {
		return Variable{}, err
	}
	v, err := o.s.Records.UpdateVariable(ctx, at, which, func(v *Variable) (audit.Event, error) {
		if err := when.check(*v); err != nil {
			return audit.Event{}, err
		}
		before := *v
		err := e.apply(v)
		return o.event(a, o.updated, at, *v).With(v.changes(before), "", ""), err
	})
	return v.shown(), o.fault(err, which.Key)
}

// Delete removes a variable if it meets the condition.
func (o VariablesOf) Delete(ctx context.Context, a access.Actor, ref string, which VariableRef, when Condition) error {
	at, err := o.find(ctx, a, ref, o.admin)
	if err != nil {
		return err
	}
	err = o.s.Records.DeleteVariable(ctx, at, which, func(v Variable) (audit.Event, error) {
		return o.event(a, o.deleted, at, v), when.check(v)
	})
	return o.fault(err, which.Key)
}

// fault puts the records' errors about a ref into GitLab's words (contract rest-api D).
func (o VariablesOf) fault(err error, key string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Hidden, o.noun)
	}
	switch e, ok := fault.As(err, fault.Conflict); {
	case !ok:
		return err
	case e.Field == "scope":
		return takenVariable(key)
	}
	return fault.New(fault.Conflict, "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'")
}

func takenVariable(key string) error {
	return fault.Field("key", "("+key+") has already been taken")
}
